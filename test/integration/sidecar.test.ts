import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { QUEUE } from '../helpers/api.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { LanewiseProcess, temporaryDirectory } from '../helpers/process.ts';
import { Fleet } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

/** `lanewise proxy --worker`: a worker without a line of code of ours, registered by the proxy beside it. */

let fleet: Fleet;
let worker: TestWorker;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  fleet = stack.use(await Fleet.start(1, { LANEWISE_WORKER_TIMEOUT: '2s' }));
  worker = stack.use(await TestWorker.start('v1.3.0'));
});
afterAll(() => stack.disposeAsync());

async function startSidecar(): Promise<LanewiseProcess> {
  const sidecar = LanewiseProcess.start(
    [
      'proxy',
      '--worker',
      worker.url,
      '--version',
      'v1.3.0',
      '--queues',
      `${QUEUE},other`,
      '--worker-id',
      'own',
      '--health-path',
      '/healthz',
    ],
    {
      REDIS_URL: fleet.redis.url,
      LANEWISE_DATA_DIR: await temporaryDirectory(stack),
      LANEWISE_WORKER_TIMEOUT: '2s',
    },
  );
  stack.use(sidecar);
  await sidecar.printed(/proxy on (http:\S+)/);
  return sidecar;
}

interface Listed {
  readonly workers: readonly { readonly id: string }[];
}

async function listed(): Promise<Listed['workers']> {
  return (await fleet.api.done('GET', '/workers')).workers as Listed['workers'];
}

test('the worker is registered, gets jobs, is registered again when that is lost, and goes with its sidecar', async () => {
  const sidecar = await startSidecar();
  await vi.waitUntil(async () => (await listed()).length === 1, PATIENCE);
  expect((await listed())[0]).toMatchObject({
    id: 'own',
    version: 'v1.3.0',
    lane: 'stable',
    queues: [QUEUE, 'other'],
    url: worker.url,
    health_path: '/healthz',
    status: 'healthy',
  });
  // A queue without a deployment or a configured strategy is not dispatched; with one, the worker has the jobs.
  await fleet.api.createDeployment('v1.3.0', 'v1.4.0');
  await vi.waitUntil(async () => (await fleet.proxies[0]!.send()).status === 200, PATIENCE);
  expect(worker.jobs.some(({ method }) => method === 'POST')).toBe(true);
  // And is asked how it is.
  await vi.waitUntil(
    () => worker.jobs.some(({ method, url }) => method === 'GET' && url === '/healthz'),
    PATIENCE,
  );

  const redis = new Redis(fleet.redis.url);
  await redis.flushall();
  redis.disconnect();
  await vi.waitUntil(async () => (await listed()).length === 1, PATIENCE);

  await sidecar.end('SIGTERM');
  expect(await listed()).toEqual([]);
});

test('what is wrong with its options is said at once, all of it', async () => {
  const sidecar = LanewiseProcess.start(
    ['proxy', '--worker', 'ftp://x', '--queues', 'two words', '--lane', 'fast', '--health-path', 'healthz'],
    {
      REDIS_URL: fleet.redis.url,
    },
  );
  stack.use(sidecar);
  const { code } = await sidecar.exited;
  expect(code).toBe(1);
  for (const option of ['--worker', '--queues', '--version', '--lane', '--health-path'])
    expect(sidecar.stderr).toContain(`${option}: `);
  expect(sidecar.stderr).not.toContain('    at ');
});
