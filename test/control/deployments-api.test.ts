import { describe, expect, test } from 'vitest';
import { created, MINIMAL, openControl } from './harness.ts';

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const ID = expect.stringMatching(new RegExp(`^canary_${UUID}$`)) as string;
const EVENT_ID = expect.stringMatching(new RegExp(`^event_${UUID}$`)) as string;
const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/) as string;
const NOBODY_TO_WAIT_FOR = { revision: expect.any(Number) as number, proxies: 0, applied: 0 };

const DEFAULT_CONFIG = {
  routing_strategy: 'split_queue',
  sticky_routing: true,
  auto_promotion: false,
  max_canary_duration: '2h0m0s',
  min_canary_duration: '5m0s',
  drain_timeout: '5m0s',
  metrics_window: '5m0s',
  rollback_thresholds: {
    max_error_rate_increase: 5,
    max_latency_increase: 50,
    max_throughput_decrease: 20,
    min_success_rate: 95,
    required_sample_size: 20,
  },
};

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
      initial_percentage: 12.5,
      created_by: 'ops-team@acme.com',
      metadata: { ticket: 'OPS-1', nested: { list: [1, null, true] } },
      profile: 'conservative',
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      tenant_id: 'acme-corp',
      current_percent: 12.5,
      target_percent: 12.5,
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
      rollback_thresholds: {
        max_error_rate_increase: 2,
        max_latency_increase: 20,
        max_throughput_decrease: 10,
        min_success_rate: 99.5,
        required_sample_size: 20,
      },
    });
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
    await created(control, { canary_version: 'v1.4.0' });
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

describe('reading deployments', () => {
  test('one is the object with its routing', async () => {
    const control = await openControl();
    const id = await created(control);
    const { status, body } = await control.call('GET', `/deployments/${id}`, undefined, 'viewer');
    expect(status).toBe(200);
    expect(body).toMatchObject({ ...MINIMAL, id, routing: { revision: 1, proxies: 0, applied: 0 } });
  });

  test('an id may be percent-encoded', async () => {
    const control = await openControl();
    const id = await created(control);
    const encoded = id.replaceAll('-', '%2D').replace('_', '%5f');
    expect((await control.call('GET', `/deployments/${encoded}`)).body.id).toBe(id);
  });

  test.each([
    'canary_123e4567-e89b-12d3-a456-426614174000',
    'nonsense',
    '%00',
    '%zz',
    '..%2f',
    'a'.repeat(5000),
  ])('an unknown or malformed id is not found: %.40s', async (id) => {
    const control = await openControl();
    const answer = await control.call('GET', `/deployments/${id}`);
    expect(answer).toMatchObject({ status: 404, body: { code: 'DEPLOYMENT_NOT_FOUND' } });
  });

  test('the list is complete, newest first, and can be filtered', async () => {
    const control = await openControl();
    const ids: string[] = [];
    for (const queue_name of ['a', 'b', 'c']) ids.unshift(await created(control, { queue_name }));
    const tenants = await created(control, { queue_name: 'a', tenant_id: 'acme' });
    await control.call('POST', `/deployments/${ids[1]}/rollback`);

    const idsOf = async (query: string): Promise<string[]> => {
      const { body } = await control.call('GET', `/deployments${query}`);
      expect(body.count).toBe(body.deployments.length);
      return body.deployments.map((d: { id: string }) => d.id);
    };
    expect(await idsOf('')).toEqual([tenants, ...ids]);
    expect(await idsOf('?status=failed')).toEqual([ids[1]]);
    expect(await idsOf('?queue_name=a')).toEqual([tenants, ids[2]]);
    expect(await idsOf('?queue_name=a&tenant_id=acme&status=active')).toEqual([tenants]);
    expect(await idsOf('?queue_name=nobody')).toEqual([]);
  });

  test('an item of the list is the documented object, without routing', async () => {
    const control = await openControl();
    await created(control);
    const { body } = await control.call('GET', '/deployments');
    expect(body.deployments[0]).toEqual({
      ...MINIMAL,
      id: ID,
      current_percent: 0,
      target_percent: 0,
      status: 'active',
      start_time: INSTANT,
      last_update: INSTANT,
      config: DEFAULT_CONFIG,
      created_by: 'root',
    });
  });

  test('the list comes in pages where a page is asked for', async () => {
    const control = await openControl();
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.unshift(await created(control, { queue_name: `q${i}` }));

    const second = await control.call('GET', '/deployments?page=2');
    expect(second.body.data.map((d: { id: string }) => d.id)).toEqual(ids.slice(10));
    expect(second.body.pagination).toEqual({
      page: 2,
      page_size: 10,
      total_pages: 2,
      total_items: 12,
      has_next: false,
      has_prev: true,
    });
    expect(Object.keys(second.body)).toEqual(['data', 'pagination']);

    const sized = await control.call('GET', '/deployments?page_size=5');
    expect(sized.body.pagination).toMatchObject({ page: 1, total_pages: 3, has_next: true, has_prev: false });
    const beyond = await control.call('GET', '/deployments?page=9');
    expect(beyond.body).toMatchObject({ data: [], pagination: { page: 9, has_next: false, has_prev: true } });
  });

  test.each([
    'page=0',
    'page=-1',
    'page=1.5',
    'page=x',
    'page=',
    'page_size=0',
    'page_size=101',
    'page=1&page=2',
  ])('a page that cannot be is refused: %s', async (query) => {
    const control = await openControl();
    const answer = await control.call('GET', `/deployments?${query}`);
    expect(answer).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
    expect(answer.body.details).toHaveProperty(query.split('=')[0]!);
  });
});

