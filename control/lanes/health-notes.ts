import type { Deployment } from '../../src/core/deployment.ts';
import { formatDuration } from '../../src/core/duration.ts';
import { toInstant } from '../api/fields.ts';
import { jobs } from './lane-changes.ts';
import type { QueueReading } from './queue-reading.ts';

/**
 * What a deployment's health should say of its lanes. The checks are about jobs that were executed; a job that lies
 * where nobody takes it fails none of them.
 * @param reading undefined where there are no lanes, or no longer
 */
export function laneNotes(
  { stranded, config, canaryVersion }: Deployment,
  reading: QueueReading | undefined,
  strandedAfterMs: number,
): readonly string[] {
  const notes: string[] = [];
  const after = formatDuration(strandedAfterMs);
  if (stranded !== undefined) {
    const last = toInstant(stranded.lastAt);
    notes.push(`${jobs(stranded.moved)} that nobody took within ${after} went to stable, last at ${last}`);
  }
  if (reading?.kind === 'unusable') notes.push(`the lanes cannot be read: ${reading.problem}`);
  if (reading?.kind !== 'read') return notes;
  if (reading.intake?.kind === 'unusable')
    notes.push(`the intake cannot be read, so no job of it is routed: ${reading.intake.problem}`);
  const { waiting, inFlight, oldestAgeMs } = reading.depths.lanes.canary;
  if (waiting > 0 && inFlight === 0 && oldestAgeMs !== null && oldestAgeMs >= strandedAfterMs) {
    const seconds = Math.round(oldestAgeMs / 1000) * 1000;
    const what =
      config.fallback === 'none' ? 'fallback is none, so they stay' : 'they are due to go to stable';
    notes.push(
      `${jobs(waiting)} in the canary lane wait for a worker of ${canaryVersion}, the oldest for ` +
        `${formatDuration(seconds)}, and none is in work; ${what} unless somebody takes them`,
    );
  }
  return notes;
}
