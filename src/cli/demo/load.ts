import { Pool } from 'undici';

/** A steady stream of jobs from many customers, and what became of them by version. */

export interface VersionCounts {
  jobs: number;
  failures: number;
}

/** Since the last look. */
export type Interval = ReadonlyMap<string, VersionCounts>;

const CUSTOMERS = 5000;
const TICK_MS = 20;
const BODY = JSON.stringify({ amount: 1999, currency: 'EUR', note: 'x'.repeat(400) });

export class DemoLoad implements AsyncDisposable {
  readonly #pool: Pool;
  readonly #path: string;
  readonly #random: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly totals = new Map<string, VersionCounts>();
  #interval = new Map<string, VersionCounts>();
  readonly #running = new Set<Promise<void>>();

  constructor(dispatchUrl: string, queue: string, jobsPerSecond: number, random: () => number) {
    this.#pool = new Pool(dispatchUrl, { connections: 64 });
    this.#path = `/dispatch/${queue}`;
    this.#random = random;
    const jobsPerTick = (jobsPerSecond * TICK_MS) / 1000;
    this.#timer = setInterval(() => {
      for (let i = 0; i < jobsPerTick; i++) this.#send();
    }, TICK_MS);
  }

  /** What came back since the last call. */
  takeInterval(): Interval {
    const interval = this.#interval;
    this.#interval = new Map();
    return interval;
  }

  /** Sends no more and waits for what is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#pool.close();
  }

  #send(): void {
    const customer = `customer-${Math.floor(this.#random() * CUSTOMERS)}`;
    const running = this.#dispatch(customer).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #dispatch(customer: string): Promise<void> {
    try {
      const answer = await this.#pool.request({
        path: this.#path,
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-Canary-Sticky-Key': customer },
        body: BODY,
      });
      await answer.body.dump();
      const version = answer.headers['x-canary-version'];
      this.#count(typeof version === 'string' ? version : 'no worker', answer.statusCode >= 400);
    } catch {
      this.#count('no answer', true);
    }
  }

  #count(version: string, failed: boolean): void {
    for (const counts of [this.#interval, this.totals]) {
      const entry = counts.get(version) ?? { jobs: 0, failures: 0 };
      entry.jobs++;
      if (failed) entry.failures++;
      counts.set(version, entry);
    }
  }
}
