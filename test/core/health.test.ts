import { describe, expect, test } from 'vitest';
import type { Deployment } from '../../src/core/deployment.ts';
import { evaluateHealth, type HealthReport } from '../../src/core/health.ts';
import { record } from '../../src/core/histogram.ts';
import { createLanesTotals, type LanesTotals } from '../../src/core/lane-totals.ts';
import { OUTCOME_INDEX, type Outcome } from '../../src/core/outcome.ts';
import { deploymentOf } from './fixtures.ts';

interface Ran {
  readonly jobs: number;
  readonly failed?: number;
  readonly ms?: number;
  /** Routed and not finished. */
  readonly stuck?: number;
}

function lanesOf(ran: Partial<Record<'stable' | 'canary', Ran>>): LanesTotals {
  const lanes = createLanesTotals();
  for (const lane of ['stable', 'canary'] as const) {
    const { jobs, failed = 0, ms = 100, stuck = 0 } = ran[lane] ?? { jobs: 0 };
    lanes[lane].routed = jobs + stuck;
    lanes[lane].outcomes[OUTCOME_INDEX.success] = jobs - failed;
    lanes[lane].outcomes[OUTCOME_INDEX.failure] = failed;
    for (let i = 0; i < jobs; i++) record(lanes[lane].latency, ms);
  }
  return lanes;
}

const MINUTE = 60_000;
const START = Date.UTC(2025, 8, 14, 12);

function evaluate(ran: Parameters<typeof lanesOf>[0], deployment: Partial<Deployment> = {}): HealthReport {
  return evaluateHealth(healthy(deployment), lanesOf(ran), START + 12.5 * MINUTE);
}

function healthy(over: Partial<Deployment>): Deployment {
  const base = deploymentOf({ startTime: START });
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

  test.each<[string, Ran, keyof HealthReport, RegExp]>([
    ['too many errors', { jobs: 200, failed: 20 }, 'errorRate', /^Success rate: 90\.0% \(minimum: 95\.0%\)$/],
    [
      'a slow tail',
      { jobs: 200, ms: 200 },
      'latency',
      /^P95 latency increase: \d+\.\d% \(threshold: 50\.0%\)$/,
    ],
    [
      'jobs that never end',
      { jobs: 150, stuck: 50 },
      'throughput',
      /^Throughput decrease: 25\.0% \(threshold: 20\.0%\)$/,
    ],
  ])('is failing with %s', (_, canary, check, message) => {
    const report = evaluate({ stable: { jobs: 1000 }, canary });
    expect(report.overallStatus).toBe('failing');
    expect(report[check]).toMatchObject({ passing: false, message: expect.stringMatching(message) });
  });

  test('is failing when the error rate rises over the threshold although the success rate is above its floor', () => {
    const base = healthy({});
    const lenient = {
      ...base.config,
      rollbackThresholds: { ...base.config.rollbackThresholds, minSuccessRate: 50 },
    };
    const report = evaluate(
      { stable: { jobs: 1000 }, canary: { jobs: 100, failed: 6 } },
      { config: lenient },
    );
    expect(report).toMatchObject({
      overallStatus: 'failing',
      errorRate: { passing: false, message: 'Error rate increase: 6.0% (threshold: 5.0%)' },
    });
  });

  test('is a warning while stable has too few jobs to compare with', () => {
    expect(evaluate({ stable: { jobs: 5 }, canary: { jobs: 50, failed: 25 } }).overallStatus).toBe('warning');
  });

  test('is unknown below the required sample, whatever those jobs did: no traffic is not a failure', () => {
    expect(evaluate({}).overallStatus).toBe('unknown');
    expect(evaluate({ stable: { jobs: 1000 }, canary: { jobs: 19, failed: 19 } })).toMatchObject({
      overallStatus: 'unknown',
      sampleSize: { passing: false, message: 'Sample size: 19 (required: 20)' },
    });
  });

  test('says that it does not know where there is no data', () => {
    expect(evaluate({ stable: { jobs: 10 } })).toMatchObject({
      errorRate: { passing: true, message: 'Error rate: no data (threshold: 5.0%)' },
      latency: { passing: true, message: 'P95 latency: no data (threshold: 50.0%)' },
      throughput: { passing: true, message: 'Throughput: no data (threshold: 20.0%)' },
    });
  });

  test('is told without a minus sign: the word says which way it went', () => {
    const report = evaluate({
      stable: { jobs: 100, failed: 4, stuck: 10 },
      canary: { jobs: 100, failed: 1, ms: 50 },
    });
    expect(report.errorRate.message).toBe('Error rate decrease: 3.0% (threshold: 5.0%)');
    expect(report.latency.message).toMatch(/^P95 latency decrease: /);
    expect(report.throughput.message).toBe('Throughput increase: 10.0% (threshold: 20.0%)');
    expect(JSON.stringify(report)).not.toContain('-');
  });

  test('a tenth of the traffic is no drop in throughput', () => {
    expect(evaluate({ stable: { jobs: 1000 }, canary: { jobs: 100 } }).throughput.passing).toBe(true);
  });

  test('that it has not run for long enough is no sign of ill health', () => {
    const report = evaluate(
      { stable: { jobs: 100 }, canary: { jobs: 100 } },
      { startTime: START + 10 * MINUTE },
    );
    expect(report).toMatchObject({
      overallStatus: 'healthy',
      duration: { passing: false, message: 'Duration: 2m30s (minimum: 5m0s)' },
    });
  });

  test('does not count what the client gave up, nor miss what the worker refused', () => {
    const count = (outcome: Outcome): HealthReport => {
      const lanes = lanesOf({ stable: { jobs: 100 }, canary: { jobs: 100 } });
      lanes.canary.outcomes[OUTCOME_INDEX[outcome]]! += 50;
      lanes.canary.routed += 50;
      return evaluateHealth(healthy({}), lanes, START + 12.5 * MINUTE);
    };
    expect(count('aborted').overallStatus).toBe('healthy');
    for (const outcome of ['failure', 'timeout', 'unreachable', 'rejected'] as const) {
      expect(count(outcome).overallStatus).toBe('failing');
    }
  });
});
