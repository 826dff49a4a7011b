import type { ControlMember } from '../member.ts';
import type { Violations } from '../violations.ts';
import type { EventView } from './events.ts';

/**
 * No two judges act. Each term of a judge has a fence of its own, which the store demands of what it does: so a fence is
 * given to one instance only, what a judge did carries one that was given, and it never follows what a later term did.
 */

/** @param events of one deployment, oldest first */
export function checkTerms(events: readonly EventView[], terms: Terms, violations: Violations): void {
  let last = 0;
  for (const { type, actor, data } of events) {
    // A promotion comes in one step with the event of what triggered it, which tells more.
    if (actor !== 'judge' || type === 'deployment_promoted') continue;
    const fence = Number(data?.['fence']);
    if (!terms.knows(fence))
      violations.add('no two judges act', `${type} under ${fence}, which nobody was given`);
    if (fence < last) violations.add('no two judges act', `${type} under ${fence} after one under ${last}`);
    last = fence;
  }
}

/** What the instances logged, in all of their lives. */
export class Terms {
  readonly #holders = new Map<number, string>();
  readonly #logs: { readonly name: string; readonly text: () => string }[] = [];
  readonly #violations: Violations;

  constructor(violations: Violations) {
    this.#violations = violations;
  }

  /** A process of a control plane: at its start, and again after each restart. */
  follow({ name, process: { process } }: ControlMember): void {
    const life = `${name}, process ${process.pid}`;
    this.#logs.push({ name: life, text: () => process.stderr });
  }

  get count(): number {
    this.#read();
    return this.#holders.size;
  }

  knows(fence: number): boolean {
    this.#read();
    return this.#holders.has(fence);
  }

  #read(): void {
    for (const { name, text } of this.#logs) {
      for (const [, line] of text().matchAll(/^(\{.*"this instance judges".*\})$/gm)) {
        const { fence } = JSON.parse(line!) as { fence: number };
        const holder = this.#holders.get(fence) ?? name;
        if (holder !== name)
          this.#violations.add('no two judges act', `${fence} was given to ${holder} and ${name}`);
        this.#holders.set(fence, holder);
      }
    }
  }
}
