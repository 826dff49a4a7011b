import { describe, expect, test } from 'vitest';
import { record } from '../../src/core/histogram.ts';
import { createLanesTotals, type LanesTotals } from '../../src/core/lane-totals.ts';
import { OUTCOME_INDEX } from '../../src/core/outcome.ts';
import { openEmbeddedStore } from '../../src/runtime/store/sqlite/embedded-store.ts';
import { BUCKET_MS } from '../../src/runtime/store/telemetry-store.ts';
import { created, openControl, temporaryDirectory, type Json } from './harness.ts';

function ran(lane: 'stable' | 'canary', jobs: number, failed: number, ms: number): LanesTotals {
  const lanes = createLanesTotals();
  lanes[lane].routed = jobs;
  lanes[lane].outcomes[OUTCOME_INDEX.success] = jobs - failed;
  lanes[lane].outcomes[OUTCOME_INDEX.failure] = failed;
  for (let i = 0; i < jobs; i++) record(lanes[lane].latency, ms);
  return lanes;
}

/** A control plane whose clock is moved by hand, with a deployment that has just begun. */
async function begun(body: object = {}) {
  let now = 1_700_000_000_000;
  const clock = { now: () => now, monotonic: () => now };
  const store = openEmbeddedStore({ dataDir: await temporaryDirectory(), clock });
  const control = await openControl({ clock, store });
  const id = await created(control, body);
  const read = async (query = ''): Promise<Json> =>
    (await control.call('GET', `/deployments/${id}/metrics/history${query}`)).body;
  return { control, store, id, read, pass: (ms: number) => (now += ms), now: () => now };
}

describe('GET …/metrics/history', () => {
  test('cuts the window into steps of 5 s and leaves out the one that still fills', async () => {
    const { store, id, read, pass, now } = await begun();
    await store.recordTelemetry(id, 1, ran('stable', 50, 1, 100));
    pass(BUCKET_MS);
    await store.recordTelemetry(id, 1, ran('canary', 10, 5, 200));
    pass(2 * BUCKET_MS);
    await store.recordTelemetry(id, 1, ran('canary', 7, 7, 1));
    const { step, points } = await read();
    expect(step).toBe('5s');
    expect(points.map((point: Json) => [point.stable.job_count, point.canary.job_count])).toEqual([
      [50, 0],
      [0, 10],
      [0, 0],
    ]);
    expect(points[0].stable).toMatchObject({ jobs_per_second: 10, error_rate: 2 });
    expect(points[1].canary).toMatchObject({ jobs_per_second: 2, error_rate: 50 });
    expect(points[1].canary.p95_latency).toBeGreaterThan(190);
    expect(points[1].stable).toMatchObject({ jobs_per_second: 0, error_rate: null, p95_latency: null });
    expect(Date.parse(points[2].timestamp)).toBe(now());
  });

  test('the same step has the same end whenever it is asked for', async () => {
    const { store, id, read, pass } = await begun();
    await store.recordTelemetry(id, 1, ran('stable', 50, 0, 100));
    pass(9 * BUCKET_MS);
    const early = (await read('?window=5m&step=15s')).points;
    pass(2 * BUCKET_MS);
    const late = (await read('?window=5m&step=15s')).points;
    expect(early.length).toBeGreaterThan(1);
    expect(late.slice(0, early.length)).toEqual(early);
    expect(late.reduce((sum: number, point: Json) => sum + point.stable.job_count, 0)).toBe(50);
  });

  test('a long window has longer steps', async () => {
    const { read } = await begun({ metrics_window: '24h' });
    expect((await read()).step).toBe('12m0s');
    expect((await read('?window=5m')).step).toBe('5s');
  });

  test('of one that has ended it is the time up to its end', async () => {
    const { control, store, id, read, pass, now } = await begun();
    await store.recordTelemetry(id, 1, ran('stable', 50, 0, 100));
    pass(BUCKET_MS);
    await control.call('POST', `/deployments/${id}/rollback`);
    const endedAt = now();
    pass(100 * BUCKET_MS);
    const { points } = await read();
    expect(points[0].stable.job_count).toBe(50);
    expect(Date.parse(points.at(-1).timestamp) - endedAt).toBeLessThan(BUCKET_MS);
  });

  test.each([
    ['?step=7s', 'step'],
    ['?window=24h&step=5s', 'step'],
    ['?window=1s', 'window'],
    ['?window=25h', 'window'],
    ['?points=3', 'points'],
  ])('%s is refused, and the answer names the field', async (query, field) => {
    const { control, id } = await begun();
    const { status, body } = await control.call('GET', `/deployments/${id}/metrics/history${query}`);
    expect(status).toBe(400);
    expect(Object.keys(body.details)).toEqual([field]);
  });

  test("another tenant's is not there", async () => {
    const { control, id } = await begun();
    const { status } = await control.call('GET', `/deployments/${id}/metrics/history`, undefined, 'acme');
    expect(status).toBe(404);
  });
});
