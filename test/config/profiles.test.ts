import { expect, test } from 'vitest';
import { DOCUMENTED_PROFILES, profileConfig } from '../../config/profiles.ts';

const MINUTE = 60_000;

test('a profile that leaves out the drain timeout and the metrics window has those of the default', () => {
  expect(DOCUMENTED_PROFILES.conservative).not.toHaveProperty('drainTimeoutMs');
  expect(profileConfig(DOCUMENTED_PROFILES.conservative)).toMatchObject({
    maxCanaryDurationMs: 240 * MINUTE,
    drainTimeoutMs: 5 * MINUTE,
    metricsWindowMs: 5 * MINUTE,
  });
});

test("an operator's default stands in for what their other profiles leave out", () => {
  const ours = { ...DOCUMENTED_PROFILES.default, drainTimeoutMs: MINUTE, metricsWindowMs: 2 * MINUTE };
  expect(profileConfig(DOCUMENTED_PROFILES.aggressive, ours)).toMatchObject({
    drainTimeoutMs: MINUTE,
    metricsWindowMs: 2 * MINUTE,
  });
});

test('every profile can be kept: its minimum duration is within its maximum', () => {
  for (const profile of Object.values(DOCUMENTED_PROFILES)) {
    const { minCanaryDurationMs, maxCanaryDurationMs } = profileConfig(profile);
    expect(minCanaryDurationMs).toBeLessThanOrEqual(maxCanaryDurationMs);
  }
});