describe('moving a deployment', () => {
  test('a percentage is set, told and kept', async () => {
    const control = await openControl();
    const id = await created(control);
    const { status, body } = await control.call('PUT', `/deployments/${id}/percentage`, {
      percentage: 33.33,
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      percentage: 33.33,
      updated_at: INSTANT,
      routing: { revision: 2, proxies: 0, applied: 0 },
    });
    const now = await control.call('GET', `/deployments/${id}`);
    expect(now.body).toMatchObject({ current_percent: 33.33, target_percent: 33.33, status: 'active' });
    expect((await control.store.getRoute(MINIMAL.queue_name))?.split?.percentage).toBe(33.33);
  });

  test('a promotion completes it at 100 % and makes the canary version the stable one', async () => {
    const control = await openControl();
    const id = await created(control);
    const { status, body } = await control.call('POST', `/deployments/${id}/promote`);
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      message: 'Deployment promoted to 100%',
      timestamp: INSTANT,
      routing: NOBODY_TO_WAIT_FOR,
    });
    const now = await control.call('GET', `/deployments/${id}`);
    expect(now.body).toMatchObject({
      status: 'completed',
      current_percent: 100,
      target_percent: 100,
      completed_at: now.body.last_update,
    });
    expect(await control.store.getRoute(MINIMAL.queue_name)).toMatchObject({
      stableVersion: 'v1.3.0',
      superseded: ['v1.2.0'],
    });
  });

  test('a rollback fails it at 0 %, with its reason', async () => {
    const control = await openControl();
    const id = await created(control, { initial_percentage: 50 });
    const reason = 'High error rate detected in canary version';
    const { status, body } = await control.call('POST', `/deployments/${id}/rollback`, { reason });
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      message: `Deployment rolled back: ${reason}`,
      reason,
      timestamp: INSTANT,
      routing: NOBODY_TO_WAIT_FOR,
    });
    const now = await control.call('GET', `/deployments/${id}`);
    expect(now.body).toMatchObject({ status: 'failed', current_percent: 0, target_percent: 0 });
    expect(now.body.completed_at).toBe(now.body.last_update);
    const route = await control.store.getRoute(MINIMAL.queue_name);
    expect(route).toMatchObject({ stableVersion: 'v1.2.0', rejected: ['v1.3.0'] });
    expect(route).not.toHaveProperty('split');
  });

  test.each([
    ['no body', undefined],
    ['an empty object', {}],
    ['an empty reason', { reason: '' }],
    ['a blank reason', { reason: '  ' }],
  ])('a rollback with %s has a reason all the same', async (_name, body) => {
    const control = await openControl();
    const id = await created(control);
    const answer = await control.call('POST', `/deployments/${id}/rollback`, body);
    expect(answer.body).toMatchObject({
      reason: 'Manual rollback',
      message: 'Deployment rolled back: Manual rollback',
    });
  });

  test('a paused deployment keeps its percentage until it is resumed, and can be rolled back', async () => {
    const control = await openControl();
    const id = await created(control, { initial_percentage: 10 });
    const paused = await control.call('POST', `/deployments/${id}/pause`);
    expect(paused).toMatchObject({ status: 200, body: { id, status: 'paused', current_percent: 10 } });

    for (const [method, action, body] of [
      ['PUT', 'percentage', { percentage: 20 }],
      ['POST', 'promote', undefined],
      ['POST', 'pause', undefined],
    ] as const) {
      const refused = await control.call(method, `/deployments/${id}/${action}`, body);
      expect(refused).toMatchObject({ status: 400, body: { code: 'DEPLOYMENT_NOT_ACTIVE' } });
    }

    const resumed = await control.call('POST', `/deployments/${id}/resume`);
    expect(resumed.body).toMatchObject({ status: 'active', current_percent: 10 });
    await control.call('POST', `/deployments/${id}/pause`);
    expect((await control.call('POST', `/deployments/${id}/rollback`)).status).toBe(200);
  });

  test.each(['promote', 'rollback'])('nothing but delete is possible after %s', async (ending) => {
    const control = await openControl();
    const id = await created(control);
    await control.call('POST', `/deployments/${id}/${ending}`);
    for (const [method, action, body] of [
      ['PUT', 'percentage', { percentage: 20 }],
      ['POST', 'promote', undefined],
      ['POST', 'rollback', undefined],
      ['POST', 'pause', undefined],
      ['POST', 'resume', undefined],
    ] as const) {
      const refused = await control.call(method, `/deployments/${id}/${action}`, body);
      expect(refused).toMatchObject({ status: 400, body: { code: 'DEPLOYMENT_NOT_ACTIVE' } });
    }
    expect((await control.call('DELETE', `/deployments/${id}`)).status).toBe(204);
    for (const path of ['', '/events']) {
      const gone = await control.call('GET', `/deployments/${id}${path}`);
      expect(gone).toMatchObject({ status: 404, body: { code: 'DEPLOYMENT_NOT_FOUND' } });
    }
  });

  test.each([
    ['PUT', 'percentage', { percentage: 20 }],
    ['POST', 'promote', undefined],
    ['POST', 'rollback', undefined],
    ['POST', 'pause', undefined],
    ['POST', 'resume', undefined],
    ['GET', 'events', undefined],
  ])('%s %s of a deployment that is not there is not found', async (method, action, body) => {
    const control = await openControl();
    const answer = await control.call(
      method,
      `/deployments/canary_123e4567-e89b-12d3-a456-426614174000/${action}`,
      body,
    );
    expect(answer).toMatchObject({ status: 404, body: { code: 'DEPLOYMENT_NOT_FOUND' } });
  });

  test('one that has not ended cannot be deleted', async () => {
    const control = await openControl();
    const id = await created(control);
    const answer = await control.call('DELETE', `/deployments/${id}`);
    expect(answer).toMatchObject({ status: 409, body: { code: 'DEPLOYMENT_ACTIVE' } });
    await control.call('POST', `/deployments/${id}/pause`);
    expect((await control.call('DELETE', `/deployments/${id}`)).status).toBe(409);
  });
});

