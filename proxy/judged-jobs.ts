import type { CompiledRoute } from '../src/core/decide.ts';
import { countKey } from '../src/core/distinct-keys.ts';
import type { KeyHash } from '../src/core/hash.ts';
import type { LaneTotals } from '../src/core/lane-totals.ts';
import type { Lane } from '../src/core/lane.ts';
import type { Outcome } from '../src/core/outcome.ts';
import type { WorkerEndpoint } from './endpoint.ts';
import { countOutcome, type DispatchTelemetry } from './telemetry.ts';

/**
 * What the judge hears of a job: that it was routed, and how it ended, each once and in the step of the deployment that
 * it was routed by. Nothing where no deployment is open.
 */

type Route = CompiledRoute<WorkerEndpoint> | undefined;

export function judgeRouted(telemetry: DispatchTelemetry, route: Route, lane: Lane, key: KeyHash): void {
  const totals = totalsOf(telemetry, route, lane);
  if (totals === undefined) return;
  totals.routed++;
  if (route!.countsKeys) countKey(totals.keys, key);
}

/** @param retry where the job was tried on stable after that; `excused`: the job is to blame, not the lane */
export function judgeEnded(
  telemetry: DispatchTelemetry,
  route: Route,
  lane: Lane,
  outcome: Outcome,
  latencyMs: number,
  retry?: { readonly excused: boolean },
): void {
  const totals = totalsOf(telemetry, route, lane);
  if (totals === undefined) return;
  countOutcome(totals, outcome, latencyMs);
  if (retry === undefined) return;
  totals.retried++;
  if (retry.excused) totals.excused++;
}

function totalsOf(telemetry: DispatchTelemetry, route: Route, lane: Lane): LaneTotals | undefined {
  if (route?.deploymentId === undefined) return undefined;
  return telemetry.recentOf(route.deploymentId, route.step)[lane];
}
