import { afterAll, describe, expect, test } from 'vitest';
import { BAD, closeRedis, deploy, embedded, GOOD, openCourt, STORES, typesOf } from './court.ts';

/** What fails is taken back, with its reason in plain words and numbers. */

afterAll(closeRedis);

describe.each(STORES)('on the %s store', (_name, open) => {
  test('a canary that fails is taken back once that is proven, and its route with it', async () => {
    const court = await openCourt(open);
    const id = await deploy(court);
    await court.pass(10, { [id]: GOOD });
    expect((await court.deployment(id)).status).toBe('active');
    await court.pass(10, { [id]: BAD });

    expect(await court.deployment(id)).toMatchObject({ status: 'failed', currentPercent: 0 });
    const events = await court.events(id);
    expect(typesOf(events)).toEqual(['deployment_created', 'health_check_failed', 'deployment_rolled_back']);
    const [, failed, rolledBack] = events;
    expect(failed).toMatchObject({ actor: 'judge', data: { new_health: 'failing' } });
    const { reason } = rolledBack!.data as { reason: string };
    expect(reason).toMatch(
      /^Error rate increase: \d+\.\d% \(threshold: 5\.0%\): \d+ of \d+ jobs failed on the canary, 0 of \d+ jobs on stable$/,
    );
    expect(rolledBack).toMatchObject({
      actor: 'judge',
      message: `Deployment rolled back: ${reason}`,
      data: {
        automatic: true,
        cause: 'error_rate',
        old_percentage: 10,
        new_percentage: 0,
        evidence: { error_rate: expect.any(Number) as number },
      },
    });
    expect((rolledBack!.data as { evidence: { error_rate: number } }).evidence.error_rate).toBeGreaterThan(
      28,
    );
    const route = await court.store.getRoute('payment-processing');
    expect(route).toMatchObject({ stableVersion: 'v1.2.0', rejected: ['v1.3.0'] });
    expect(route?.split).toBeUndefined();
  });

  test('one that is three times slower is taken back', async () => {
    const court = await openCourt(open);
    const id = await deploy(court);
    await court.pass(20, { [id]: { ...GOOD, canary: { jobs: 10, ms: 70 } } });
    expect(await court.deployment(id)).toMatchObject({ status: 'failed' });
    expect((await court.events(id)).at(-1)).toMatchObject({
      message: expect.stringMatching(
        /^Deployment rolled back: P95 latency increase: \d+\.\d% \(threshold: 50\.0%\): p95 of \d+ ms over \d+ jobs on the canary, \d+ ms over \d+ jobs on stable$/,
      ) as string,
      data: { cause: 'latency' },
    });
  });

  test('with `auto_rollback: false` it is told of once and stays where it is', async () => {
    const court = await openCourt(open);
    const id = await deploy(court, { auto_rollback: false });
    await court.pass(15, { [id]: BAD });
    expect(await court.deployment(id)).toMatchObject({ status: 'active', currentPercent: 10, version: 1 });
    expect(typesOf(await court.events(id))).toEqual(['deployment_created', 'health_check_failed']);
  });
});

test('one that never answers is taken back', async () => {
  const court = await openCourt(embedded);
  const id = await deploy(court);
  await court.pass(10, { [id]: { ...GOOD, canary: { jobs: 10, hanging: 10 } } });
  expect((await court.events(id)).at(-1)).toMatchObject({
    message: expect.stringMatching(
      /^Deployment rolled back: Throughput decrease: 100\.0% \(threshold: 20\.0%\): 0 of \d+ jobs that should have ended have on the canary, \d+ of \d+ on stable$/,
    ) as string,
    data: { cause: 'throughput' },
  });
});

