import { describe, expect, test } from 'vitest';
import { DEFAULT_CONFIG, ID, INSTANT } from './documented.ts';
import { created, MINIMAL, openControl } from './harness.ts';

const NOBODY_TO_WAIT_FOR = { revision: expect.any(Number) as number, proxies: 0, applied: 0 };

describe('creating a deployment', () => {
  test('answers with the documented object, active at 0 %', async () => {
    const control = await openControl();
    const { status, body } = await control.call('POST', '/deployments', MINIMAL);
    expect(status).toBe(201);
    expect(body).toEqual({
      ...MINIMAL,
      id: ID,
      current_percent: 0,
      target_percent: 0,
      status: 'active',
      start_time: INSTANT,
      last_update: INSTANT,
      config: DEFAULT_CONFIG,
      created_by: 'ops',
      routing: NOBODY_TO_WAIT_FOR,
    });
    expect(body.last_update).toBe(body.start_time);
  });

  test('takes every documented parameter', async () => {
    const control = await openControl();
    const { status, body } = await control.call('POST', '/deployments', {
      ...MINIMAL,
      tenant_id: 'acme-corp',
      routing_strategy: 'hash_ring',
      sticky_routing: false,
      auto_promotion: true,
      max_duration: '1h30m',
      min_duration: '90s',
      drain_timeout: '1m',
      metrics_window: '2m',
      rollback_thresholds: { min_success_rate: 99.5 },
      fallback: 'none',
      auto_rollback: false,
      analysis: 'threshold',
      stages: [
        { percentage: 10, duration: '90s' },
        { percentage: 33.3, duration: '1h' },
      ],
      retry_on_stable: true,
      required_distinct_keys: 12,
      initial_percentage: 12.5,
      created_by: 'ops-team@acme.com',
      metadata: { ticket: 'OPS-1', nested: { list: [1, null, true] } },
      profile: 'conservative',
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      tenant_id: 'acme-corp',
      current_percent: 12.5,
      // Automatic promotion is on its way to all of it.
      target_percent: 100,
      created_by: 'ops-team@acme.com',
      metadata: { ticket: 'OPS-1', nested: { list: [1, null, true] } },
    });
    expect(body.config).toEqual({
      routing_strategy: 'hash_ring',
      sticky_routing: false,
      auto_promotion: true,
      max_canary_duration: '1h30m0s',
      min_canary_duration: '1m30s',
      drain_timeout: '1m0s',
      metrics_window: '2m0s',
      fallback: 'none',
      auto_rollback: false,
      analysis: 'threshold',
      stages: [
        { percentage: 10, duration: '1m30s' },
        { percentage: 33.3, duration: '1h0m0s' },
      ],
      retry_on_stable: true,
      required_distinct_keys: 12,
      rollback_thresholds: {
        max_error_rate_increase: 2,
        max_latency_increase: 20,
        max_throughput_decrease: 10,
        min_success_rate: 99.5,
        required_sample_size: 20,
      },
    });
  });

  test('with automatic promotion it starts at its first stage, on its way to 100 %', async () => {
    const control = await openControl();
    const { body } = await control.call('POST', '/deployments', { ...MINIMAL, profile: 'aggressive' });
    expect(body).toMatchObject({ current_percent: 5, target_percent: 100 });
    expect(body.config.stages).toEqual(
      [5, 25, 50, 75].map((percentage) => ({ percentage, duration: '30s' })),
    );
  });

  test('takes the durations under both of their names', async () => {
    const control = await openControl();
    const { body } = await control.call('POST', '/deployments', {
      ...MINIMAL,
      max_canary_duration: '3h',
      min_canary_duration: '10m',
      min_duration: '600s',
    });
    expect(body.config).toMatchObject({ max_canary_duration: '3h0m0s', min_canary_duration: '10m0s' });
  });

  test.each([
    ['aggressive', '30m0s', '2m0s', 70],
    ['conservative', '4h0m0s', '15m0s', 95],
  ])('takes what it leaves out from the profile %s', async (profile, max, min, successRate) => {
    const control = await openControl();
    const { body } = await control.call('POST', '/deployments', { ...MINIMAL, profile });
    expect(body.config).toMatchObject({
      max_canary_duration: max,
      min_canary_duration: min,
      drain_timeout: '5m0s',
      metrics_window: '5m0s',
      rollback_thresholds: { min_success_rate: successRate },
    });
  });

  test('follows the strategy that the configuration fixes for the queue', async () => {
    const control = await openControl({
      strategyOf: (queue) => (queue === MINIMAL.queue_name ? 'hash_ring' : undefined),
    });
    const { body } = await control.call('POST', '/deployments', MINIMAL);
    expect(body.config.routing_strategy).toBe('hash_ring');
    const route = await control.store.getRoute(MINIMAL.queue_name);
    expect(route?.strategy).toBe('hash_ring');
  });

  test('is refused while the queue has one that has not ended, per tenant', async () => {
    const control = await openControl();
    const first = await created(control);
    const second = await control.call('POST', '/deployments', MINIMAL);
    expect(second).toMatchObject({ status: 409, body: { code: 'DEPLOYMENT_EXISTS' } });
    expect(second.body.details.queue_name).toContain(first);

    await created(control, { tenant_id: 'acme' });
    await control.call('POST', `/deployments/${first}/rollback`);
    await created(control);
  });

  test('is refused above the limit of active deployments', async () => {
    const control = await openControl({ maxActiveDeployments: 1 });
    const first = await created(control);
    const refused = await control.call('POST', '/deployments', { ...MINIMAL, queue_name: 'other' });
    expect(refused).toMatchObject({ status: 429, body: { code: 'CONCURRENCY_LIMIT' } });
    await control.call('POST', `/deployments/${first}/promote`);
    await created(control, { queue_name: 'other' });
  });

  test('stores nothing when it is refused', async () => {
    const control = await openControl();
    await control.call('POST', '/deployments', { ...MINIMAL, sticky_routing: 'yes' });
    expect((await control.call('GET', '/deployments')).body).toEqual({ deployments: [], count: 0 });
    expect(await control.store.readHead()).toMatchObject({ revision: 0 });
  });
});

