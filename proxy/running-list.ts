import type { Running } from './running.ts';

/**
 * What is under way. No `Map` or `Set`: with so much coming and going those copy themselves all the time, and each
 * former copy keeps alive what was in it, and the next copy, until a full garbage collection. That doubled the memory of
 * a busy proxy.
 */
export class RunningList {
  readonly #all: Running[] = [];
  #turns = 0;

  get size(): number {
    return this.#all.length;
  }

  add(running: Running): void {
    running.turn = this.#turns++;
    running.place = this.#all.push(running) - 1;
  }

  /** The last one takes its place. */
  delete(running: Running): void {
    const { place } = running;
    if (this.#all[place] !== running) return;
    const last = this.#all.pop()!;
    if (last === running) return;
    this.#all[place] = last;
    last.place = place;
  }

  /** A copy, of those that came last first. */
  newestFirst(): readonly Running[] {
    return this.#all.toSorted((a, b) => b.turn - a.turn);
  }
}
