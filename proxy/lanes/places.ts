import type { WorkerEndpoint } from '../endpoint.ts';
import type { WorkersView } from './placing.ts';

/**
 * Places on workers, and whose turn it is to fill them. Nobody takes a job from a lane before a place for it is kept
 * free, so a proxy never holds jobs that another could run. Lanes that find no place wait in line; each place that
 * becomes free goes to the one that has waited longest for that worker, so a lane with a million jobs gets no more of a
 * worker than one that has a job every now and then.
 *
 * Places that become free within one turn of the event loop are given out together, so that under load one call of the
 * store brings many jobs.
 */
export interface PlacesOptions {
  /** Jobs of lanes on a worker that doesn't say how many it takes. */
  readonly concurrency: number;
  readonly isOwn: (endpoint: WorkerEndpoint) => boolean;
  readonly monotonic: () => number;
  readonly random: () => number;
}

/** Places that are kept free. Once they are released, what begins in the same step is sure to find them. */
export interface Claim {
  readonly count: number;
  release(): void;
}

interface Occupation {
  /** Jobs of lanes under way. */
  running: number;
  /** Kept free by claims. */
  kept: number;
  /** Connections refused since the last that was not. */
  refusals: number;
  /** On the monotonic clock. */
  restsUntil: number;
}

interface Waiter {
  readonly workers: readonly WorkerEndpoint[];
  readonly max: number;
  readonly kept: WorkerEndpoint[];
  readonly resolve: () => void;
}

/** Of a worker that refuses connections: one that is being restarted should not be hammered, nor missed for long. */
const REST_MS_MIN = 250;
const REST_MS_MAX = 15_000;
/** Places that other dispatches give back are not announced here, so while somebody waits they are looked for. */
const LOOK_EVERY_MS = 50;

export class Places implements WorkersView<WorkerEndpoint> {
  readonly #options: PlacesOptions;
  readonly #occupations = new WeakMap<WorkerEndpoint, Occupation>();
  readonly #lines = new Map<WorkerEndpoint, Set<Waiter>>();
  readonly #freed = new Set<WorkerEndpoint>();
  readonly #rests = new Set<NodeJS.Timeout>();
  #serving: NodeJS.Immediate | undefined;
  #looking: NodeJS.Timeout | undefined;

  constructor(options: PlacesOptions) {
    this.#options = options;
  }

  readonly isOwn = (endpoint: WorkerEndpoint): boolean => this.#options.isOwn(endpoint);

  readonly isReachable = (endpoint: WorkerEndpoint): boolean =>
    this.#of(endpoint).restsUntil <= this.#options.monotonic();

  readonly hasRoom = (endpoint: WorkerEndpoint): boolean => this.#room(endpoint) > 0;

