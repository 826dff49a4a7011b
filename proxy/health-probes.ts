import type { Clock } from '../src/core/clock.ts';
import { startPeriodic, type Periodic } from '../src/runtime/periodic.ts';
import type { Endpoints, WorkerEndpoint } from './endpoint.ts';
import { saysWell } from './probe-worker.ts';

/**
 * Asks every worker that gave a health path, again and again, whether it is well. What that does to its jobs is in
 * `src/core/probe.ts`. Each worker has a rhythm of its own, so that neither the workers of a proxy nor the proxies of a
 * worker ask in step; and one that doesn't answer keeps nobody else waiting.
 */
export interface HealthProbesOptions {
  readonly endpoints: Endpoints;
  readonly clock: Clock;
  readonly random: () => number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** Of an interval: how exactly it is kept, and how much it differs each time. */
const LOOKS_PER_INTERVAL = 10;
const LOOK_MS_MAX = 1000;
const JITTER = 0.1;

interface Rhythm {
  /** On the monotonic clock. */
  next: number;
  isAsked: boolean;
}

export class HealthProbes {
  readonly #options: HealthProbesOptions;
  readonly #rounds: Periodic;
  readonly #rhythms = new WeakMap<WorkerEndpoint, Rhythm>();
  readonly #asked = new Set<Promise<void>>();
  readonly #stopped = new AbortController();

  /** Begins at once. */
  constructor(options: HealthProbesOptions) {
    this.#options = options;
    const everyMs = Math.min(LOOK_MS_MAX, options.intervalMs / LOOKS_PER_INTERVAL);
    this.#rounds = startPeriodic(
      () => everyMs,
      async () => this.#round(),
    );
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
    this.#stopped.abort();
    await Promise.all(this.#asked);
  }

  #round(): void {
    const now = this.#options.clock.monotonic();
    for (const endpoint of this.#options.endpoints.all) {
      if (endpoint.worker.healthPath === undefined || endpoint.forwarder === undefined) continue;
      const rhythm = this.#rhythmOf(endpoint, now);
      if (rhythm.isAsked || now < rhythm.next) continue;
      rhythm.next = now + this.#options.intervalMs * (1 + JITTER * (2 * this.#options.random() - 1));
      const asked = this.#ask(endpoint, rhythm);
      this.#asked.add(asked);
      void asked.finally(() => this.#asked.delete(asked));
    }
  }

  #rhythmOf(endpoint: WorkerEndpoint, now: number): Rhythm {
    let rhythm = this.#rhythms.get(endpoint);
    if (rhythm === undefined) {
      rhythm = { next: now + this.#options.intervalMs * this.#options.random(), isAsked: false };
      this.#rhythms.set(endpoint, rhythm);
    }
    return rhythm;
  }

  async #ask(endpoint: WorkerEndpoint, rhythm: Rhythm): Promise<void> {
    rhythm.isAsked = true;
    const path = endpoint.worker.healthPath!;
    const { signal } = this.#stopped;
    const isWell = await saysWell(endpoint.forwarder!, path, this.#options.timeoutMs, signal);
    rhythm.isAsked = false;
    // An answer from another path than it has now says nothing.
    if (!signal.aborted && endpoint.worker.healthPath === path) endpoint.noteProbe(isWell);
  }
}
