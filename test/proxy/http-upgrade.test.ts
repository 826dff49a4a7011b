import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { RawClient } from '../helpers/raw-http.ts';
import { Rig } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';
import { until } from '../helpers/patience.ts';

/** WebSocket through the proxy, to a worker that answers every message by the same one. */

let rig: Rig;
let worker: WebSocketServer;
let workerUrl: string;
const series = 'queue="jobs",lane="stable",version="v1"';

beforeAll(async () => {
  rig = await Rig.start();
  worker = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(worker, 'listening');
  worker.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  workerUrl = `http://127.0.0.1:${(worker.address() as AddressInfo).port}`;
  await rig.register({ id: 'w1', url: workerUrl });
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  for (const socket of worker.clients) socket.terminate();
  worker.close();
});

function open(url: string, queue = 'jobs'): WebSocket {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/dispatch/${queue}/chat?x=1`, {
    headers: { 'X-Job-Id': 'talk' },
  });
  socket.on('error', () => {});
  onTestFinished(() => socket.terminate());
  return socket;
}

async function count(outcome: string): Promise<number | undefined> {
  return (await rig.metric('canary_jobs_total')).get(`${series},outcome="${outcome}"`);
}

it('messages go to the worker and back, whatever their size, and the answer says who it is', async () => {
  const socket = open(rig.dispatchUrl);
  const [[{ headers }]] = (await Promise.all([once(socket, 'upgrade'), once(socket, 'open')])) as [
    [{ headers: Record<string, string> }],
    unknown,
  ];
  expect(headers).toMatchObject({ 'x-canary-worker': 'w1', 'x-canary-lane': 'stable', 'x-job-id': 'talk' });
  for (const message of [Buffer.from('hello'), Buffer.alloc(1_000_000, 'x')]) {
    socket.send(message);
    const [echo] = (await once(socket, 'message')) as [Buffer];
    expect(echo.equals(message)).toBe(true);
  }
  socket.close(1000, 'done');
  expect(await once(socket, 'close')).toEqual([1000, Buffer.from('done')]);
});

it('the worker sees the path and the headers of a dispatch', async () => {
  const seen = once(worker, 'connection') as Promise<[WebSocket, { url: string; headers: object }]>;
  open(rig.dispatchUrl);
  const [, { url, headers }] = await seen;
  expect(url).toBe('/chat?x=1');
  expect(headers).toMatchObject({ 'x-job-id': 'talk', 'x-canary-queue': 'jobs', 'x-canary-attempt': '1' });
});

it('a connection counts as a success once it stands, and as under way until it ends', async () => {
  const before = (await count('success')) ?? 0;
  const inFlight = async () => (await rig.metric('canary_jobs_in_flight')).get(series)!;
  await until(async () => (await inFlight()) === 0);
  const socket = open(rig.dispatchUrl);
  await once(socket, 'open');
  expect(await count('success')).toBe(before + 1);
  expect(await inFlight()).toBe(1);
  socket.terminate();
  await until(async () => (await inFlight()) === 0);
  expect(await count('success')).toBe(before + 1);
});

it('a side that breaks off takes the other one with it', async () => {
  const connected = once(worker, 'connection') as Promise<[WebSocket]>;
  const socket = open(rig.dispatchUrl);
  const [atWorker] = await connected;
  await once(socket, 'open');
  atWorker.terminate();
  expect((await once(socket, 'close'))[0]).toBe(1006);
});

it('a drain closes what is still open at its deadline', async () => {
  await using own = await Rig.start();
  await own.register({ url: workerUrl });
  const socket = open(own.dispatchUrl);
  await once(socket, 'open');
  const closed = once(socket, 'close');
  await own.proxy.close(1);
  expect((await closed)[0]).toBe(1006);
});

it('one that is silent for longer than the idle body time-out is closed', async () => {
  await using own = await Rig.start({ settings: { LANEWISE_DISPATCH_IDLE_BODY_TIMEOUT: '100ms' } });
  await own.register({ url: workerUrl });
  const socket = open(own.dispatchUrl);
  await once(socket, 'open');
  expect((await once(socket, 'close'))[0]).toBe(1006);
});

it('one that lasts longer than the dispatch time-out goes on', async () => {
  await using own = await Rig.start({ settings: { LANEWISE_DISPATCH_TIMEOUT: '100ms' } });
  await own.register({ url: workerUrl });
  const socket = open(own.dispatchUrl);
  await once(socket, 'open');
  const begun = performance.now();
  while (performance.now() - begun < 300) {
    socket.send('still there');
    await once(socket, 'message');
  }
  expect(socket.readyState).toBe(WebSocket.OPEN);
});

describe('what is not upgraded is answered as any other dispatch', () => {
  const HEAD = 'HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

  it('by the worker, whatever it says', async () => {
    const plain = await TestWorker.start('v1', (_job, response) =>
      response.writeHead(426).end('x'.repeat(1_000_000)),
    );
    onTestFinished(() => plain.stop());
    await rig.register({ queues: ['plain'], url: plain.url });
    await using client = await RawClient.connect(rig.dispatchUrl);
    client.write(`GET /dispatch/plain ${HEAD}`);
    const answer = await client.until('closed');
    expect(answer).toMatch(/^HTTP\/1\.1 426 /);
    expect(answer.match(/x{2,}/g)!.join('').length).toBe(1_000_000);
  });

  it.each([
    ['nobody', '503', 'NO_WORKER_AVAILABLE'],
    ['bad%20name', '400', 'INVALID_DISPATCH'],
  ])('by the proxy, for the queue %s', async (queue, status, code) => {
    await using client = await RawClient.connect(rig.dispatchUrl);
    client.write(`GET /dispatch/${queue} ${HEAD}`);
    const answer = await client.until('closed');
    expect(answer.slice(9, 12)).toBe(status);
    expect(answer).toContain(`X-Canary-Error: ${code}`);
  });

  it('and is refused where jobs are stored', async () => {
    await using own = await Rig.start({
      settings: { LANEWISE_QUEUES: '{"stored": {"routing_strategy": "split_queue"}}' },
    });
    await using client = await RawClient.connect(own.dispatchUrl);
    client.write(`GET /dispatch/stored ${HEAD}`);
    const answer = await client.until('closed');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('WebSocket');
  });
});
