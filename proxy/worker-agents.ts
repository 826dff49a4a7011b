import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { ClientTls } from '../src/runtime/tls/client-tls.ts';

/** How Node's own client keeps its connections to a worker. */

/** Idle as long as undici's: shorter than what usual servers allow (Node: 5 s). */
const OPTIONS = { keepAlive: true, timeout: 4000, scheduling: 'lifo' } as const;

export class WorkerAgents {
  readonly #tls: ClientTls;
  readonly #isTls: boolean;
  #material: ClientTls['material'];
  #current: HttpAgent;
  /** Of certificates that have been replaced. What is under way on them goes on. */
  readonly #former: HttpAgent[] = [];

  constructor(tls: ClientTls, isTls: boolean) {
    this.#tls = tls;
    this.#isTls = isTls;
    this.#material = tls.material;
    this.#current = this.#create();
  }

  get current(): HttpAgent {
    if (this.#isTls && this.#material !== this.#tls.material) {
      this.#material = this.#tls.material;
      this.#former.push(this.#current);
      this.#current = this.#create();
    }
    return this.#current;
  }

  destroy(): void {
    for (const agent of [...this.#former, this.#current]) agent.destroy();
  }

  #create(): HttpAgent {
    return this.#isTls ? new HttpsAgent({ ...OPTIONS, ...this.#material }) : new HttpAgent(OPTIONS);
  }
}
