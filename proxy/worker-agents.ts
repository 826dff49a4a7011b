import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { WorkerWays } from './worker-address.ts';

/** How Node's own client keeps its connections to a worker. */

/** Idle as long as undici's: shorter than what usual servers allow (Node: 5 s). */
const OPTIONS = { keepAlive: true, timeout: 4000, scheduling: 'lifo' } as const;

export class WorkerAgents {
  readonly #ways: WorkerWays;
  readonly #isTls: boolean;
  #material: WorkerWays['tls']['material'];
  #current: HttpAgent;
  /** Of certificates that have been replaced. What is under way on them goes on. */
  readonly #former: HttpAgent[] = [];

  constructor(ways: WorkerWays, isTls: boolean) {
    this.#ways = ways;
    this.#isTls = isTls;
    this.#material = ways.tls.material;
    this.#current = this.#create();
  }

  get current(): HttpAgent {
    if (this.#isTls && this.#material !== this.#ways.tls.material) {
      this.#material = this.#ways.tls.material;
      this.#former.push(this.#current);
      this.#current = this.#create();
    }
    return this.#current;
  }

  destroy(): void {
    for (const agent of [...this.#former, this.#current]) agent.destroy();
  }

  #create(): HttpAgent {
    const { lookup, refusalOf } = this.#ways.guard;
    const options = { ...OPTIONS, lookup };
    const agent = this.#isTls ? new HttpsAgent({ ...options, ...this.#material }) : new HttpAgent(options);
    const connect = agent.createConnection.bind(agent);
    agent.createConnection = (target, callback) => {
      const isSocket = typeof target.socketPath === 'string';
      const refused = isSocket ? undefined : refusalOf(target.host ?? '');
      if (refused === undefined) return connect(target, callback);
      // Without a connection, whatever the types say.
      (callback as ((error: Error) => void) | undefined)?.(refused);
      return undefined;
    };
    return agent;
  }
}