describe('after a promotion', () => {
  // A pipeline that still names the old stable version would send every job back to it.
  test('a deployment from the replaced version is refused while a worker of the promoted one is registered', async () => {
    const control = await openControl();
    const id = await created(control);
    await control.call('POST', '/workers', { id: 'w1', version: 'v1.3.0', queues: ['payment-processing'] });
    await control.call('POST', `/deployments/${id}/promote`);

    const again = { ...MINIMAL, canary_version: 'v1.4.0' };
    const refused = await control.call('POST', '/deployments', again);
    expect(refused).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
    expect(refused.body.details.stable_version).toMatch(/must be v1\.3\.0.*make v1\.2\.0 the canary_version/);

    await created(control, { stable_version: 'v1.3.0', canary_version: 'v1.2.0' });
  });

  test('a deployment from the replaced version is possible once no worker of the promoted one is left', async () => {
    const control = await openControl();
    const id = await created(control);
    await control.call('POST', '/workers', { id: 'w1', version: 'v1.3.0', queues: ['other-queue'] });
    await control.call('POST', `/deployments/${id}/promote`);
    const answer = await control.call('POST', '/deployments', { ...MINIMAL, canary_version: 'v1.4.0' });
    expect(answer.status).toBe(201);
  });

  test('a worker of the promoted version that is unreachable does not count', async () => {
    const control = await openControl();
    const id = await created(control);
    await control.call('POST', '/workers', { id: 'w1', version: 'v1.3.0', queues: ['payment-processing'] });
    await control.call('POST', `/deployments/${id}/promote`);
    await control.call('PUT', '/workers/w1/status', { status: 'unreachable' });
    const answer = await control.call('POST', '/deployments', { ...MINIMAL, canary_version: 'v1.4.0' });
    expect(answer.status).toBe(201);
  });

  test("a tenant's deployment starts from what its queue was promoted to", async () => {
    const control = await openControl();
    const id = await created(control);
    await control.call('POST', '/workers', { id: 'w1', version: 'v1.3.0', queues: ['payment-processing'] });
    await control.call('POST', `/deployments/${id}/promote`);
    const refused = await control.call('POST', '/deployments', {
      ...MINIMAL,
      tenant_id: 'acme',
      canary_version: 'v1.4.0',
    });
    expect(refused).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
  });
});
