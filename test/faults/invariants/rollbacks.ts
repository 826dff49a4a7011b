import { setTimeout as delay } from 'node:timers/promises';
import type { RoutesView } from '../../helpers/system.ts';
import type { Dispatch } from '../direct-producers.ts';
import type { ProxyMember } from '../member.ts';
import type { QueuedJob } from '../queue-producers.ts';
import type { Violations } from '../violations.ts';
import type { Execution } from '../worker-process.ts';

/**
 * After an acknowledged rollback none goes to the canary: no job whose producer began to send it after the answer, until
 * the next deployment of the queue. The answer speaks for all proxies if it counts all of them and none was started or
 * ended since the call. Else, and for a proxy that was killed since (it begins with what it had saved), each proxy is
 * held to it from when its `/routes` show it.
 */
export interface RollbackAnswer {
  readonly queue: string;
  readonly deployment: string;
  readonly canaryVersion: string;
  readonly sentAt: number;
  readonly revision: number;
  readonly proxies: number | null;
  readonly applied: number | null;
}

export class RollbackWindow {
  readonly #answer: RollbackAnswer;
  readonly #proxies: readonly ProxyMember[];
  readonly #heldFrom = new Map<string, number>();
  readonly #suspects: Dispatch[] = [];
  #closedAt = Infinity;

  constructor(answer: RollbackAnswer, proxies: readonly ProxyMember[], lives: ProxyLives) {
    this.#answer = answer;
    this.#proxies = proxies;
    const now = performance.now();
    const speaksForAll =
      answer.proxies === proxies.length &&
      answer.applied === proxies.length &&
      !lives.changedSince(answer.sentAt);
    if (speaksForAll) for (const { name } of proxies) this.#heldFrom.set(name, now);
    lives.onEnd((name) => this.#heldFrom.delete(name));
    void this.#watch();
  }

  note(dispatch: Dispatch): void {
    const { proxy, version, sentAt } = dispatch;
    if (version !== this.#answer.canaryVersion || this.#closedAt !== Infinity) return;
    if (sentAt >= (this.#heldFrom.get(proxy) ?? Infinity)) this.#suspects.push(dispatch);
  }

  /** Somebody is about to look whether the store has kept the decision, and then another deployment may begin. */
  close(): void {
    this.#closedAt = Math.min(this.#closedAt, performance.now());
  }

  /** What goes against it, if the store kept the decision. */
  judge(violations: Violations, jobs: readonly QueuedJob[], executions: readonly Execution[]): void {
    const { canaryVersion, queue, deployment } = this.#answer;
    const name = 'none to the canary after an acknowledged rollback';
    for (const { proxy, sentAt, answeredAt, deployment: by } of this.#suspects) {
      if (answeredAt < this.#closedAt)
        violations.add(
          name,
          `${deployment} at ${this.#answer.sentAt.toFixed(0)}; ${proxy} sent a job of ${sentAt.toFixed(0)} to ${canaryVersion}, by ${by}`,
        );
    }
    if (this.#heldFrom.size < this.#proxies.length) return;
    const from = Math.max(...this.#heldFrom.values());
    const late = new Set(
      jobs.filter((job) => job.queue === queue && job.firstSentAt > from).map(({ id }) => id),
    );
    for (const { job, version, at } of executions) {
      if (version === canaryVersion && at < this.#closedAt && late.has(job))
        violations.add(name, `${job} of ${queue} ran on ${canaryVersion}, ${deployment}`);
    }
  }

  /** A proxy that was away may show the routes of before the deployment began. */
  #isKnownTo({ revision, queues }: RoutesView): boolean {
    const queue = queues.find((q) => q.queue === this.#answer.queue && q.tenant === undefined);
    return revision >= this.#answer.revision && queue?.deployment !== this.#answer.deployment;
  }

  async #watch(): Promise<void> {
    while (this.#closedAt === Infinity) {
      for (const { name, process } of this.#proxies) {
        if (this.#heldFrom.has(name)) continue;
        const shows = await process.face.routes().catch(() => undefined);
        if (shows !== undefined && this.#isKnownTo(shows) && this.#closedAt === Infinity)
          this.#heldFrom.set(name, performance.now());
      }
      await delay(100);
    }
  }
}

/** Starts and ends of proxies. */
export class ProxyLives {
  #lastChange = -Infinity;
  readonly #listeners: ((name: string) => void)[] = [];

  started(): void {
    this.#lastChange = performance.now();
  }

  ended(name: string): void {
    this.#lastChange = performance.now();
    for (const listener of this.#listeners) listener(name);
  }

  changedSince(from: number): boolean {
    return this.#lastChange >= from;
  }

  onEnd(listener: (name: string) => void): void {
    this.#listeners.push(listener);
  }
}
