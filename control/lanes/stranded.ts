import type { Deployment } from '../../src/core/deployment.ts';
import type { LaneDepth } from '../../src/runtime/store/lane-store.ts';

/**
 * Which canary lanes hold jobs that will not be executed where they are. Pure.
 *
 * That a job has waited for long doesn't mean that nobody reads the lane: a backlog is old as well, and consumers that
 * read Redis themselves leave no trace of what they hold. So a lane counts as deserted only if, look after look, its
 * front stood still, it never got shorter, and nothing of it was in anybody's hands.
 */
export interface Stillness {
  /** Since when nothing was taken, as far as was seen. */
  readonly since: number;
  readonly waiting: number;
  /** When the job at the front was enqueued; null if it doesn't say. */
  readonly frontAt: number | null;
}

/** A front that moved by less may be the same job, seen through two clocks. */
const CLOCK_JITTER_MS = 1000;

/** @returns undefined if nothing waits */
export function watchLane(
  before: Stillness | undefined,
  lane: LaneDepth,
  now: number,
): Stillness | undefined {
  const { waiting, inFlight, oldestAgeMs } = lane;
  if (waiting === 0) return undefined;
  const frontAt = oldestAgeMs === null ? null : now - oldestAgeMs;
  const hasMoved =
    before === undefined ||
    inFlight > 0 ||
    waiting < before.waiting ||
    (frontAt !== null && before.frontAt !== null && frontAt > before.frontAt + CLOCK_JITTER_MS);
  return { since: hasMoved ? now : before.since, waiting, frontAt };
}

export type Sweep =
  | 'none'
  /** No deployment is open: a retry or a recovered job came back after the drain. */
  | 'late'
  /** Nobody reads the lane: to stable with them. */
  | 'stranded';

export interface SweptLane {
  readonly canary: LaneDepth;
  readonly stillness: Stillness | undefined;
  /** Deployments of the queue that are active or paused. */
  readonly open: readonly Pick<Deployment, 'config'>[];
  /** Somebody drains it already, and counts. */
  readonly isDraining: boolean;
  readonly strandedAfterMs: number;
}

export function sweepOf(lane: SweptLane, now: number): Sweep {
  const { canary, open, isDraining, strandedAfterMs } = lane;
  if (isDraining && open.length === 0) return 'none';
  if (open.length === 0) return canary.waiting + canary.delayed > 0 ? 'late' : 'none';
  // Of several tenants' jobs nobody can say whose they are, so the strictest of them decides for all.
  if (open.some(({ config }) => config.fallback === 'none')) return 'none';
  return isDeserted(lane, now, strandedAfterMs) ? 'stranded' : 'none';
}

function isDeserted({ canary, stillness }: SweptLane, now: number, afterMs: number): boolean {
  if (stillness === undefined || now - stillness.since < afterMs) return false;
  return canary.oldestAgeMs === null || canary.oldestAgeMs >= afterMs;
}
