import { isFull, type Endpoint } from '../src/core/pool.ts';

/**
 * Dispatches for which all workers of their lane are full: first come, first served. Each place that becomes free is
 * taken, in the same step, by the one that has waited longest for that worker, so nobody overtakes. How long somebody waits is
 * bounded by its own time-out, and how many do by `max`: beyond that, a producer is better told at once.
 */
export interface Waiter {
  /** It has left the room, and there may be a place now. It may enter again. */
  wake(): void;
}

export class WaitingRoom {
  readonly max: number;
  /** In the order of their coming, as are the lines. */
  readonly #waiters = new Map<Waiter, readonly Endpoint[]>();
  readonly #lines = new Map<Endpoint, Set<Waiter>>();

  constructor(max: number) {
    this.max = max;
  }

  get size(): number {
    return this.#waiters.size;
  }

  has(waiter: Waiter): boolean {
    return this.#waiters.has(waiter);
  }

  waitingFor(endpoint: Endpoint): number {
    return this.#lines.get(endpoint)?.size ?? 0;
  }

  /**
   * @param workers any of them will do
   * @returns false if there is no room
   */
  enter(waiter: Waiter, workers: readonly Endpoint[]): boolean {
    if (this.#waiters.size >= this.max) return false;
    this.#waiters.set(waiter, workers);
    for (const worker of workers) {
      const line = this.#lines.get(worker);
      if (line === undefined) this.#lines.set(worker, new Set([waiter]));
      else line.add(waiter);
    }
    return true;
  }

  leave(waiter: Waiter): void {
    const workers = this.#waiters.get(waiter);
    if (workers === undefined) return;
    this.#waiters.delete(waiter);
    for (const worker of workers) {
      const line = this.#lines.get(worker);
      if (line?.delete(waiter) === true && line.size === 0) this.#lines.delete(worker);
    }
  }

  /** It may have places: a dispatch has left it, or it is back. */
  free(worker: Endpoint): void {
    if (this.#waiters.size === 0) return;
    const line = this.#lines.get(worker);
    if (line === undefined) return;
    // Who enters again meanwhile is not asked again.
    let left = line.size;
    for (const waiter of line) {
      if (left-- === 0 || isFull(worker)) return;
      this.leave(waiter);
      waiter.wake();
    }
  }

  /** Routes have changed: other workers, or more places. */
  wakeAll(): void {
    for (const waiter of Array.from(this.#waiters.keys())) {
      // Another one's waking may have ended it.
      if (!this.#waiters.has(waiter)) continue;
      this.leave(waiter);
      waiter.wake();
    }
  }
}
