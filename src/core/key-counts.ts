/**
 * How many dispatches are under way by the hash of their key. Each dispatch adds one and removes it again, and a `Map`
 * would be rebuilt every few of those, since what is deleted from it keeps its place until then. Here a place is free
 * again at once: open addressing with linear probing, where a removal moves back what follows (Knuth, TAOCP 3, 6.4,
 * algorithm R). Nothing is allocated but when it grows.
 */
export class KeyCounts {
  #hashes = new Int32Array(PLACES_MIN);
  /** 0: the place is free. */
  #counts = new Int32Array(PLACES_MIN);
  #mask = PLACES_MIN - 1;
  #size = 0;

  /** Distinct hashes. */
  get size(): number {
    return this.#size;
  }

  /** @param hash 31 bits that are spread evenly */
  of(hash: number): number {
    return this.#counts[this.#placeOf(hash)]!;
  }

  has(hash: number): boolean {
    return this.of(hash) > 0;
  }

  add(hash: number): void {
    const place = this.#placeOf(hash);
    if (this.#counts[place]!++ > 0) return;
    this.#hashes[place] = hash;
    // Half full at most, so that a search is a step or two.
    if (++this.#size * 2 > this.#mask) this.#grow();
  }

  /** Of one that was added. */
  remove(hash: number): void {
    const place = this.#placeOf(hash);
    if (--this.#counts[place]! > 0) return;
    this.#size--;
    this.#closeGap(place);
  }

  /** Where the hash is, or would be. */
  #placeOf(hash: number): number {
    let place = hash & this.#mask;
    while (this.#counts[place]! > 0 && this.#hashes[place] !== hash) place = (place + 1) & this.#mask;
    return place;
  }

  #closeGap(gap: number): void {
    for (let place = (gap + 1) & this.#mask; this.#counts[place]! > 0; place = (place + 1) & this.#mask) {
      const home = this.#hashes[place]! & this.#mask;
      // What lies between its home and the gap, going round, would not be found across the gap.
      if (((place - home) & this.#mask) < ((place - gap) & this.#mask)) continue;
      this.#hashes[gap] = this.#hashes[place]!;
      this.#counts[gap] = this.#counts[place]!;
      this.#counts[place] = 0;
      gap = place;
    }
  }

  #grow(): void {
    const hashes = this.#hashes;
    const counts = this.#counts;
    this.#hashes = new Int32Array(2 * hashes.length);
    this.#counts = new Int32Array(2 * hashes.length);
    this.#mask = 2 * hashes.length - 1;
    for (const [i, count] of counts.entries()) {
      if (count === 0) continue;
      const place = this.#placeOf(hashes[i]!);
      this.#hashes[place] = hashes[i]!;
      this.#counts[place] = count;
    }
  }
}

const PLACES_MIN = 16;
