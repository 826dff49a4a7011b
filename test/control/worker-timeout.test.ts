import { describe, expect, onTestFinished, test } from 'vitest';
import { startWorkerTimeout } from '../../control/worker-timeout.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { openControl, type Control } from './harness.ts';
import { until } from '../helpers/patience.ts';

const TIMEOUT_MS = 200;

function watch(control: Control, workerTimeoutMs = TIMEOUT_MS): void {
  const timeout = startWorkerTimeout({
    store: control.store,
    clock: systemClock,
    log: createLog('silent'),
    workerTimeoutMs,
  });
  onTestFinished(() => timeout.stop());
}

async function statusOf(control: Control, id: string): Promise<string> {
  const { body } = await control.call('GET', '/workers');
  return body.workers.find((worker: { id: string }) => worker.id === id).status;
}

const JOBS = { version: 'v1', queues: ['jobs'] };

describe('a worker that is not seen', () => {
  test('is unreachable after the time-out, which is a routing change, until it says something', async () => {
    const control = await openControl();
    watch(control);
    await control.call('POST', '/workers', { id: 'w', ...JOBS });
    await control.call('PUT', '/workers/w/status', { status: 'degraded' });
    const { revision } = await control.store.readHead();
    await until(async () => (await statusOf(control, 'w')) === 'unreachable');
    expect((await control.store.readHead()).revision).toBe(revision + 1);
    expect((await control.store.readSnapshot()).workers[0]!.status).toBe('unreachable');

    await control.call('PUT', '/workers/w/status', { status: 'healthy' });
    expect(await statusOf(control, 'w')).toBe('healthy');
    expect((await control.store.getWorker('w'))!.statusBeforeSilence).toBeUndefined();
  });

  test('is what it was as soon as a proxy sees it', async () => {
    const control = await openControl();
    watch(control);
    await control.call('POST', '/workers', { id: 'w', ...JOBS });
    await control.call('PUT', '/workers/w/status', { status: 'degraded' });
    await until(async () => (await statusOf(control, 'w')) === 'unreachable');
    await control.store.noteActivity([
      { workerId: 'w', version: 'v1', processed: 0, succeeded: 0, failed: 0, totalMs: 0 },
    ]);
    await until(async () => (await statusOf(control, 'w')) === 'degraded');
  });

  // After an outage of all proxies nobody could have seen any worker; taking them all out at once would make it worse.
  test('is not blamed while no proxy lives that could have probed it', async () => {
    const control = await openControl();
    watch(control);
    await control.call('POST', '/workers', { id: 'probed', url: 'http://127.0.0.1:9', ...JOBS });
    await control.call('POST', '/workers', { id: 'silent', ...JOBS });
    await until(async () => (await statusOf(control, 'silent')) === 'unreachable');
    expect(await statusOf(control, 'probed')).toBe('healthy');

    await control.store.reportApplied({ proxyId: 'p', epoch: 'e', revision: 0 }, 60_000);
    await until(async () => (await statusOf(control, 'probed')) === 'unreachable');
  });
});

test('the figures that the proxies saw are part of the worker', async () => {
  const control = await openControl();
  await control.call('POST', '/workers', { id: 'w', ...JOBS });
  await control.store.noteActivity([
    { workerId: 'w', version: 'v1', processed: 4, succeeded: 3, failed: 1, totalMs: 100 },
  ]);
  const { body } = await control.call('GET', '/workers');
  expect(body.workers[0].metrics).toMatchObject({
    jobs_processed: 4,
    jobs_succeeded: 3,
    jobs_failed: 1,
    avg_processing_time: 25,
    last_job_at: expect.stringMatching(/Z$/),
  });
});
