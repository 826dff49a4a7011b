import type { LanesTotals, LaneTotals } from '../lane-totals.ts';

/**
 * Of the jobs that are old enough to have ended, how many have. A job is old enough when it was routed longer ago than
 * stable's jobs need, so that one that is merely under way is never held against its lane, and a canary that gets few
 * jobs isn't slow for that.
 *
 * From counts alone: `due` jobs had been routed by then, `ended` jobs have ended by now, so at least `due - ended` of
 * the old ones have not. Younger jobs that have ended already hide as many; that errs on the canary's side.
 */
export interface Completion {
  readonly stable: LaneCompletion;
  readonly canary: LaneCompletion;
}

export interface LaneCompletion {
  /** Jobs that should have ended. */
  readonly due: number;
  /** At most so many of them have. */
  readonly done: number;
}

/** How many jobs each lane had been given at a time, milliseconds. */
export interface RoutedAt {
  readonly at: number;
  readonly stable: number;
  readonly canary: number;
}

/** Points kept of one patience: finer than that nobody asks. */
const RESOLUTION = 60;

/** The history with one more point, and without those that are too old to be asked for. */
export function extended(
  history: readonly RoutedAt[],
  point: RoutedAt,
  patienceMs: number | null,
): readonly RoutedAt[] {
  // Until patience is known, all that is known is that it may be long.
  const patience = patienceMs ?? Math.max(0, point.at - (history[0]?.at ?? point.at));
  const isClose = point.at - (history.at(-2)?.at ?? -Infinity) < patience / RESOLUTION;
  const next = [...(isClose ? history.slice(0, -1) : history), point];
  const needed = next.findLastIndex(({ at }) => at <= point.at - patience);
  return needed > 0 ? next.slice(needed) : next;
}

export function completionOf(
  history: readonly RoutedAt[],
  totals: LanesTotals,
  now: number,
  patienceMs: number | null,
): Completion {
  const then = patienceMs === null ? undefined : history.findLast(({ at }) => at <= now - patienceMs);
  const of = (due: number, lane: LaneTotals): LaneCompletion => {
    const ended = lane.outcomes.reduce((sum, count) => sum + count, 0);
    return { due, done: Math.min(due, ended) };
  };
  return { stable: of(then?.stable ?? 0, totals.stable), canary: of(then?.canary ?? 0, totals.canary) };
}
