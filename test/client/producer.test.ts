import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createProducer, DispatchError, type Producer } from '../../src/client/index.ts';
import { QUEUE } from '../helpers/api.ts';
import { freePort } from '../helpers/ports.ts';
import { Standalone } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

let system: Standalone;
let worker: TestWorker;
let producer: Producer;

beforeAll(async () => {
  system = await Standalone.start({ LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring' });
  worker = await TestWorker.start('v1.2.0');
  await system.api.register({ id: 'stable-1', version: 'v1.2.0', url: worker.url });
  producer = createProducer({ url: system.proxy.dispatchUrl });
});

afterAll(async () => {
  await worker[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

async function failureOf(dispatch: Promise<unknown>): Promise<DispatchError> {
  const error = await dispatch.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DispatchError);
  return error as DispatchError;
}

test('a dispatch brings the job to a worker, and says where it went', async () => {
  const answer = await producer.dispatch(
    QUEUE,
    { amount: 1999 },
    {
      jobId: 'order-1',
      stickyKey: 'customer-42',
      tenant: 'acme',
      path: 'charge?currency=EUR',
      headers: { 'x-own': 'yes' },
    },
  );
  expect(answer).toMatchObject({
    status: 200,
    ok: true,
    jobId: 'order-1',
    lane: 'stable',
    version: 'v1.2.0',
    worker: 'stable-1',
    fallback: false,
  });
  expect(await answer.response.text()).toBe('v1.2.0');
  expect(worker.jobs.at(-1)).toMatchObject({
    method: 'POST',
    url: '/charge?currency=EUR',
    body: '{"amount":1999}',
    headers: {
      'x-job-id': 'order-1',
      'content-type': 'application/json',
      'x-tenant-id': 'acme',
      'x-own': 'yes',
    },
  });
});

test('text, bytes and streams go as they are', async () => {
  const stream = new Blob(['streamed']).stream();
  for (const body of ['text', new TextEncoder().encode('bytes'), stream]) {
    const { response } = await producer.dispatch(QUEUE, body);
    await response.body?.cancel();
  }
  expect(worker.jobs.slice(-3).map((job) => job.body)).toEqual(['text', 'bytes', 'streamed']);
});

test("a worker's 500 is an answer, not an exception", async () => {
  worker.answer = (_job, response) => response.writeHead(500).end('no');
  const answer = await producer.dispatch(QUEUE, {});
  worker.answer = (_job, response) => response.end('v1.2.0');
  expect(answer).toMatchObject({ status: 500, ok: false });
  expect(await answer.response.text()).toBe('no');
});

test("the proxy's own answer is an error with its code, and when to try again", async () => {
  const error = await failureOf(producer.dispatch('no-such-queue', {}, { jobId: 'order-3' }));
  expect(error).toMatchObject({
    code: 'NO_WORKER_AVAILABLE',
    status: 503,
    retryable: true,
    jobId: 'order-3',
  });
  expect(error.retryAfterSeconds).toBeGreaterThan(0);
  expect(error.message).toContain('no-such-queue');
});

test('a refused header is named, and not worth another try', async () => {
  const error = await failureOf(producer.dispatch(QUEUE, {}, { lane: 'canary' }));
  expect(error).toMatchObject({ code: 'INVALID_DISPATCH', status: 400, retryable: false });
  expect(Object.keys(error.details)).toEqual(['X-Canary-Lane']);
});

test('what a worker may have run is not worth another try', async () => {
  worker.answer = (job, response) => (job.body === '{}' ? response.destroy() : response.end());
  const error = await failureOf(producer.dispatch(QUEUE, {}));
  worker.answer = (_job, response) => response.end('v1.2.0');
  expect(error).toMatchObject({ code: 'WORKER_FAILED', status: 502, retryable: false });
});

test('a proxy that is not there is said, with what was tried; nothing was sent, so it can be tried again', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const error = await failureOf(createProducer({ url }).dispatch(QUEUE, {}));
  expect(error).toMatchObject({ code: 'PROXY_UNREACHABLE', status: 0, retryable: true });
  expect(error.message).toMatch(new RegExp(`^Cannot reach the proxy at ${url}: .*ECONNREFUSED`));
});

test('a proxy that breaks off may have sent the job on', async () => {
  const server: Server = createServer((request) => request.socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const error = await failureOf(createProducer({ url }).dispatch(QUEUE, {}));
  server.close();
  expect(error).toMatchObject({ code: 'PROXY_UNREACHABLE', retryable: false });
});
