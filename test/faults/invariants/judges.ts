import type { ControlMember } from '../member.ts';
import type { Violations } from '../violations.ts';
import type { EventView } from './events.ts';

/**
 * No two judges act. Each term of a judge has a fence of its own, which the store demands of what it does: so a fence is
 * given to one instance only, what a judge did carries one that was given, and it never follows what a later term did.
 */
export class Terms {
  readonly #violations: Violations;
  /** What judges did, by the fence that it carries. */
  readonly #deeds: { readonly fence: number; readonly type: string }[] = [];

  constructor(violations: Violations) {
    this.#violations = violations;
  }

  /** @param events of one deployment, oldest first */
  hear(events: readonly EventView[]): void {
    let last = 0;
    for (const { type, actor, data } of events) {
      // A promotion comes in one step with the event of what triggered it, which tells more.
      if (actor !== 'judge' || type === 'deployment_promoted') continue;
      const fence = Number(data?.['fence']);
      this.#deeds.push({ fence, type });
      if (fence < last)
        this.#violations.add('no two judges act', `${type} under ${fence} after one under ${last}`);
      last = fence;
    }
  }

  /**
   * At the end, when all that the instances logged has come, from all of their lives.
   * @returns how many terms there were
   */
  judge(controls: readonly ControlMember[]): number {
    const holders = new Map<number, string>();
    for (const { name, process: control } of controls) {
      for (const { pid, stderr } of control.lives) {
        const life = `${name}, process ${pid}`;
        for (const [, line] of stderr.matchAll(/^(\{.*"this instance judges".*\})$/gm)) {
          const { fence } = JSON.parse(line!) as { fence: number };
          const holder = holders.get(fence) ?? life;
          if (holder !== life)
            this.#violations.add('no two judges act', `${fence} was given to ${holder} and ${life}`);
          holders.set(fence, holder);
        }
      }
    }
    for (const { fence, type } of this.#deeds)
      if (!holders.has(fence))
        this.#violations.add('no two judges act', `${type} under ${fence}, which nobody was given`);
    return holders.size;
  }
}
