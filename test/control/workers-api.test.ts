import { describe, expect, test } from 'vitest';
import { INSTANT } from './documented.ts';
import { openControl } from './harness.ts';

const WORKER = {
  id: 'worker-003-canary',
  version: 'v1.3.0',
  lane: 'canary',
  queues: ['payment-processing'],
  metadata: { hostname: 'worker-host-03', region: 'us-west-2', instance_type: 'm5.large' },
};

const NO_METRICS = {
  jobs_processed: 0,
  jobs_succeeded: 0,
  jobs_failed: 0,
  avg_processing_time: null,
  memory_usage_mb: null,
  cpu_usage_percent: null,
  last_job_at: null,
};

describe('registering a worker', () => {
  test('answers with the documented object', async () => {
    const control = await openControl();
    const { status, body } = await control.call('POST', '/workers', WORKER);
    expect(status).toBe(201);
    expect(body).toEqual({ ...WORKER, last_seen: INSTANT, status: 'healthy', metrics: NO_METRICS });
  });

  test('needs no more than an id, a version and queues', async () => {
    const control = await openControl();
    const { body } = await control.call('POST', '/workers', { id: 'w', version: 'v1', queues: ['q', 'q'] });
    expect(body).toMatchObject({ lane: 'stable', queues: ['q'], metadata: {} });
  });

  test('takes a url, a weight and a limit', async () => {
    const control = await openControl();
    const { body } = await control.call('POST', '/workers', {
      ...WORKER,
      url: 'HTTP://127.0.0.1:3000/base/',
      weight: 2.5,
      max_concurrency: 8,
    });
    expect(body).toMatchObject({ url: 'http://127.0.0.1:3000/base', weight: 2.5, max_concurrency: 8 });
    const { workers } = await control.store.readSnapshot();
    expect(workers).toMatchObject([{ url: 'http://127.0.0.1:3000/base', weight: 2.5, maxConcurrency: 8 }]);
  });

  test('takes a health path, and forgets it where the worker registers without one', async () => {
    const control = await openControl();
    const url = 'http://127.0.0.1:3000';
    const { body } = await control.call('POST', '/workers', {
      ...WORKER,
      url,
      health_path: '/health?deep=1',
    });
    expect(body).toMatchObject({ url, health_path: '/health?deep=1' });
    expect((await control.store.readSnapshot()).workers).toMatchObject([{ healthPath: '/health?deep=1' }]);
    expect((await control.call('POST', '/workers', { ...WORKER, url })).body).not.toHaveProperty(
      'health_path',
    );
  });

  test('again replaces it', async () => {
    const control = await openControl();
    await control.call('POST', '/workers', { ...WORKER, weight: 3 });
    await control.call('PUT', `/workers/${WORKER.id}/status`, { status: 'unhealthy' });
    const { status, body } = await control.call('POST', '/workers', { ...WORKER, queues: ['other'] });
    expect(status).toBe(200);
    expect(body).toMatchObject({ queues: ['other'], status: 'healthy' });
    expect(body).not.toHaveProperty('weight');
    expect((await control.call('GET', '/workers')).body.count).toBe(1);
  });

  test('again with the same version keeps its counts, with another starts afresh', async () => {
    const control = await openControl();
    await control.call('POST', '/workers', WORKER);
    await control.call('PUT', `/workers/${WORKER.id}/status`, {
      status: 'healthy',
      metrics: { jobs_processed: 5 },
    });
    const same = await control.call('POST', '/workers', WORKER);
    expect(same.body.metrics.jobs_processed).toBe(5);
    const other = await control.call('POST', '/workers', { ...WORKER, version: 'v1.4.0' });
    expect(other.body.metrics).toEqual(NO_METRICS);
  });

  test('by many at once ends with the one that came last', async () => {
    const control = await openControl();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => control.call('POST', '/workers', { ...WORKER, weight: i + 1 })),
    );
    expect(answers.filter((a) => a.status === 201)).toHaveLength(1);
    expect(answers.filter((a) => a.status === 200)).toHaveLength(19);
    expect((await control.store.getWorker(WORKER.id))?.recordVersion).toBe(20);
  });
});

