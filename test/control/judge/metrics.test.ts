import { expect, test } from 'vitest';
import { BAD, deploy, embedded, GOOD, openCourt } from './court.ts';

/** What the judge shows of itself. */

test('the metrics tell who judges, when it last looked, what it makes of each check, and why it took back', async () => {
  const court = await openCourt(embedded);
  const bystander = court.another();
  const id = await deploy(court, { min_duration: '5s' });
  expect(await court.metric('canary_judge_leading')).toEqual(['canary_judge_leading 0']);
  expect(await court.metric('canary_judge_last_tick_timestamp_seconds')).toEqual([]);
  expect(await court.metric('canary_health_check_passing')).toEqual([]);

  await court.pass(3, { [id]: GOOD });
  await bystander.lease.claim();
  expect(bystander.judge.isJudging()).toBe(false);
  expect(await court.metric('canary_judge_leading')).toEqual(['canary_judge_leading 1']);
  expect(await court.metric('canary_judge_last_tick_timestamp_seconds')).toEqual([
    `canary_judge_last_tick_timestamp_seconds ${court.clock.now() / 1000}`,
  ]);
  const passing = (check: string, value: number) =>
    `canary_health_check_passing{deployment="${id}",check="${check}"} ${value}`;
  expect(await court.metric('canary_health_check_passing')).toEqual([
    passing('error_rate', 1),
    passing('latency', 1),
    passing('throughput', 1),
    passing('sample_size', 1),
    passing('duration', 0),
  ]);

  await court.pass(1, { [id]: { ...GOOD, canary: { jobs: 100, failed: 60 } } });
  expect(await court.metric('canary_health_check_passing')).toContain(passing('error_rate', 0));
  await court.pass(15, { [id]: BAD });
  expect((await court.deployment(id)).status).toBe('failed');
  expect(await court.metric('canary_rollbacks_total')).toEqual([
    'canary_rollbacks_total{queue="payment-processing",reason="error_rate"} 1',
  ]);
  await court.pass(1);
  expect(await court.metric('canary_health_check_passing')).toEqual([]);

  court.clock.pass(10_000);
  expect(await court.metric('canary_judge_leading')).toEqual(['canary_judge_leading 0']);
});

test('a promotion is counted, and a rollback by its cause or as somebody’s own', async () => {
  const court = await openCourt(embedded);
  const promoted = await deploy(court, {
    queue_name: 'promoted',
    profile: 'aggressive',
    min_duration: '4s',
    initial_percentage: undefined,
  });
  const expired = await deploy(court, { queue_name: 'expired', min_duration: '1s', max_duration: '2s' });
  const manual = await deploy(court, { queue_name: 'manual' });
  await court.pass(4, { [promoted]: GOOD, [expired]: GOOD });
  await court.control.call('POST', `/deployments/${manual}/rollback`, { reason: 'max_duration' });
  expect(await court.metric('canary_promotions_total')).toEqual([
    'canary_promotions_total{queue="promoted"} 1',
  ]);
  expect((await court.metric('canary_rollbacks_total')).toSorted()).toEqual([
    'canary_rollbacks_total{queue="expired",reason="max_duration"} 1',
    'canary_rollbacks_total{queue="manual",reason="manual"} 1',
  ]);
});

test('the health carries the evidence, by criterion, with what it is held against', async () => {
  const court = await openCourt(embedded);
  const id = await deploy(court, { auto_rollback: false });
  const health = async () => (await court.control.call('GET', `/deployments/${id}/health`)).body;
  expect(await health()).not.toHaveProperty('evidence');
  await court.pass(5, { [id]: GOOD });
  expect((await health()).evidence).toMatchObject({
    error_rate: { evidence: 1, required: 28.6, proven: false },
    latency: { required: 133, proven: false },
    success_rate: { required: 200, proven: false },
    throughput: { required: 400, proven: false },
    canary_jobs: 50,
    stable_jobs: 450,
  });
  await court.pass(15, { [id]: BAD });
  const after = await health();
  expect(after.overall_status).toBe('failing');
  expect(after.evidence.error_rate.proven).toBe(true);
  expect(after.evidence.error_rate.evidence).toBeGreaterThan(28.6);
  // Another percentage is another mix of jobs: its numbers begin anew, its evidence does not.
  await court.control.call('PUT', `/deployments/${id}/percentage`, { percentage: 20 });
  expect(await health()).not.toHaveProperty('evidence');
  await court.pass(1, { [id]: GOOD });
  expect((await health()).evidence).toMatchObject({ canary_jobs: 10, error_rate: { proven: true } });
});

test('the last health of one that was taken back stays readable', async () => {
  const court = await openCourt(embedded);
  const id = await deploy(court);
  await court.pass(20, { [id]: BAD });
  court.clock.pass(3_600_000);
  const { body } = await court.control.call('GET', `/deployments/${id}/health`);
  expect(body).toMatchObject({
    overall_status: 'failing',
    error_rate_check: { passing: false },
    evidence: { error_rate: { proven: true } },
  });
});
