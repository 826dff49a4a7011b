import { afterAll, describe, expect, test } from 'vitest';
import { BAD, closeRedis, deploy, embedded, GOOD, openCourt, STORES, typesOf, type Court } from './court.ts';

/** Promotion without a person, over both stores. */

afterAll(closeRedis);

const STAGED = { profile: 'aggressive', min_duration: '8s', initial_percentage: undefined };

async function percentage(court: Court, id: string): Promise<number> {
  return (await court.deployment(id)).currentPercent;
}

describe.each(STORES)('on the %s store', (_name, open) => {
  test('a canary that goes well passes its stages one by one and is promoted after the last', async () => {
    const court = await openCourt(open);
    const id = await deploy(court, STAGED);
    const seen: number[] = [];
    for (let second = 0; second < 8; second++) {
      seen.push(await percentage(court, id));
      await court.pass(1, { [id]: GOOD });
    }
    expect(seen).toEqual([5, 5, 25, 25, 50, 50, 75, 75]);
    // Three stages and the promotion, which is one write with both its events.
    expect(await court.deployment(id)).toMatchObject({
      status: 'completed',
      currentPercent: 100,
      targetPercent: 100,
      version: 5,
    });
    const events = await court.events(id);
    expect(typesOf(events)).toEqual([
      'deployment_created',
      'percentage_updated',
      'percentage_updated',
      'percentage_updated',
      'auto_promotion_triggered',
      'deployment_promoted',
    ]);
    const [, second, third, fourth, triggered, promoted] = events;
    for (const [i, [event, from, to]] of [
      [second!, 5, 25] as const,
      [third!, 25, 50] as const,
      [fourth!, 50, 75] as const,
    ].entries()) {
      expect(event).toMatchObject({
        actor: 'judge',
        message: `Traffic split updated to ${to}%`,
        data: {
          old_percentage: from,
          new_percentage: to,
          automatic: true,
          stage: i + 2,
          stages: 4,
          checks: { error_rate: 'Error rate increase: 0.0% (threshold: 20.0%)' },
          canary: { routed: 20, finished: 20, failed: 0 },
        },
      });
    }
    expect(triggered).toMatchObject({
      actor: 'judge',
      message: 'Automatic promotion: Sample size: 20 (required: 5), all checks pass',
      timestamp: promoted!.timestamp,
    });
    expect(promoted).toMatchObject({
      actor: 'judge',
      data: { automatic: true, old_percentage: 75, new_percentage: 100, new_status: 'completed' },
    });
    expect(await court.store.getRoute('payment-processing')).toMatchObject({ stableVersion: 'v1.3.0' });
  });

  test('no stage ends and nothing is promoted while the canary gets no jobs, or worse ones than stable', async () => {
    const court = await openCourt(open);
    const id = await deploy(court, STAGED);
    await court.pass(5, { [id]: { stable: { jobs: 95 } } });
    expect(await percentage(court, id)).toBe(5);
    // Two of five: more than the 20 points that are allowed, but five jobs prove nothing.
    await court.pass(1, { [id]: { stable: { jobs: 95 }, canary: { jobs: 5, failed: 2 } } });
    const health = await court.control.call('GET', `/deployments/${id}/health`);
    expect(health.body.overall_status).toBe('warning');
    await court.pass(3, { [id]: { stable: { jobs: 95 } } });
    expect(await percentage(court, id)).toBe(5);
    await court.pass(1, { [id]: GOOD });
    expect(await percentage(court, id)).toBe(25);
    expect(typesOf(await court.events(id))).toEqual(['deployment_created', 'percentage_updated']);
  });
});

test('nothing is promoted before its minimum duration, however well it goes', async () => {
  const court = await openCourt(embedded);
  const stages = [
    { percentage: 5, duration: '1s' },
    { percentage: 50, duration: '1s' },
  ];
  const id = await deploy(court, { ...STAGED, min_duration: '10s', stages });
  await court.pass(9, { [id]: GOOD });
  expect(await court.deployment(id)).toMatchObject({ status: 'active', currentPercent: 50 });
  await court.pass(1, { [id]: GOOD });
  expect((await court.deployment(id)).status).toBe('completed');
});

test('at 0 % it waits, however long, until somebody sets a percentage', async () => {
  const court = await openCourt(embedded);
  const id = await deploy(court, { ...STAGED, initial_percentage: 0 });
  await court.pass(30, { [id]: { stable: { jobs: 100 } } });
  expect(await percentage(court, id)).toBe(0);
  await court.control.call('PUT', `/deployments/${id}/percentage`, { percentage: 5 });
  await court.pass(2, { [id]: GOOD });
  expect(await percentage(court, id)).toBe(25);
});

test('from a percentage that somebody sets in the middle it goes on to the stage after it', async () => {
  const court = await openCourt(embedded);
  const id = await deploy(court, STAGED);
  await court.pass(1, { [id]: GOOD });
  await court.control.call('PUT', `/deployments/${id}/percentage`, { percentage: 40 });
  await court.pass(1, { [id]: GOOD });
  expect(await percentage(court, id)).toBe(40);
  await court.pass(1, { [id]: GOOD });
  expect(await percentage(court, id)).toBe(50);
  // Also back.
  await court.control.call('PUT', `/deployments/${id}/percentage`, { percentage: 5 });
  await court.pass(2, { [id]: GOOD });
  expect(await percentage(court, id)).toBe(25);
});

test('at 100 %, where stable has no jobs, it stands on its own', async () => {
  const court = await openCourt(embedded);
  const good = await deploy(court, { ...STAGED, queue_name: 'good' });
  const bad = await deploy(court, { ...STAGED, queue_name: 'bad' });
  for (const id of [good, bad]) {
    await court.control.call('PUT', `/deployments/${id}/percentage`, { percentage: 100 });
  }
  await court.pass(8, { [good]: { canary: { jobs: 50 } }, [bad]: { canary: { jobs: 50, failed: 40 } } });
  expect((await court.deployment(good)).status).toBe('completed');
  const [event] = (await court.events(bad)).slice(-1);
  expect(event).toMatchObject({
    type: 'deployment_rolled_back',
    message:
      'Deployment rolled back: Success rate: 20.0% (minimum: 70.0%): ' +
      '40 of 50 jobs failed on the canary, 0 of 0 jobs on stable',
  });
});

test('what nobody wanted promoted automatically is not', async () => {
  const court = await openCourt(embedded);
  const id = await deploy(court, { min_duration: '1s' });
  await court.pass(20, { [id]: GOOD });
  expect(await court.deployment(id)).toMatchObject({ status: 'active', currentPercent: 10, version: 1 });
});

test('a canary that fails at a later stage is taken back from there', async () => {
  const court = await openCourt(embedded);
  const id = await deploy(court, { ...STAGED, min_duration: '40s' });
  await court.pass(25, { [id]: GOOD });
  expect(await percentage(court, id)).toBe(50);
  await court.pass(8, { [id]: { ...BAD, canary: { jobs: 50, failed: 25 } } });
  const event = (await court.events(id)).at(-1);
  expect(event).toMatchObject({
    type: 'deployment_rolled_back',
    data: { old_percentage: 50, new_percentage: 0 },
  });
});
