import { describe, expect, test } from 'vitest';
import { DEFAULT_CONFIG, EVENT_ID, ID, INSTANT } from './documented.ts';
import { created, MINIMAL, openControl } from './harness.ts';

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

test('the events of a deployment tell its whole story, newest first', async () => {
  const control = await openControl();
  const id = await created(control);
  await control.call('PUT', `/deployments/${id}/percentage`, { percentage: 25 });
  await control.call('POST', `/deployments/${id}/pause`);
  await control.call('POST', `/deployments/${id}/resume`);
  await control.call('POST', `/deployments/${id}/rollback`, { reason: 'too slow' });
  const { status, body } = await control.call('GET', `/deployments/${id}/events`, undefined, 'viewer');
  expect(status).toBe(200);
  expect(body.count).toBe(6);
  const common = { id: EVENT_ID, deployment_id: id, timestamp: INSTANT, actor: 'ops' };
  expect(body.events).toEqual([
    {
      ...common,
      actor: 'drainer',
      type: 'lane_drained',
      message: 'Canary lane drained: 0 jobs moved to stable',
      data: {
        drained: 0,
        remaining: 0,
        drain_incomplete: false,
        old_status: 'rolling_back',
        new_status: 'failed',
      },
    },
    {
      ...common,
      type: 'deployment_rolled_back',
      message: 'Deployment rolled back: too slow',
      data: {
        reason: 'too slow',
        old_percentage: 25,
        new_percentage: 0,
        old_status: 'active',
        new_status: 'rolling_back',
      },
    },
    {
      ...common,
      type: 'deployment_resumed',
      message: 'Deployment resumed at 25%',
      data: { old_status: 'paused', new_status: 'active' },
    },
    {
      ...common,
      type: 'deployment_paused',
      message: 'Deployment paused at 25%',
      data: { old_status: 'active', new_status: 'paused' },
    },
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
