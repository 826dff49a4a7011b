import type { Registry } from 'prom-client';
import { LANES } from '../../src/core/lane.ts';
import { computedCounter, computedGauge, type Sample } from '../../src/runtime/metrics/computed.ts';
import type { LaneSurvey } from './survey.ts';

/** What lies in the lanes. Only the instance that looks has it, so that no series comes twice. */
export function addLaneMetrics(registry: Registry, survey: LaneSurvey): void {
  computedGauge(
    registry,
    'canary_queue_depth',
    'Jobs of a queue lane that wait or are delayed until their next attempt.',
    () =>
      [...survey.latest()].flatMap(
        ([
          queue,
          {
            depths: { lanes },
          },
        ]) =>
          LANES.map((lane) => ({
            labels: { queue, lane },
            value: lanes[lane].waiting + lanes[lane].delayed,
          })),
      ),
  );
  computedGauge(
    registry,
    'canary_intake_depth',
    "Jobs of a queue's intake that are not routed into a lane yet; absent where the intake can't be read.",
    () =>
      [...survey.latest()].flatMap(([queue, { intake }]) =>
        intake?.kind === 'read' ? [{ labels: { queue }, value: intake.depth }] : [],
      ),
  );
  computedGauge(
    registry,
    'canary_queue_oldest_job_age_seconds',
    'Age of the job at the front of a queue lane, 0 if none waits; absent where the job does not say.',
    () =>
      [...survey.latest()].flatMap(
        ([
          queue,
          {
            depths: { lanes },
          },
        ]) =>
          LANES.flatMap((lane): readonly Sample[] => {
            const { waiting, oldestAgeMs } = lanes[lane];
            if (waiting > 0 && oldestAgeMs === null) return [];
            return [{ labels: { queue, lane }, value: waiting === 0 ? 0 : oldestAgeMs! / 1000 }];
          }),
      ),
  );
  computedGauge(registry, 'canary_dead_jobs', 'Dead jobs of a queue that wait for a decision.', () =>
    [...survey.latest()].map(([queue, { depths }]) => ({ labels: { queue }, value: depths.dead })),
  );
  const counter = (name: string, help: string, counts: ReadonlyMap<string, number>): void =>
    computedCounter(registry, name, help, () =>
      [...counts].map(([queue, value]) => ({ labels: { queue }, value })),
    );
  counter(
    'canary_dead_jobs_total',
    'Jobs that joined the dead of a queue, as this instance saw their number grow.',
    survey.counts.dead,
  );
  counter(
    'canary_jobs_stranded_total',
    'Canary jobs that nobody took and that this instance moved to stable.',
    survey.counts.stranded,
  );
  counter(
    'canary_jobs_swept_total',
    'Canary jobs that came back after their lane was drained and that this instance moved to stable.',
    survey.counts.late,
  );
}
