import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RawClient, RawWorker } from '../helpers/raw-http.ts';
import { Rig } from '../helpers/rig.ts';
import { until } from '../helpers/patience.ts';

/** What a producer may do on its connection, and what its worker sees of that. */

let rig: Rig;
let worker: RawWorker;
let client: RawClient;

beforeAll(async () => {
  rig = await Rig.start({ settings: { LANEWISE_QUEUES: '{"chained": {"allow_lane_override": true}}' } });
  worker = await RawWorker.start();
  await rig.register({ queues: ['jobs', 'chained'], url: worker.url });
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await worker[Symbol.asyncDispose]();
});
beforeEach(async () => {
  client = await RawClient.connect(rig.dispatchUrl);
  return () => client[Symbol.asyncDispose]();
});

const POST = 'POST /dispatch/jobs HTTP/1.1\r\nHost: a\r\n';

function answers(received: string): string[] {
  return received.match(/HTTP\/1\.1 \d\d\d/g) ?? [];
}

describe('Expect: 100-continue', () => {
  it('is answered by the worker, and only then the body is sent', async () => {
    const asked = Promise.withResolvers<() => void>();
    await using own = await RawWorker.start(({ socket, received }, answered) => {
      const text = received().toString();
      if (answered.count === 0 && text.includes('\r\n\r\n')) {
        answered.count = 1;
        asked.resolve(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'));
      }
      if (text.endsWith('hello')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    await rig.register({ queues: ['asked'], url: own.url });
    client.write(
      'POST /dispatch/asked HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
    );
    const go = await asked.promise;
    expect(own.connections[0]!.received().toString()).toMatch(/\r\nExpect: 100-continue\r\n/);
    expect(client.received).toBe('');
    go();
    expect(await client.until(/\r\n\r\n/)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    client.write('hello');
    expect(answers(await client.until(/ok$/))).toEqual(['HTTP/1.1 100', 'HTTP/1.1 200']);
    expect(own.requests).toMatchObject([{ body: 'hello' }]);
  });

  it('is no reason to send a body that the worker does not want', async () => {
    await using own = await RawWorker.start(({ socket, received }) => {
      if (received().includes('\r\n\r\n')) socket.write('HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno');
    });
    await rig.register({ queues: ['unwanted'], url: own.url });
    client.write(
      'POST /dispatch/unwanted HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
    );
    const answer = await client.until('closed');
    expect(answers(answer)).toEqual(['HTTP/1.1 401']);
    // What came next might be the body, or the next request.
    expect(answer).toMatch(/\r\nConnection: close\r\n/i);
  });

  it('of a worker that does not know it is answered after a second', async () => {
    client.write(`${POST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
    await client.until(/100 Continue\r\n\r\n$/);
    client.write('hello');
    expect(answers(await client.until(/ok$/))).toEqual(['HTTP/1.1 100', 'HTTP/1.1 200']);
  });

  it('where nobody is home is answered by the error, not by 100', async () => {
    client.write(
      'POST /dispatch/nobody HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
    );
    expect(answers(await client.until(/\}$/))).toEqual(['HTTP/1.1 503']);
  });

  it('of HTTP/1.0 means nothing', async () => {
    client.write('POST /dispatch/jobs HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello');
    expect(answers(await client.until('closed'))).toEqual(['HTTP/1.1 200']);
  });
});

it('trailers of a request reach the worker, but none that would say what the proxy says', async () => {
  client.write(
    `${POST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\nX-Canary-Version: forged\r\nHost: b\r\n\r\n`,
  );
  await client.until(/ok$/);
  expect(worker.requests.at(-1)).toMatchObject({ body: 'hello', trailers: [['X-Sum', '42']] });
});

it('pipelined requests are answered in their order', async () => {
  const held: (() => void)[] = [];
  await using own = await RawWorker.start(({ socket, received }) => {
    const path = /^GET (\S+)/.exec(
      received().toString().slice(received().toString().lastIndexOf('GET')),
    )![1]!;
    held.push(() => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`));
  });
  await rig.register({ queues: ['piped'], url: own.url });
  client.write(['/1', '/2', '/3'].map((p) => `GET /dispatch/piped${p} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
  await until(() => held.length === 3);
  for (const answer of held.toReversed()) answer();
  const received = await client.until(/(?:200 OK[^]*){3}\r\n\r\n\/\d$/);
  expect(received.match(/\r\n\r\n\/\d/g)).toEqual(['\r\n\r\n/1', '\r\n\r\n/2', '\r\n\r\n/3']);
});

it('garbage after a request closes the connection', async () => {
  client.write(`${POST}Content-Length: 5\r\n\r\nhellogarbage\r\n\r\n`);
  await client.until('closed');
  expect(client.isClosed).toBe(true);
});

it('a producer that closes its side is taken for gone, as one that has ended looks the same', async () => {
  const gone = Promise.withResolvers<void>();
  await using own = await RawWorker.start(({ socket }) => {
    socket.once('close', () => gone.resolve());
    client.socket.end();
  });
  await rig.register({ queues: ['half'], url: own.url });
  client.write('GET /dispatch/half HTTP/1.1\r\nHost: a\r\n\r\n');
  await gone.promise;
  expect(client.received).toBe('');
});

describe('limits', () => {
  it('431 for a head of more than 16 KiB, a URL included', async () => {
    client.write(`${POST}X: ${'y'.repeat(20_000)}\r\n\r\n`);
    const answer = await client.until('closed');
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toMatch(/\r\nX-Canary-Error: INVALID_DISPATCH\r\n/);
    await using other = await RawClient.connect(rig.dispatchUrl);
    other.write(`GET /dispatch/jobs/${'y'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(await other.until('closed')).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('413 gets to a producer that is still sending, and the connection ends', async () => {
    await using small = await Rig.start({ settings: { LANEWISE_DISPATCH_BODY_BYTES_MAX: '1000' } });
    await small.register({ url: worker.url });
    await using sender = await RawClient.connect(small.dispatchUrl);
    sender.write(`${POST}Content-Length: 5000000\r\n\r\n`);
    sender.write('x'.repeat(5_000_000));
    const answer = await sender.until('closed');
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toMatch(/\r\nX-Canary-Error: PAYLOAD_TOO_LARGE\r\n/);
  });
});

describe('a request that comes round again', () => {
  it('is answered 508 LOOP_DETECTED', async () => {
    await rig.send('jobs', { headers: { Via: '1.1 edge' } });
    const via = worker.requests.at(-1)!.headers.find(([name]) => name === 'Via')![1];
    const answer = await rig.send('jobs', { headers: { Via: `${via}, 1.1 other` } });
    expect(answer).toMatchObject({ status: 508, headers: { 'x-canary-error': 'LOOP_DETECTED' } });
  });

  it('is not one that came by another proxy', async () => {
    await using outer = await Rig.start();
    await outer.register({ url: `${rig.dispatchUrl}/dispatch/chained` });
    expect((await outer.send()).status).toBe(200);
    const via = worker.requests.at(-1)!.headers.find(([name]) => name === 'Via')![1];
    expect(via).toMatch(/^1\.1 lanewise-[0-9a-f]{8}, 1\.1 lanewise-[0-9a-f]{8}$/);
  });
});

it('a producer that goes away in the middle of its body takes the request to the worker with it', async () => {
  const begun = Promise.withResolvers<Socket>();
  await using own = await RawWorker.start(({ socket, received }) => {
    if (received().includes('hello')) begun.resolve(socket);
  });
  await rig.register({ queues: ['leaving'], url: own.url });
  client.write(
    'POST /dispatch/leaving HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
  );
  const closed = once(await begun.promise, 'close');
  client.socket.destroy();
  await closed;
  expect(own.requests).toEqual([]);
});
