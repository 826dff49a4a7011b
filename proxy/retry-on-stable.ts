import { decide, type CompiledRoute, type Placement } from '../src/core/decide.ts';
import type { KeyHash } from '../src/core/hash.ts';
import type { Outcome } from '../src/core/outcome.ts';
import type { WorkerEndpoint } from './endpoint.ts';
import type { Exchange } from './forwarder.ts';
import type { JobHeaders } from './job.ts';
import { judgeEnded } from './judged-jobs.ts';
import { StreamedBody, type RequestBody } from './request-body.ts';
import { countRetry, type DispatchTelemetry, type Series } from './telemetry.ts';

/**
 * Blame by retry: a job that failed on the canary is tried once on stable, which both helps the job and tells whose
 * fault it was. The rules, apart from the life of a dispatch that follows them:
 *
 * - Only `failure` and `timeout` are retried. A worker that says "not now" has not failed, and the producer was told
 *   when to come back; moving its jobs over would load stable with what the canary has no room for, and hide that.
 * - Only what can be sent again, which is a body that was read whole anyway. Holding streamed ones for a retry that
 *   one job in a hundred needs would cost every job its memory.
 * - A job that asked for its lane gets that lane's answer.
 * - The judge hears of the job as one of the canary, once. Stable's attempt is not counted for stable: only jobs that
 *   failed already come that way, and so hard a sample would make stable look worse, and the canary better, than it is.
 * - The canary's failure and its excuse are counted together, when the retry has ended. Counted as it happens, a
 *   failure would stand as evidence until stable has answered, and the two could end up on either side of a window.
 */

/** The attempt on the canary that a retry follows. */
export interface FailedAttempt {
  readonly route: CompiledRoute<WorkerEndpoint>;
  readonly series: Series;
  readonly outcome: Outcome;
  readonly latencyMs: number;
  /** The rest of its answer may still be on the way. */
  readonly exchange: Exchange;
}

/** Whether a job that fails in this place is worth another attempt, and can be sent again. */
export function isRetried(
  route: CompiledRoute<WorkerEndpoint>,
  { lane }: Placement<WorkerEndpoint>,
  job: JobHeaders,
  body: RequestBody,
): boolean {
  return (
    route.retriesOnStable && lane === 'canary' && job.lane === undefined && !(body instanceof StreamedBody)
  );
}

/**
 * Where the job goes next, chosen before the canary's answer is let go of.
 * @param route as it is now
 * @returns undefined if nobody is there: then the canary's answer stands. Nor is a worker of the canary's own version
 * anybody, which after a promotion in between is what stable consists of.
 */
export function placeRetry(
  route: CompiledRoute<WorkerEndpoint> | undefined,
  canaryVersion: string,
  key: KeyHash,
  random: () => number,
): Placement<WorkerEndpoint> | undefined {
  if (route?.strategy !== 'hash_ring') return undefined;
  const placement = decide(route, key, 'stable', random);
  return placement?.endpoint.worker.version === canaryVersion ? undefined : placement;
}

/**
 * The retry has ended, so it is known what the failure before it counts for.
 * @param stable where the retry went
 * @param outOfTime the dispatch's own time ran out
 */
export function settle(
  telemetry: DispatchTelemetry,
  failed: FailedAttempt,
  stable: Series,
  stableOutcome: Outcome,
  outOfTime: boolean,
): void {
  failed.exchange.abort();
  countRetry(telemetry.countsOf(stable.queue), stableOutcome);
  const excused =
    stable.version !== failed.series.version &&
    // The canary had spent its part of the dispatch's time, so stable was not given what is due to it.
    (stableOutcome === 'failure' || (stableOutcome === 'timeout' && !outOfTime));
  judgeEnded(telemetry, failed.route, failed.series.lane, failed.outcome, failed.latencyMs, { excused });
}