test('what recovers is told of, once its window is clean again', async () => {
  const court = await openCourt(embedded);
  const id = await deploy(court, { auto_rollback: false, metrics_window: '10s' });
  await court.pass(10, { [id]: BAD });
  await court.pass(60, { [id]: GOOD });
  const [, failed, recovered, ...others] = await court.events(id);
  expect(others).toEqual([]);
  expect(failed).toMatchObject({ type: 'health_check_failed', actor: 'judge' });
  expect(recovered).toMatchObject({
    type: 'health_check_recovered',
    message: expect.stringMatching(
      /^No longer failing: Error rate increase: [0-5]\.\d% \(threshold: 5\.0%\)$/,
    ) as string,
    data: { old_health: 'failing', new_health: 'healthy' },
  });
});

test('one that nobody has promoted within its maximum duration is taken back, whatever its health', async () => {
  const court = await openCourt(embedded);
  const good = await deploy(court, { queue_name: 'good', max_duration: '10s', min_duration: '1s' });
  const idle = await deploy(court, { queue_name: 'idle', max_duration: '10s', min_duration: '1s' });
  await court.pass(9, { [good]: GOOD });
  for (const id of [good, idle]) expect((await court.deployment(id)).status).toBe('active');
  await court.pass(1, { [good]: GOOD });
  for (const id of [good, idle]) {
    expect((await court.deployment(id)).status).toBe('failed');
    expect((await court.events(id)).at(-1)).toMatchObject({
      type: 'deployment_rolled_back',
      message: 'Deployment rolled back: Max duration: not promoted within 10s',
      data: { cause: 'max_duration', automatic: true },
    });
  }
});

test('with `analysis: threshold` a breach counts at once, with sequential analysis when it is proven', async () => {
  const court = await openCourt(embedded);
  const naive = await deploy(court, { queue_name: 'naive', analysis: 'threshold' });
  const sequential = await deploy(court, { queue_name: 'sequential' });
  // Two of twenty: a good canary with 3 % errors has that every eighth time.
  const unlucky = { stable: { jobs: 180, failed: 5 }, canary: { jobs: 20, failed: 2 } };
  await court.pass(1, { [naive]: unlucky, [sequential]: unlucky });
  expect((await court.deployment(naive)).status).toBe('failed');
  expect((await court.deployment(sequential)).status).toBe('active');
  const { body } = await court.control.call('GET', `/deployments/${sequential}/health`);
  expect(body.overall_status).toBe('warning');
});

test('a few customers are not enough where `required_distinct_keys` asks for more', async () => {
  const court = await openCourt(embedded);
  const id = await deploy(court, { required_distinct_keys: 20 });
  await court.pass(10, { [id]: { ...BAD, canary: { jobs: 10, failed: 10, keys: ['acme', 'initech'] } } });
  expect((await court.deployment(id)).status).toBe('active');
  const { body } = await court.control.call('GET', `/deployments/${id}/health`);
  expect(body).toMatchObject({
    overall_status: 'unknown',
    sample_size_check: {
      passing: false,
      message: 'Sample size: 100 (required: 20), about 2 distinct keys (required: 20)',
    },
  });
  const keys = Array.from({ length: 30 }, (_, i) => `customer-${i}`);
  await court.pass(1, { [id]: { ...BAD, canary: { jobs: 30, failed: 30, keys } } });
  expect((await court.deployment(id)).status).toBe('failed');
});

test('no traffic, only stable traffic and only canary traffic are nobody’s fault', async () => {
  const court = await openCourt(embedded);
  const none = await deploy(court, { queue_name: 'none' });
  const stable = await deploy(court, { queue_name: 'stable' });
  const canary = await deploy(court, { queue_name: 'canary' });
  await court.pass(30, { [stable]: { stable: { jobs: 90, failed: 9 } }, [canary]: { canary: { jobs: 10 } } });
  for (const id of [none, stable, canary]) {
    expect((await court.deployment(id)).status).toBe('active');
    const { body } = await court.control.call('GET', `/deployments/${id}/health`);
    expect(body.overall_status).toBe('unknown');
  }
});
