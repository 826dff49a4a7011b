import type { Registry } from 'prom-client';
import { CHECK_NAMES } from '../../src/core/judge/judgement.ts';
import { computedGauge } from '../../src/runtime/metrics/computed.ts';
import type { Judge } from './judge.ts';

/** What the judge thinks. Only the instance that judges has it, so that no series comes twice. */
export function addJudgeMetrics(registry: Registry, judge: Judge): void {
  computedGauge(
    registry,
    'canary_health_check_passing',
    'Whether a check of an open deployment passes, 1 or 0; told by the instance that judges.',
    () =>
      [...judge.latest()].flatMap(([{ id }, { checks }]) =>
        CHECK_NAMES.map((check) => ({ labels: { deployment: id, check }, value: checks[check] ? 1 : 0 })),
      ),
  );
  computedGauge(
    registry,
    'canary_judge_leading',
    'Whether this instance judges, 1 or 0. The sum over the instances is 1.',
    () => [{ labels: {}, value: judge.isJudging() ? 1 : 0 }],
  );
  computedGauge(
    registry,
    'canary_judge_last_tick_timestamp_seconds',
    'When this instance last looked at all open deployments; absent where it never has.',
    () => {
      const at = judge.lastTickAt();
      return at === undefined ? [] : [{ labels: {}, value: at / 1000 }];
    },
  );
}
