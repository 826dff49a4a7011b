import { Agent, request } from 'undici';
import { vi } from 'vitest';
import { PATIENCE } from './patience.ts';
import type { ProxyFace } from './system.ts';

/**
 * Producers that send a job at each moment of a fixed rhythm, whatever became of the ones before: a worker that hangs
 * doesn't slow them down, as it would those of `Load`.
 */
export class SteadyLoad implements AsyncDisposable {
  readonly queue: string;
  /** The jobs are numbered from 1. */
  sent = 0;
  readonly #answered = new Map<number, number>();
  readonly #agent = new Agent({ connections: null, bodyTimeout: 0, headersTimeout: 0 });
  readonly #timer: NodeJS.Timeout;

  /** Alternates between the proxies. */
  constructor(proxies: readonly ProxyFace[], queue: string, perSecond: number) {
    this.queue = queue;
    const urls = proxies.map(({ dispatchUrl }) => `${dispatchUrl}/dispatch/${queue}`);
    this.#timer = setInterval(() => void this.#send(urls[this.sent % urls.length]!), 1000 / perSecond);
  }

  /** @returns the last job that has been sent by now, once so many later ones have been answered with success */
  async goOn(jobs: number): Promise<number> {
    const from = this.sent;
    await vi.waitUntil(
      () => [...this.#answered].filter(([job, status]) => job > from && status === 200).length >= jobs,
      PATIENCE,
    );
    return from;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#agent.destroy();
  }

  async #send(url: string): Promise<void> {
    const job = ++this.sent;
    try {
      const answer = await request(url, {
        dispatcher: this.#agent,
        method: 'POST',
        headers: { 'x-job-id': `job-${job}` },
        body: '{"amount":1999}',
      });
      await answer.body.dump();
      this.#answered.set(job, answer.statusCode);
    } catch {
      // No answer, which the tests see by what is missing.
      this.#answered.set(job, 0);
    }
  }
}

/** Of a job as a worker gets it. */
export function jobNumber(jobId: unknown): number {
  return Number(/^job-(\d+)$/.exec(String(jobId))?.[1]);
}
