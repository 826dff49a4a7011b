/**
 * When what was in trouble, by the clock of this process. A failure is excused only by trouble of the very part that it
 * was about, at a moment within the time that it took.
 */

/** `proxy-1`, `worker-3`, `control-0`, `redis`, and wires: `proxy-1~redis`, `worker-3~proxies`, `proxy-1~producers`. */
export type Part = string;

export interface Trouble {
  readonly kind: string;
  readonly parts: readonly Part[];
  readonly from: number;
  to: number;
}

export class Journal {
  readonly troubles: Trouble[] = [];

  /** @returns what ends it */
  begin(kind: string, parts: readonly Part[]): () => void {
    const trouble = { kind, parts, from: performance.now(), to: Infinity };
    this.troubles.push(trouble);
    return () => (trouble.to = performance.now());
  }

  /** Whether any of these was in trouble at any moment of that time. */
  was(parts: readonly Part[], from: number, to: number): boolean {
    return this.troubles.some(
      (trouble) =>
        trouble.from <= to && trouble.to >= from && trouble.parts.some((part) => parts.includes(part)),
    );
  }

  isQuiet(part: Part): boolean {
    return !this.was([part], performance.now(), performance.now());
  }

  /** Faults by kind. */
  counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { kind } of this.troubles) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return new Map([...counts].toSorted(([a], [b]) => a.localeCompare(b)));
  }
}
