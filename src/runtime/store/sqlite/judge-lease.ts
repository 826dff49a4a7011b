import type { Clock } from '../../../core/clock.ts';
import { numberOf, type Database } from './database.ts';

/**
 * The lease stays in memory, since whoever may hold it ends when this process does. Its fence is in the file: what was
 * started under it before a restart must not pass for the work of the next holder.
 */
export interface JudgeLease {
  /** @returns the fence, undefined while somebody else has the lease */
  claim(holder: string, ttlMs: number): number | undefined;
  release(holder: string): void;
  isHeldWith(fence: number): boolean;
}

interface Held {
  readonly holder: string;
  readonly fence: number;
  /** By the monotonic clock. */
  readonly until: number;
}

export function createJudgeLease(db: Database, clock: Clock): JudgeLease {
  let lease: Held | undefined;
  const held = (): Held | undefined =>
    lease !== undefined && lease.until > clock.monotonic() ? lease : undefined;
  const nextFence = (): number =>
    db.transaction(() => {
      db.run("UPDATE meta SET value = value + 1 WHERE key = 'judge_fence'");
      return numberOf(db.get("SELECT value FROM meta WHERE key = 'judge_fence'"), 'value');
    });
  return {
    claim(holder, ttlMs) {
      const current = held();
      if (current !== undefined && current.holder !== holder) return undefined;
      lease = { holder, fence: current?.fence ?? nextFence(), until: clock.monotonic() + ttlMs };
      return lease.fence;
    },
    release(holder) {
      if (lease?.holder === holder) lease = undefined;
    },
    isHeldWith: (fence) => held()?.fence === fence,
  };
}
