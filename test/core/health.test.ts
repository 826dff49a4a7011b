import { describe, expect, test } from 'vitest';
import type { Deployment } from '../../src/core/deployment.ts';
import { countKey } from '../../src/core/distinct-keys.ts';
import { hashKey } from '../../src/core/hash.ts';
import { evaluateHealth, type HealthReport } from '../../src/core/health.ts';
import { record } from '../../src/core/histogram.ts';
import { openEvidence, type Evidence } from '../../src/core/judge/evidence.ts';
import { createLanesTotals, type LanesTotals } from '../../src/core/lane-totals.ts';
import { OUTCOME_INDEX, type Outcome } from '../../src/core/outcome.ts';
import { deploymentOf } from './fixtures.ts';

interface Ran {
  readonly jobs: number;
  readonly failed?: number;
  readonly ms?: number;
}

function lanesOf(ran: Partial<Record<'stable' | 'canary', Ran>>): LanesTotals {
  const lanes = createLanesTotals();
  for (const lane of ['stable', 'canary'] as const) {
    const { jobs, failed = 0, ms = 100 } = ran[lane] ?? { jobs: 0 };
    lanes[lane].routed = jobs;
    lanes[lane].outcomes[OUTCOME_INDEX.success] = jobs - failed;
    lanes[lane].outcomes[OUTCOME_INDEX.failure] = failed;
    for (let i = 0; i < jobs; i++) record(lanes[lane].latency, ms);
  }
  return lanes;
}

const MINUTE = 60_000;
const START = Date.UTC(2025, 8, 14, 12);

const ALPHA = 0.05;

/** What a judge may have gathered by then. */
interface Gathered {
  /** By how much each is proven; 1 is nothing at all. */
  readonly factor?: Partial<Record<'errorRate' | 'latency' | 'successRate' | 'throughput', number>>;
  readonly completion?: Evidence['completion'];
  readonly seen?: LanesTotals;
}

function evidenceOf({ factor = {}, completion, seen }: Gathered): Evidence {
  const opened = openEvidence(1, START);
  const twoSample = (by = 1) => ({ ...opened.errorRate, logWealth: [Math.log(by), -Infinity, -Infinity] });
  const oneSample = (by = 1) => ({ carried: 0, now: Math.log(by) });
  return {
    ...opened,
    errorRate: twoSample(factor.errorRate),
    latency: twoSample(factor.latency),
    successRate: oneSample(factor.successRate),
    throughput: oneSample(factor.throughput),
    ...(completion !== undefined && { completion }),
    ...(seen !== undefined && { seen }),
  };
}

const PROVEN = 1e6;
const ALL_PROVEN = { errorRate: PROVEN, latency: PROVEN, successRate: PROVEN, throughput: PROVEN };
const ALL_DONE = { stable: { due: 100, done: 100 }, canary: { due: 100, done: 100 } };

function evaluate(
  ran: Parameters<typeof lanesOf>[0],
  gathered: Gathered | undefined = { completion: ALL_DONE },
  deployment: Partial<Deployment> = {},
): HealthReport {
  const evidence = evidenceOf(gathered);
  return evaluateHealth(healthy(deployment), lanesOf(ran), evidence, ALPHA, START + 12.5 * MINUTE);
}

function healthy(over: Partial<Deployment>): Deployment {
  const base = deploymentOf({ startTime: START, activeFrom: START, currentPercent: 10 });
  return {
    ...base,
    config: {
      ...base.config,
      minCanaryDurationMs: 5 * MINUTE,
      rollbackThresholds: {
        maxErrorRateIncrease: 5,
        maxLatencyIncrease: 50,
        maxThroughputDecrease: 20,
        minSuccessRate: 95,
        requiredSampleSize: 20,
      },
    },
    ...over,
  };
}

