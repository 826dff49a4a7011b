import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { vi } from 'vitest';
import { QUEUE } from './api.ts';
import { PATIENCE } from './patience.ts';
import type { ProxyFace } from './system.ts';
import { TestWorker } from './worker.ts';

/**
 * Producers that never rest, and workers that note when a job arrives. Everything happens in this process and gets a
 * place in one order, so that "before" and "after" are facts and not measurements.
 */

let places = 0;

/** The next place in the order of all that these tests see happen. */
export function nextPlace(): number {
  return ++places;
}

export interface SentJob {
  /** When its producer began to send it. */
  readonly startedAt: number;
  /** 0: no answer. */
  readonly status: number;
  readonly version: string | undefined;
  readonly problem: string | undefined;
}

export class Load implements AsyncDisposable {
  readonly sent: SentJob[] = [];
  readonly #agent = new Agent({ connections: 64 });
  readonly #producers: Promise<void>[];
  #stopped = false;

  /** That many producers for each proxy, each with one job under way at a time. */
  constructor(proxies: readonly ProxyFace[], producers: number) {
    this.#producers = proxies.flatMap(({ dispatchUrl }) =>
      Array.from({ length: producers }, () => this.#produce(`${dispatchUrl}/dispatch/${QUEUE}`)),
    );
  }

  get failed(): readonly SentJob[] {
    return this.sent.filter((job) => job.status !== 200);
  }

  startedAfter(place: number): readonly SentJob[] {
    return this.sent.filter((job) => job.startedAt > place);
  }

  /** Resolves when that many jobs that start from now on have been answered. */
  async goOn(jobs: number): Promise<void> {
    const from = nextPlace();
    // Later starts are at the end, within the number of jobs under way.
    await vi.waitUntil(
      () => this.sent.slice(-(jobs + 256)).filter((job) => job.startedAt > from).length >= jobs,
      { ...PATIENCE, interval: 2 },
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#producers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#agent.destroy();
  }

  async #produce(url: string): Promise<void> {
    while (!this.#stopped) {
      const startedAt = nextPlace();
      try {
        const answer = await request(url, {
          dispatcher: this.#agent,
          method: 'POST',
          headers: { 'x-job-id': `job-${startedAt}` },
          // Some come in pieces: the proxy then forwards the head before it has the body.
          body: startedAt % 7 === 0 ? inPieces() : '{"amount":1999}',
        });
        const body = await answer.body.text();
        this.sent.push({
          startedAt,
          status: answer.statusCode,
          version: answer.headers['x-canary-version']?.toString(),
          problem: answer.statusCode === 200 ? undefined : body,
        });
      } catch (error) {
        this.sent.push({ startedAt, status: 0, version: undefined, problem: String(error) });
        // A proxy that is gone answers at once; the others want to be heard too.
        await turn();
      }
    }
  }
}

function inPieces(): Readable {
  const pieces = async function* (): AsyncGenerator<string> {
    yield '{"amount":';
    await turn();
    yield '1999}';
  };
  return Readable.from(pieces());
}

export interface Arrival {
  /** When the job's producer began to send it. */
  readonly startedAt: number;
  readonly arrivedAt: number;
}

const MARKER = '/marker';
/** Jobs take up to that long, so that some are always under way. */
const WORK_MS_MAX = 8;

/** A worker that notes each job at its first byte that it can see, before the body. */
export class NotingWorker implements AsyncDisposable {
  readonly version: string;
  readonly arrivals: Arrival[] = [];
  readonly #worker: TestWorker;

  private constructor(version: string, worker: TestWorker, arrivals: Arrival[]) {
    this.version = version;
    this.#worker = worker;
    this.arrivals = arrivals;
  }

  static async start(version: string): Promise<NotingWorker> {
    const arrivals: Arrival[] = [];
    const worker = await TestWorker.start(version, undefined, (incoming, response) => {
      const arrivedAt = nextPlace();
      if (incoming.url === MARKER) {
        response.end(String(arrivedAt));
        return;
      }
      arrivals.push({ startedAt: Number(/\d+$/.exec(String(incoming.headers['x-job-id']))?.[0]), arrivedAt });
      // Every other time the proxy has to connect again, which gives a change of the split time to overtake a job.
      if (arrivedAt % 2 === 0) response.setHeader('connection', 'close');
      // Once the job is here whole: a worker that answers sooner and closes breaks the rest of the body off.
      incoming.resume().once('end', () => setTimeout(() => response.end(version), arrivedAt % WORK_MS_MAX));
    });
    return new NotingWorker(version, worker, arrivals);
  }

  /** By name: looking it up makes connecting, and so the overtaking, take longer. */
  get url(): string {
    return this.#worker.url.replace('127.0.0.1', 'localhost');
  }

  /** Resolves when that many more jobs have arrived. */
  async gets(jobs: number): Promise<void> {
    const target = this.arrivals.length + jobs;
    await vi.waitUntil(() => this.arrivals.length >= target, { ...PATIENCE, interval: 2 });
  }

  /**
   * The place of a request that is sent now. What a proxy sent before this call lies in the worker's sockets already,
   * so it is noted before it; what is noted after it was sent later.
   */
  async mark(): Promise<number> {
    const answer = await request(this.#worker.url + MARKER, { reset: true });
    return Number(await answer.body.text());
  }

  arrivedAfter(place: number): readonly Arrival[] {
    return this.arrivals.filter((arrival) => arrival.arrivedAt > place);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker[Symbol.asyncDispose]();
  }
}
