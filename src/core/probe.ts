/**
 * What a proxy makes of its own look at a worker's health: some answers in a row that say otherwise turn it, so that one
 * that was lost on the way does not; after HAProxy's `rise` and `fall`.
 *
 *     well ──`unhealthyAfter` failed in a row, and the lane can spare it──► failing
 *       ↑_______________________`healthyAfter` good ones in a row______________|
 *
 * Like an ejection (`outlier.ts`) this moves a lane's jobs among its own workers and never out of it.
 */
export interface ProbeState {
  readonly failing: boolean;
  /** Looks in a row that say otherwise than `failing`. */
  readonly contrary: number;
}

export interface ProbePolicy {
  /** Failed probes in a row. */
  readonly unhealthyAfter: number;
  /** Good ones in a row. */
  readonly healthyAfter: number;
}

export const NOT_FAILING: ProbeState = { failing: false, contrary: 0 };

/**
 * @param canSpare all lanes of the worker can do without it; asked only when it is due, and again with each failed probe
 *   after that
 * @returns the very same state where nothing changed, which for a worker that stays well is the rule
 */
export function afterProbe(
  state: ProbeState,
  isGood: boolean,
  { unhealthyAfter, healthyAfter }: ProbePolicy,
  canSpare: () => boolean,
): ProbeState {
  if (isGood === !state.failing) return state.contrary === 0 ? state : { ...state, contrary: 0 };
  const contrary = state.contrary + 1;
  const isDue = state.failing ? contrary >= healthyAfter : contrary >= unhealthyAfter && canSpare();
  return isDue ? { failing: !state.failing, contrary: 0 } : { ...state, contrary };
}
