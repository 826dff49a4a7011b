/** What must not have happened, in plain words; the first of each kind are kept whole. */
const KEPT = 20;

export class Violations {
  readonly #found = new Map<string, string[]>();
  readonly #say: (line: string) => void;
  #count = 0;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  add(invariant: string, what: string): void {
    this.#count++;
    this.#say(`VIOLATED: ${invariant}: ${what}`);
    const kept = this.#found.get(invariant) ?? [];
    if (kept.length < KEPT) kept.push(what);
    this.#found.set(invariant, kept);
  }

  get count(): number {
    return this.#count;
  }

  get lines(): readonly string[] {
    return [...this.#found].flatMap(([invariant, all]) => all.map((what) => `${invariant}: ${what}`));
  }
}