test('the events of a deployment tell its whole story, newest first', async () => {
  const control = await openControl();
  const id = await created(control);
  await control.call('PUT', `/deployments/${id}/percentage`, { percentage: 25 });
  await control.call('POST', `/deployments/${id}/pause`);
  await control.call('POST', `/deployments/${id}/resume`);
  await control.call('POST', `/deployments/${id}/rollback`, { reason: 'too slow' });
  const { status, body } = await control.call('GET', `/deployments/${id}/events`, undefined, 'viewer');
  expect(status).toBe(200);
  expect(body.count).toBe(5);
  const common = { id: EVENT_ID, deployment_id: id, timestamp: INSTANT, actor: 'ops' };
  expect(body.events).toEqual([
    {
      ...common,
      type: 'deployment_rolled_back',
      message: 'Deployment rolled back: too slow',
      data: { reason: 'too slow', old_percentage: 25 },
    },
    { ...common, type: 'deployment_resumed', message: 'Deployment resumed at 25%' },
    { ...common, type: 'deployment_paused', message: 'Deployment paused at 25%' },
    {
      ...common,
      type: 'percentage_updated',
      message: 'Traffic split updated to 25%',
      data: { old_percentage: 0, new_percentage: 25 },
    },
    {
      ...common,
      actor: 'root',
      type: 'deployment_created',
      message: 'Canary deployment created',
      data: { percentage: 0 },
    },
  ]);
  const page = await control.call('GET', `/deployments/${id}/events?page_size=2`);
  expect(page.body.data).toEqual(body.events.slice(0, 2));
});