describe('the status of a worker', () => {
  test.each(['healthy', 'degraded', 'unhealthy', 'unreachable'])('can be %s', async (status) => {
    const control = await openControl();
    await control.call('POST', '/workers', WORKER);
    const answer = await control.call('PUT', `/workers/${WORKER.id}/status`, { status }, 'worker');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ success: true, status, updated_at: INSTANT });
    const { body } = await control.call('GET', '/workers');
    expect(body.workers[0]).toMatchObject({ status, last_seen: answer.body.updated_at });
  });

  test('may bring figures, which replace only those given', async () => {
    const control = await openControl();
    await control.call('POST', '/workers', WORKER);
    const put = (metrics: object) =>
      control.call('PUT', `/workers/${WORKER.id}/status`, { status: 'healthy', metrics });
    await put({ jobs_processed: 10, memory_usage_mb: 128.4, last_job_at: '2025-09-14T14:44:15+02:00' });
    await put({ jobs_processed: 11, memory_usage_mb: null });
    const { body } = await control.call('GET', '/workers');
    expect(body.workers[0].metrics).toEqual({
      ...NO_METRICS,
      jobs_processed: 11,
      last_job_at: '2025-09-14T12:44:15Z',
    });
  });

  test('moves no route unless it changes', async () => {
    const control = await openControl();
    await control.call('POST', '/workers', WORKER);
    const { revision } = await control.store.readHead();
    await control.call('PUT', `/workers/${WORKER.id}/status`, { status: 'healthy' });
    expect((await control.store.readHead()).revision).toBe(revision);
    await control.call('PUT', `/workers/${WORKER.id}/status`, { status: 'degraded' });
    expect((await control.store.readHead()).revision).toBe(revision + 1);
  });
});

test.each(['a/b', 'a%b', 'a?b#c', 'x+y', '%2e%2e'])(
  'an id may hold what a URL must encode: %s',
  async (id) => {
    const control = await openControl();
    await control.call('POST', '/workers', { ...WORKER, id });
    const path = `/workers/${encodeURIComponent(id)}`;
    const put = await control.call('PUT', `${path}/status`, { status: 'degraded' });
    expect(put.body).toMatchObject({ success: true });
    expect((await control.call('DELETE', path)).status).toBe(204);
    expect((await control.call('GET', '/workers')).body.count).toBe(0);
  },
);

test.each([
  ['PUT', '/workers/ghost/status', { status: 'healthy' }],
  ['DELETE', '/workers/ghost', undefined],
])('%s %s is not found', async (method, path, body) => {
  const control = await openControl();
  const answer = await control.call(method, path, body);
  expect(answer).toMatchObject({ status: 404, body: { code: 'WORKER_NOT_FOUND' } });
});

test('workers can be listed by lane, queue, status and version, and in pages', async () => {
  const control = await openControl();
  await control.call('POST', '/workers', { id: 'a', version: 'v1', queues: ['q1', 'q2'] });
  await control.call('POST', '/workers', { id: 'b', version: 'v2', lane: 'canary', queues: ['q1'] });
  await control.call('POST', '/workers', { id: 'c', version: 'v2', queues: ['q2'] });
  await control.call('PUT', '/workers/c/status', { status: 'degraded' });
  const ids = async (query: string): Promise<string[]> => {
    const { body } = await control.call('GET', `/workers${query}`, undefined, 'viewer');
    expect(body.count).toBe(body.workers.length);
    return body.workers.map((w: { id: string }) => w.id);
  };
  expect(await ids('')).toEqual(['a', 'b', 'c']);
  expect(await ids('?lane=canary')).toEqual(['b']);
  expect(await ids('?lane=stable')).toEqual(['a', 'c']);
  expect(await ids('?queue=q2')).toEqual(['a', 'c']);
  expect(await ids('?status=degraded')).toEqual(['c']);
  expect(await ids('?version=v2&queue=q1')).toEqual(['b']);
  const { body } = await control.call('GET', '/workers?page=2&page_size=2');
  expect(body).toMatchObject({ data: [{ id: 'c' }], pagination: { total_items: 3, total_pages: 2 } });
});
