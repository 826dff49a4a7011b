import type { LaneCounts } from '../../src/runtime/store/lane-store.ts';

/**
 * When the drain of a canary lane is over. Pure.
 *
 * The tenants of a queue share its lanes, and a drain can't tell whose a job is. So while another deployment of the
 * queue is open, the lane is left as it is: consumers dispatch a job by its own tenant's route, which sends what was
 * taken back to stable and what is still on trial to the canary. The deployment that ends last empties the lane.
 */
export type DrainPass =
  /** Some jobs went to stable, and `left` remain. */
  | { readonly kind: 'moved'; readonly moved: number; readonly left: LaneCounts }
  /** Deployments with these ids split the queue as well. */
  | { readonly kind: 'kept'; readonly keptFor: readonly string[]; readonly left: LaneCounts }
  /** The lane can't be used: a key of the wrong type, say. */
  | { readonly kind: 'failed' };

export type DrainVerdict =
  { readonly kind: 'go_on' } | { readonly kind: 'finish'; readonly outcome: DrainOutcome };

export interface DrainOutcome {
  /** Jobs in the canary lane; null where nobody could say. */
  readonly remaining: number | null;
  /** Whether `drain_timeout` ended it. */
  readonly isIncomplete: boolean;
  /** Deployments for which the lane was left as it is. */
  readonly keptFor: readonly string[];
}

export function drainVerdict(pass: DrainPass, elapsedMs: number, timeoutMs: number): DrainVerdict {
  if (pass.kind === 'kept') {
    return finish({ remaining: jobsIn(pass.left), isIncomplete: false, keptFor: pass.keptFor });
  }
  const remaining = pass.kind === 'failed' ? null : jobsIn(pass.left);
  if (remaining === 0) return finish({ remaining, isIncomplete: false, keptFor: [] });
  if (elapsedMs < timeoutMs) return { kind: 'go_on' };
  return finish({ remaining, isIncomplete: true, keptFor: [] });
}

/** All that will have to be executed by somebody. */
export function jobsIn({ waiting, delayed, inFlight }: LaneCounts): number {
  return waiting + delayed + inFlight;
}

function finish(outcome: DrainOutcome): DrainVerdict {
  return { kind: 'finish', outcome };
}
