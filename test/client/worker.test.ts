import { expect, test, vi } from 'vitest';
import { ApiError, registerWorker, UnreachableError, type WorkerOptions } from '../../src/client/index.ts';
import { Api } from '../helpers/api.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { LanewiseProcess, temporaryDirectory } from '../helpers/process.ts';
import { freePort } from '../helpers/ports.ts';
import { Standalone } from '../helpers/system.ts';

const WORKER = { id: 'payments-1', version: 'v1.2.0', queues: ['payment-processing'] };

interface WorkerRecord {
  readonly id: string;
  readonly status: string;
  readonly metrics: { readonly jobs_processed: number };
}

async function registered({ api }: Standalone): Promise<readonly WorkerRecord[]> {
  return (await api.done('GET', '/workers')).workers as WorkerRecord[];
}

function optionsFor({ api }: Standalone): WorkerOptions {
  return { url: api.url, token: api.token, worker: WORKER, heartbeatMs: 20 };
}

test('a worker is in the registry until its registration is closed, and says how it is doing', async () => {
  await using system = await Standalone.start();
  let jobs = 0;
  const report = () => ({ status: 'degraded' as const, metrics: { jobs_processed: ++jobs } });
  const registration = await registerWorker({ ...optionsFor(system), report });
  expect(await registered(system)).toMatchObject([{ id: 'payments-1' }]);
  await vi.waitUntil(async () => ((await registered(system))[0]?.metrics.jobs_processed ?? 0) > 2, PATIENCE);
  expect(await registered(system)).toMatchObject([{ status: 'degraded' }]);
  await registration.close();
  expect(await registered(system)).toEqual([]);
  await registration.close();
});

test('a worker that the registry has lost is registered again', async () => {
  await using system = await Standalone.start();
  await using _ = await registerWorker(optionsFor(system));
  await system.api.done('DELETE', '/workers/payments-1');
  await vi.waitUntil(async () => (await registered(system)).length === 1, PATIENCE);
});

test('a worker may start before the control plane, and waits for it', async () => {
  const port = String(await freePort());
  const token = 'a-secret-of-the-workers';
  const operators = 'a-secret-of-the-operators';
  const problems: Error[] = [];
  const tried = Promise.withResolvers<void>();
  const registering = registerWorker({
    url: `http://127.0.0.1:${port}`,
    token,
    worker: WORKER,
    heartbeatMs: 20,
    onProblem: (error) => {
      problems.push(error);
      tried.resolve();
    },
  });
  await tried.promise;
  expect(problems[0]).toBeInstanceOf(UnreachableError);

  await using stack = new AsyncDisposableStack();
  stack.use(
    LanewiseProcess.start(['standalone'], {
      LANEWISE_DATA_DIR: await temporaryDirectory(stack),
      LANEWISE_CONTROL_PORT: port,
      LANEWISE_TOKENS: `workers:worker:${token},ops:operator:${operators}`,
    }),
  );
  const registration = await registering;
  const api = new Api(`http://127.0.0.1:${port}`, operators);
  const statuses = async (): Promise<unknown[]> =>
    ((await api.done('GET', '/workers')).workers as WorkerRecord[]).map(({ status }) => status);
  expect(await statuses()).toEqual(['healthy']);
  // Its token may not take it out of the registry.
  await registration.close();
  expect(await statuses()).toEqual(['unhealthy']);
});

test('a registration that is refused is an error at once: waiting would not mend it', async () => {
  await using system = await Standalone.start();
  const registering = registerWorker({ ...optionsFor(system), worker: { ...WORKER, queues: [] } });
  await expect(registering).rejects.toThrow(ApiError);
  await expect(registering).rejects.toMatchObject({ details: { queues: expect.any(String) as string } });
});

test('the wait for a control plane can be given up', async () => {
  const stop = new AbortController();
  const registering = registerWorker({
    url: `http://127.0.0.1:${await freePort()}`,
    worker: WORKER,
    signal: stop.signal,
    onProblem: () => stop.abort(),
  });
  await expect(registering).rejects.toThrow('aborted');
});
