import { describe, expect, test } from 'vitest';
import type { DeploymentHealth } from '../../../src/client/api-types.ts';
import { checkViews } from '../../../control/dashboard/model/checks.ts';

const timestamp = '2025-09-14T12:45:00Z';

function check(name: string, message: string, passing = true) {
  return { name, message, passing, timestamp };
}

const WEAK = { evidence: 0.4, required: 30, proven: false };

const HEALTH: DeploymentHealth = {
  overall_status: 'healthy',
  error_rate_check: check('Error Rate', 'Error rate increase: 0.5% (threshold: 5.0%)'),
  latency_check: check('P95 Latency', 'P95 latency increase: 8.2% (threshold: 50.0%)'),
  throughput_check: check('Throughput', 'Throughput decrease: 5.1% (threshold: 20.0%)'),
  sample_size_check: check('Sample Size', 'Sample size: 10 (required: 20)', false),
  duration_check: check('Duration', 'Duration: 1m15s (minimum: 5m0s)', false),
  last_evaluation: timestamp,
  evidence: {
    error_rate: WEAK,
    latency: WEAK,
    success_rate: { evidence: 10, required: 100, proven: false },
    throughput: WEAK,
    canary_jobs: 10,
    stable_jobs: 90,
  },
};

describe('the checks', () => {
  test('are five, each with what was found', () => {
    expect(checkViews(HEALTH).map(({ name, found, state }) => [name, found, state])).toEqual([
      ['Error rate increase', '0.5% (threshold: 5.0%)', 'passing'],
      ['P95 latency increase', '8.2% (threshold: 50.0%)', 'passing'],
      ['Throughput decrease', '5.1% (threshold: 20.0%)', 'passing'],
      ['Sample size', '10 (required: 20)', 'waiting'],
      ['Duration', '1m15s (minimum: 5m0s)', 'waiting'],
    ]);
  });

  test('show how much is there of what is required', () => {
    const [errors, latency, , sample, duration] = checkViews(HEALTH);
    // Of its two criteria the one that is nearer, on a scale of logarithms.
    expect(errors?.meter).toEqual({ fraction: 0.5, text: 'evidence 10× of 100×', isAgainst: true });
    expect(latency?.meter).toMatchObject({ fraction: 0, text: 'evidence 0.4× of 30×' });
    expect(sample?.meter).toEqual({ fraction: 0.5, text: '10 of 20 jobs', isAgainst: false });
    expect(duration?.meter).toEqual({ fraction: 0.25, text: '1m15s of 5m0s', isAgainst: false });
  });

  test('a breach may be chance until it is proven', () => {
    const latency_check = check('P95 Latency', 'P95 latency increase: 80.0% (threshold: 50.0%)', false);
    const state = (health: DeploymentHealth) => checkViews(health)[1]?.state;
    expect(state({ ...HEALTH, latency_check })).toBe('breached');
    const evidence = { ...HEALTH.evidence!, latency: { evidence: 200, required: 133, proven: true } };
    expect(state({ ...HEALTH, latency_check, evidence })).toBe('proven');
    expect(state({ ...HEALTH, latency_check, evidence: undefined, overall_status: 'failing' })).toBe(
      'proven',
    );
  });

  test('a message of another form is shown as it is', () => {
    const sample_size_check = check('Sample Size', 'nothing is known', false);
    const [, , , sample] = checkViews({ ...HEALTH, sample_size_check });
    expect(sample).toMatchObject({ name: 'Sample Size', found: 'nothing is known', meter: undefined });
  });
});