  /** Up to `max` places on any of the workers, at least one of them; none if `signal` is aborted before. */
  async claim(workers: readonly WorkerEndpoint[], max: number, signal: AbortSignal): Promise<Claim> {
    const kept: WorkerEndpoint[] = [];
    if (signal.aborted) return this.#claimOf(kept);
    for (const worker of workers) {
      // Who comes just now does not overtake those in line.
      while (kept.length < max && !this.#lines.has(worker) && this.hasRoom(worker)) this.#keep(worker, kept);
    }
    if (kept.length === 0) await this.#waitInLine(workers, max, kept, signal);
    return this.#claimOf(kept);
  }

  begin(endpoint: WorkerEndpoint): void {
    this.#of(endpoint).running++;
  }

  end(endpoint: WorkerEndpoint): void {
    this.#of(endpoint).running--;
    this.#free(endpoint);
  }

  /** It took a connection. */
  noteReached(endpoint: WorkerEndpoint): void {
    this.#of(endpoint).refusals = 0;
  }

  /** It refused one: it is left alone for a while, longer each time. */
  noteRefused(endpoint: WorkerEndpoint): void {
    const occupation = this.#of(endpoint);
    if (!this.isReachable(endpoint)) return;
    const ms = Math.min(REST_MS_MAX, REST_MS_MIN * 2 ** occupation.refusals);
    const restMs = ms * (0.5 + 0.5 * this.#options.random());
    occupation.refusals++;
    occupation.restsUntil = this.#options.monotonic() + restMs;
    const timer = setTimeout(() => {
      this.#rests.delete(timer);
      this.#free(endpoint);
    }, restMs + 1);
    this.#rests.add(timer);
  }

  /** Workers may have become usable, or take more jobs. */
  lookAgain(): void {
    for (const worker of this.#lines.keys()) this.#free(worker);
  }

  /** Once nobody claims any more. */
  close(): void {
    for (const timer of this.#rests) clearTimeout(timer);
    clearImmediate(this.#serving);
    clearTimeout(this.#looking);
  }

  #of(endpoint: WorkerEndpoint): Occupation {
    let occupation = this.#occupations.get(endpoint);
    if (occupation === undefined) {
      occupation = { running: 0, kept: 0, refusals: 0, restsUntil: -Infinity };
      this.#occupations.set(endpoint, occupation);
    }
    return occupation;
  }

  #room(endpoint: WorkerEndpoint): number {
    if (!endpoint.usable || !this.isReachable(endpoint)) return 0;
    const { running, kept } = this.#of(endpoint);
    const { maxConcurrency } = endpoint.worker;
    return maxConcurrency === undefined
      ? this.#options.concurrency - running - kept
      : maxConcurrency - endpoint.inFlight - kept;
  }

  #keep(worker: WorkerEndpoint, kept: WorkerEndpoint[]): void {
    this.#of(worker).kept++;
    kept.push(worker);
  }

  #claimOf(kept: WorkerEndpoint[]): Claim {
    return {
      count: kept.length,
      release: () => {
        for (const worker of kept.splice(0)) {
          this.#of(worker).kept--;
          this.#free(worker);
        }
      },
    };
  }

  async #waitInLine(
    workers: readonly WorkerEndpoint[],
    max: number,
    kept: WorkerEndpoint[],
    signal: AbortSignal,
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { workers, max, kept, resolve };
    for (const worker of workers) {
      const line = this.#lines.get(worker);
      if (line === undefined) this.#lines.set(worker, new Set([waiter]));
      else line.add(waiter);
    }
    this.#looking ??= setTimeout(() => this.#look(), LOOK_EVERY_MS);
    const leave = (): void => this.#leave(waiter);
    signal.addEventListener('abort', leave, { once: true });
    await promise;
    signal.removeEventListener('abort', leave);
  }

  #leave(waiter: Waiter): void {
    for (const worker of waiter.workers) {
      const line = this.#lines.get(worker);
      if (line?.delete(waiter) === true && line.size === 0) this.#lines.delete(worker);
    }
    waiter.resolve();
  }

  #free(worker: WorkerEndpoint): void {
    if (!this.#lines.has(worker)) return;
    this.#freed.add(worker);
    this.#serving ??= setImmediate(() => this.#serve());
  }

  #serve(): void {
    this.#serving = undefined;
    const served = new Set<Waiter>();
    for (const worker of this.#freed) {
      const line = this.#lines.get(worker);
      if (line === undefined) continue;
      while (this.hasRoom(worker)) {
        const [next] = line;
        if (next === undefined) break;
        // To the end of the line, unless it has all that it wants.
        line.delete(next);
        if (next.kept.length >= next.max) continue;
        line.add(next);
        this.#keep(worker, next.kept);
        served.add(next);
      }
      if (line.size === 0) this.#lines.delete(worker);
    }
    this.#freed.clear();
    for (const waiter of served) this.#leave(waiter);
  }

  #look(): void {
    this.#looking = undefined;
    this.lookAgain();
    if (this.#lines.size > 0) this.#looking = setTimeout(() => this.#look(), LOOK_EVERY_MS);
  }
}
