import { describe, expect, test } from 'vitest';
import { record } from '../../src/core/histogram.ts';
import { createLanesTotals, type LanesTotals } from '../../src/core/lane-totals.ts';
import { LanewiseError } from '../../src/core/errors.ts';
import { OUTCOME_INDEX } from '../../src/core/outcome.ts';
import { openEmbeddedStore } from '../../src/runtime/store/sqlite/embedded-store.ts';
import { created, openControl, temporaryDirectory } from './harness.ts';

function ran(lane: 'stable' | 'canary', jobs: number, failed: number, ms: number): LanesTotals {
  const lanes = createLanesTotals();
  lanes[lane].routed = jobs;
  lanes[lane].outcomes[OUTCOME_INDEX.success] = jobs - failed;
  lanes[lane].outcomes[OUTCOME_INDEX.failure] = failed;
  for (let i = 0; i < jobs; i++) record(lanes[lane].latency, ms);
  return lanes;
}

describe('GET …/metrics', () => {
  test('adds up what all proxies recorded, per lane, and describes the workers of each', async () => {
    const control = await openControl();
    const id = await created(control);
    const worker = (name: string, version: string) =>
      control.call('POST', '/workers', { id: name, version, queues: ['payment-processing'] });
    await worker('s1', 'v1.2.0');
    await worker('s2', 'v1.2.0');
    await worker('c1', 'v1.3.0');
    await control.call('POST', '/workers', { id: 'elsewhere', version: 'v1.3.0', queues: ['other'] });
    const report = (name: string, memory: number, cpu: number) =>
      control.call('PUT', `/workers/${name}/status`, {
        status: 'healthy',
        metrics: { memory_usage_mb: memory, cpu_usage_percent: cpu },
      });
    await report('s1', 100, 40);
    await report('s2', 200, 50);
    await control.call('PUT', '/workers/c1/status', { status: 'unhealthy' });
    for (const lanes of [ran('stable', 60, 1, 100), ran('stable', 40, 0, 100), ran('canary', 10, 1, 50)]) {
      await control.store.recordTelemetry(id, 1, lanes);
    }

    const { status, body } = await control.call('GET', `/deployments/${id}/metrics`);
    expect(status).toBe(200);
    expect(body.stable).toMatchObject({
      job_count: 100,
      success_count: 99,
      error_count: 1,
      error_rate: 1,
      success_rate: 99,
      avg_latency: 100,
      max_latency: 100,
      avg_memory_mb: 150,
      peak_memory_mb: 200,
      avg_cpu_percent: 45,
      worker_count: 2,
      version: 'v1.2.0',
    });
    for (const percentile of ['p50_latency', 'p95_latency', 'p99_latency']) {
      expect(body.stable[percentile]).toBeGreaterThan(95);
      expect(body.stable[percentile]).toBeLessThan(105);
    }
    expect(body.canary).toMatchObject({ job_count: 10, error_rate: 10, worker_count: 0, version: 'v1.3.0' });
    expect(Date.parse(body.canary.window_end)).toBeGreaterThanOrEqual(Date.parse(body.canary.window_start));
  });

  test('says null where nothing is known, never 0', async () => {
    const control = await openControl();
    const id = await created(control, { routing_strategy: 'hash_ring' });
    const { body } = await control.call('GET', `/deployments/${id}/metrics`);
    expect(body.canary).toMatchObject({
      job_count: 0,
      error_rate: null,
      success_rate: null,
      avg_latency: null,
      p50_latency: null,
      p95_latency: null,
      p99_latency: null,
      max_latency: null,
      avg_memory_mb: null,
      peak_memory_mb: null,
      avg_cpu_percent: null,
      queue_depth: null,
      dead_letters: null,
    });
  });
});

describe('GET …/health', () => {
  test('names all five checks, each with its message', async () => {
    const control = await openControl();
    const id = await created(control, { min_duration: '0s' });
    expect((await control.call('GET', `/deployments/${id}/health`)).body.overall_status).toBe('unknown');

    await control.store.recordTelemetry(id, 1, ran('stable', 1000, 10, 100));
    await control.store.recordTelemetry(id, 1, ran('canary', 100, 1, 100));
    const { status, body } = await control.call('GET', `/deployments/${id}/health`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      overall_status: 'healthy',
      error_rate_check: { passing: true, message: 'Error rate increase: 0.0% (threshold: 5.0%)' },
      latency_check: { passing: true, message: 'P95 latency increase: 0.0% (threshold: 50.0%)' },
      throughput_check: { passing: true, message: 'Throughput: no data (threshold: 20.0%)' },
      sample_size_check: { passing: true, message: 'Sample size: 100 (required: 20)' },
      duration_check: { passing: true },
    });

    await control.store.recordTelemetry(id, 1, ran('canary', 100, 60, 100));
    expect((await control.call('GET', `/deployments/${id}/health`)).body).toMatchObject({
      // Breached, and no judge has said yet that it is proven.
      overall_status: 'warning',
      error_rate_check: { passing: false },
    });
  });
});

test('GET /deployments/{id} carries the metrics, the overall status and the routing', async () => {
  const control = await openControl();
  const id = await created(control);
  await control.store.recordTelemetry(id, 1, ran('stable', 30, 0, 10));
  await control.store.recordTelemetry(id, 1, ran('canary', 30, 0, 10));
  const [one, metrics] = [
    await control.call('GET', `/deployments/${id}`),
    await control.call('GET', `/deployments/${id}/metrics`),
  ];
  expect(one.body).toMatchObject({
    id,
    health: 'healthy',
    metrics: { canary: { job_count: 30, version: 'v1.3.0' }, stable: { job_count: 30 } },
    routing: { revision: 1 },
  });
  expect(Object.keys(one.body.metrics.canary)).toEqual(Object.keys(metrics.body.canary));
});

test('a deployment that has ended shows what its last window held, also long after', async () => {
  let now = Date.UTC(2026, 0);
  const clock = { now: () => now, monotonic: () => now };
  const store = openEmbeddedStore({ dataDir: await temporaryDirectory(), clock });
  const control = await openControl({ store, clock });
  const id = await created(control);
  await control.store.recordTelemetry(id, 1, ran('canary', 30, 0, 10));
  await control.call('POST', `/deployments/${id}/rollback`);
  now += 3_600_000;
  const { completed_at, metrics } = (await control.call('GET', `/deployments/${id}`)).body;
  expect(metrics.canary).toMatchObject({ job_count: 30, window_end: completed_at });
});

test.each(['health', 'metrics'])(
  'GET …/%s of an unknown deployment, or another tenant’s, is 404',
  async (what) => {
    const control = await openControl();
    const id = await created(control, { tenant_id: 'globex' });
    expect((await control.call('GET', `/deployments/nope/${what}`)).body.code).toBe('DEPLOYMENT_NOT_FOUND');
    expect((await control.call('GET', `/deployments/${id}/${what}`, undefined, 'acme')).status).toBe(404);
  },
);

test('telemetry that can’t be read is 503 STORE_UNAVAILABLE', async () => {
  const { store } = await openControl();
  const control = await openControl({
    store: { ...store, readTelemetry: () => Promise.reject(new LanewiseError('STORE_UNAVAILABLE', 'down')) },
  });
  const id = await created(control);
  expect(await control.call('GET', `/deployments/${id}/health`)).toMatchObject({
    status: 503,
    body: { code: 'STORE_UNAVAILABLE' },
  });
});
