import { setTimeout as delay } from 'node:timers/promises';
import type { ProxyMember } from './member.ts';
import type { Violations } from './violations.ts';

/**
 * Producers of jobs that wait in a lane, with a ledger. They begin a job at each moment of a fixed rhythm, and send it by
 * the same id, to one proxy after the other, until one of them has accepted it.
 */

export interface QueuedJob {
  readonly id: string;
  readonly queue: string;
  readonly firstSentAt: number;
  lastSentAt: number;
  /** Undefined while nobody has accepted it. */
  acceptedAt: number | undefined;
}

const EVERY_MS = 100;
const AGAIN_MS = 150;

export class QueueProducers {
  readonly jobs: QueuedJob[] = [];
  /** Sent again, for 503 or no answer. */
  repeats = 0;
  readonly #queue: string;
  readonly #proxies: readonly ProxyMember[];
  readonly #violations: Violations;
  readonly #running = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(queue: string, proxies: readonly ProxyMember[], violations: Violations) {
    this.#queue = queue;
    this.#proxies = proxies;
    this.#violations = violations;
    this.#timer = setInterval(() => {
      const running = this.#put().finally(() => this.#running.delete(running));
      this.#running.add(running);
    }, EVERY_MS);
  }

  /** Every job that was begun has been accepted then. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  async #put(): Promise<void> {
    const number = this.jobs.length;
    const now = performance.now();
    const id = `${this.#queue}-${number}`;
    const job: QueuedJob = {
      id,
      queue: this.#queue,
      firstSentAt: now,
      lastSentAt: now,
      acceptedAt: undefined,
    };
    this.jobs.push(job);
    for (let turn = number; ; turn++) {
      job.lastSentAt = performance.now();
      if (await this.#isAccepted(id, this.#proxies[turn % this.#proxies.length]!)) break;
      this.repeats++;
      await delay(AGAIN_MS);
    }
    job.acceptedAt = performance.now();
  }

  async #isAccepted(id: string, { face, name }: ProxyMember): Promise<boolean> {
    try {
      const { status, body } = await face.send({ 'x-job-id': id }, this.#queue);
      if (status !== 202 && status !== 503) {
        this.#violations.add('accepted or 503', `${name} answered ${id} with ${status} ${body}`);
      }
      return status === 202;
    } catch {
      // Nobody knows whether it was stored; that is what the id is for.
      return false;
    }
  }
}