describe('the health of a canary', () => {
  test('is healthy, in the documented words, while it stays within its thresholds', () => {
    const report = evaluate({
      stable: { jobs: 1000, failed: 10 },
      canary: { jobs: 200, failed: 3, ms: 110 },
    });
    expect(report).toMatchObject({
      overallStatus: 'healthy',
      errorRate: {
        name: 'Error Rate',
        passing: true,
        message: 'Error rate increase: 0.5% (threshold: 5.0%)',
      },
      latency: { name: 'P95 Latency', passing: true },
      throughput: {
        name: 'Throughput',
        passing: true,
        message: 'Throughput increase: 0.0% (threshold: 20.0%)',
      },
      sampleSize: { name: 'Sample Size', passing: true, message: 'Sample size: 200 (required: 20)' },
      duration: { name: 'Duration', passing: true, message: 'Duration: 12m30s (minimum: 5m0s)' },
    });
    expect(report.latency.message).toMatch(/^P95 latency increase: 1\d\.\d% \(threshold: 50\.0%\)$/);
  });

  type CheckField = 'errorRate' | 'latency' | 'throughput';

  test.each<[string, Ran, Evidence['completion'], CheckField, string, RegExp]>([
    [
      'too many errors',
      { jobs: 200, failed: 20 },
      ALL_DONE,
      'errorRate',
      'error_rate',
      /^Error rate increase: 10\.0% \(threshold: 5\.0%\)/,
    ],
    [
      'a slow tail',
      { jobs: 200, ms: 200 },
      ALL_DONE,
      'latency',
      'latency',
      /^P95 latency increase: \d+\.\d% \(threshold: 50\.0%\)/,
    ],
    [
      'jobs that never end',
      { jobs: 150 },
      { stable: { due: 100, done: 100 }, canary: { due: 200, done: 150 } },
      'throughput',
      'throughput',
      /^Throughput decrease: 25\.0% \(threshold: 20\.0%\)/,
    ],
  ])(
    'with %s is a warning until it is proven, then failing, with the reason in numbers',
    (_, canary, completion, field, criterion, message) => {
      const ran = { stable: { jobs: 1000 }, canary };
      const suspected = evaluate(ran, { completion });
      expect(suspected).toMatchObject({ overallStatus: 'warning', causes: [] });
      expect(suspected[field]).toMatchObject({ passing: false, message: expect.stringMatching(message) });
      const proven = evaluate(ran, { completion, factor: ALL_PROVEN });
      expect(proven.overallStatus).toBe('failing');
      expect(proven.causes[0]).toEqual({ criterion, message: expect.stringMatching(message) });
      expect(proven.causes[0]!.message).toMatch(/: .*\d.* on the canary, .*\d.* on stable$/);
    },
  );

  test('evidence of another criterion proves nothing', () => {
    const ran = { stable: { jobs: 1000 }, canary: { jobs: 200, ms: 200 } };
    expect(evaluate(ran, { completion: ALL_DONE, factor: { errorRate: PROVEN } }).overallStatus).toBe(
      'warning',
    );
  });

  test('evidence without a breach that still stands proves nothing', () => {
    const ran = { stable: { jobs: 1000 }, canary: { jobs: 200 } };
    expect(evaluate(ran, { completion: ALL_DONE, factor: ALL_PROVEN }).overallStatus).toBe('healthy');
  });

  test('with threshold analysis a breach is enough, once stable has the required sample', () => {
    const plain = { config: { ...healthy({}).config, analysis: 'threshold' as const } };
    const canary = { jobs: 50, failed: 25 };
    expect(evaluate({ stable: { jobs: 19 }, canary }, {}, plain).overallStatus).toBe('warning');
    expect(evaluate({ stable: { jobs: 20 }, canary }, {}, plain).overallStatus).toBe('failing');
  });

  test('is held to the floor of the success rate where stable fails just as often', () => {
    const report = evaluate(
      { stable: { jobs: 1000, failed: 100 }, canary: { jobs: 100, failed: 10 } },
      { factor: { successRate: PROVEN } },
    );
    expect(report).toMatchObject({
      overallStatus: 'failing',
      errorRate: { passing: false, message: 'Success rate: 90.0% (minimum: 95.0%)' },
      causes: [{ criterion: 'success_rate' }],
    });
  });

  test('is unknown below the required sample, whatever those jobs did: no traffic is not a failure', () => {
    expect(evaluate({}).overallStatus).toBe('unknown');
    const few = evaluate(
      { stable: { jobs: 1000 }, canary: { jobs: 19, failed: 19 } },
      { factor: ALL_PROVEN },
    );
    expect(few).toMatchObject({
      overallStatus: 'unknown',
      causes: [],
      sampleSize: { passing: false, message: 'Sample size: 19 (required: 20)' },
    });
  });

  test('is unknown while stable has no jobs to compare with, except at 100 %', () => {
    expect(evaluate({ canary: { jobs: 100 } }).overallStatus).toBe('unknown');
    expect(evaluate({ canary: { jobs: 100 } }, {}, { currentPercent: 100 }).overallStatus).toBe('healthy');
  });

  test('looks at all jobs of the percentage where the window holds too few', () => {
    const seen = lanesOf({ stable: { jobs: 200 }, canary: { jobs: 40, failed: 20 } });
    const window = { stable: { jobs: 10 }, canary: { jobs: 2 } };
    const report = evaluate(window, { seen, factor: ALL_PROVEN });
    expect(report).toMatchObject({
      overallStatus: 'failing',
      sampleSize: { passing: true, message: 'Sample size: 40 (required: 20)' },
    });
  });

  test('jobs that should have ended and have not are part of the sample', () => {
    const completion = { stable: { due: 100, done: 100 }, canary: { due: 25, done: 0 } };
    const report = evaluate({ stable: { jobs: 100 } }, { completion, factor: { throughput: PROVEN } });
    expect(report).toMatchObject({
      overallStatus: 'failing',
      sampleSize: { message: 'Sample size: 25 (required: 20)' },
      throughput: { message: 'Throughput decrease: 100.0% (threshold: 20.0%)' },
      causes: [{ criterion: 'throughput' }],
    });
  });

  test('waits for as many distinct keys as are required', () => {
    const config = { ...healthy({}).config, requiredKeys: 3 };
    const ran = { stable: { jobs: 100 }, canary: { jobs: 100 } };
    const withKeys = (keys: readonly string[]): Gathered => {
      const seen = lanesOf(ran);
      for (const key of keys) countKey(seen.canary.keys, hashKey(key));
      return { seen, completion: ALL_DONE };
    };
    expect(evaluate(ran, withKeys(['a', 'b', 'a', 'b']), { config })).toMatchObject({
      overallStatus: 'unknown',
      sampleSize: {
        passing: false,
        message: 'Sample size: 100 (required: 20), about 2 distinct keys (required: 3)',
      },
    });
    expect(evaluate(ran, withKeys(['a', 'b', 'c']), { config }).overallStatus).toBe('healthy');
  });

  test('says that it does not know where there is no data', () => {
    expect(evaluate({ stable: { jobs: 10 } }, {})).toMatchObject({
      errorRate: { passing: true, message: 'Error rate: no data (threshold: 5.0%)' },
      latency: { passing: true, message: 'P95 latency: no data (threshold: 50.0%)' },
      throughput: { passing: true, message: 'Throughput: no data (threshold: 20.0%)' },
    });
  });

  test('before the judge has looked, breaches are warnings', () => {
    const lanes = lanesOf({ stable: { jobs: 100 }, canary: { jobs: 100, failed: 50 } });
    const report = evaluateHealth(healthy({}), lanes, undefined, ALPHA, START + MINUTE);
    expect(report.overallStatus).toBe('warning');
  });

  test('is told without a minus sign: the word says which way it went', () => {
    const report = evaluate(
      { stable: { jobs: 100, failed: 4 }, canary: { jobs: 100, failed: 1, ms: 50 } },
      { completion: { stable: { due: 110, done: 100 }, canary: { due: 100, done: 100 } } },
    );
    expect(report.errorRate.message).toBe('Error rate decrease: 3.0% (threshold: 5.0%)');
    expect(report.latency.message).toMatch(/^P95 latency decrease: /);
    expect(report.throughput.message).toBe('Throughput increase: 10.0% (threshold: 20.0%)');
    expect(JSON.stringify(report)).not.toContain('-');
  });

  test('that it has not run for long enough is no sign of ill health, and a pause is no running', () => {
    const ran = { stable: { jobs: 100 }, canary: { jobs: 100 } };
    const report = evaluate(ran, undefined, { activeFrom: START + 10 * MINUTE });
    expect(report).toMatchObject({
      overallStatus: 'healthy',
      duration: { passing: false, message: 'Duration: 2m30s (minimum: 5m0s)' },
    });
    const paused = { activeFrom: START, pausedAt: START + MINUTE, status: 'paused' as const };
    expect(evaluate(ran, undefined, paused).duration.message).toBe('Duration: 1m0s (minimum: 5m0s)');
  });

  test('does not count what the client gave up, nor miss what the worker refused', () => {
    const count = (outcome: Outcome): HealthReport => {
      const lanes = lanesOf({ stable: { jobs: 100 }, canary: { jobs: 100 } });
      lanes.canary.outcomes[OUTCOME_INDEX[outcome]]! += 50;
      lanes.canary.routed += 50;
      return evaluateHealth(healthy({}), lanes, undefined, ALPHA, START + 12.5 * MINUTE);
    };
    expect(count('aborted').overallStatus).toBe('healthy');
    for (const outcome of ['failure', 'timeout', 'unreachable', 'rejected'] as const) {
      expect(count(outcome).overallStatus).toBe('warning');
    }
  });
});
