import type { Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RawClient, RawWorker } from '../helpers/raw-http.ts';
import { Rig } from '../helpers/rig.ts';

/** Every phase of a dispatch has its bound, and says whose silence it was. */

const OUTCOMES = { timeout: 'WORKER_TIMEOUT', stalled: 'INVALID_DISPATCH' };

async function startRig(settings: Record<string, string>): Promise<Rig> {
  const rig = await Rig.start({ settings });
  onTestFinished(() => rig[Symbol.asyncDispose]());
  return rig;
}

async function startWorker(...args: Parameters<typeof RawWorker.start>): Promise<RawWorker> {
  const worker = await RawWorker.start(...args);
  onTestFinished(() => worker[Symbol.asyncDispose]());
  return worker;
}

async function connectTo(rig: Rig): Promise<RawClient> {
  const client = await RawClient.connect(rig.dispatchUrl);
  onTestFinished(() => client[Symbol.asyncDispose]());
  return client;
}

const CHUNKED = 'POST /dispatch/jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const SMALL = 'POST /dispatch/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n';

async function outcomes(rig: Rig): Promise<string[]> {
  const counts = [...(await rig.metric('canary_jobs_total'))].filter(([, count]) => count > 0);
  return counts.map(([labels]) => /outcome="(\w+)"/.exec(labels)![1]!);
}

describe('the head of the answer', () => {
  it.each([
    ['a body that was read first', `${SMALL}hello`],
    ['a streamed body', `${CHUNKED}5\r\nhello\r\n0\r\n\r\n`],
  ])('after %s: 504 WORKER_TIMEOUT', async (_name, bytes) => {
    const rig = await startRig({ LANEWISE_DISPATCH_RESPONSE_HEADER_TIMEOUT: '100ms' });
    const worker = await startWorker(() => {});
    await rig.register({ url: worker.url });
    const client = await connectTo(rig);
    client.write(bytes);
    const answer = await client.until(/\}$/);
    expect(answer).toMatch(/^HTTP\/1\.1 504 /);
    expect(answer).toContain(`X-Canary-Error: ${OUTCOMES.timeout}`);
    expect(await outcomes(rig)).toEqual(['timeout']);
  });
});

describe('between two pieces of a body', () => {
  const settings = { LANEWISE_DISPATCH_IDLE_BODY_TIMEOUT: '150ms' };

  it.each([
    ['read first', SMALL, []],
    ['streamed', CHUNKED, ['aborted']],
    ['streamed, of which a part came', `${CHUNKED}5\r\nhello\r\n`, ['aborted']],
  ])('of a producer, %s: 400, and the worker is not to blame', async (_name, bytes, counted) => {
    const rig = await startRig(settings);
    const worker = await startWorker(() => {});
    await rig.register({ url: worker.url });
    const client = await connectTo(rig);
    client.write(bytes);
    const answer = await client.until(/\}$/);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain(`X-Canary-Error: ${OUTCOMES.stalled}`);
    expect(await outcomes(rig)).toEqual(counted);
  });

  it('that a worker does not take: 504 WORKER_TIMEOUT', async () => {
    const rig = await startRig(settings);
    const worker = await startWorker(({ socket }) => socket.pause());
    await rig.register({ url: worker.url });
    const client = await connectTo(rig);
    client.write('POST /dispatch/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n');
    client.write('x'.repeat(50_000_000));
    expect(await client.until(/\}$/)).toContain(`X-Canary-Error: ${OUTCOMES.timeout}`);
    expect(await outcomes(rig)).toEqual(['timeout']);
  });

  it.each([
    ['a body that was read first', `${SMALL}hello`],
    ['a streamed body', `${CHUNKED}5\r\nhello\r\n0\r\n\r\n`],
  ])("of a worker's answer to %s: the connection breaks off", async (_name, bytes) => {
    const rig = await startRig(settings);
    const worker = await startWorker(({ socket }) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
    );
    await rig.register({ url: worker.url });
    const client = await connectTo(rig);
    client.write(bytes);
    expect(await client.until('closed')).toMatch(/\r\n\r\nhalf$/);
    expect(await outcomes(rig)).toEqual(['timeout']);
  });

  it('of an answer that the producer does not take: the worker is let go, and not to blame', async () => {
    const rig = await startRig(settings);
    const letGo = Promise.withResolvers<Socket>();
    const worker = await startWorker(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n');
      socket.write(Buffer.alloc(50_000_000));
      socket.once('close', () => letGo.resolve(socket));
    });
    await rig.register({ url: worker.url });
    const client = await connectTo(rig);
    client.socket.pause();
    client.write(`${SMALL}hello`);
    await letGo.promise;
    expect(await outcomes(rig)).toEqual(['aborted']);
  });
});

describe('the whole dispatch', () => {
  it('ends even where something always moves', async () => {
    const rig = await startRig({ LANEWISE_DISPATCH_TIMEOUT: '200ms' });
    const worker = await startWorker(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const drip = setInterval(() => socket.write('1\r\nx\r\n'), 10);
      socket.once('close', () => clearInterval(drip));
    });
    await rig.register({ url: worker.url });
    const client = await connectTo(rig);
    client.write(`${SMALL}hello`);
    const answer = await client.until('closed');
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer.endsWith('0\r\n\r\n')).toBe(false);
    expect(await outcomes(rig)).toEqual(['timeout']);
  });

  it('is bounded by an idle time-out that is shorter only while its body comes', async () => {
    const rig = await startRig({
      LANEWISE_DISPATCH_TIMEOUT: '400ms',
      LANEWISE_DISPATCH_IDLE_BODY_TIMEOUT: '50ms',
    });
    const worker = await startWorker(() => {});
    await rig.register({ url: worker.url });
    const client = await connectTo(rig);
    client.write(`${SMALL}hello`);
    expect(await client.until(/\}$/)).toContain('No answer within 400 ms');
  });
});
