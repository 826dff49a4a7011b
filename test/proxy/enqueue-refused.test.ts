import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { LanewiseError } from '../../src/core/errors.ts';
import { PATIENCE, until } from '../helpers/patience.ts';
import { TestWorker } from '../helpers/worker.ts';
import {
  acceptedBy,
  answerTo,
  EMBEDDED,
  keyed,
  LIST,
  open,
  refusalOf,
  start,
  withEnqueue,
} from './enqueue-rig.ts';

describe('what is not stored', () => {
  it.each([
    ['that says so itself', { 'Content-Length': String(10 * 1024 * 1024) }],
    ['that turns out to be', {}],
  ])('is a body over lanes.body_bytes_max, one %s: 413, which names the limit', async (_what, headers) => {
    const lanes = await start(EMBEDDED, { queues: 'jobs: {}' });
    const request = open(lanes, 'jobs', headers);
    const answer = answerTo(request);
    request.write(Buffer.alloc(2 * 1024 * 1024, 'x'));
    const { status, body } = await answer;
    request.destroy();
    expect(status).toBe(413);
    expect(JSON.parse(body)).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      details: { body: 'must be at most 1048576 bytes' },
    });
    expect(await lanes.depths('jobs')).toEqual({ stable: 0, canary: 0 });
  });

  it('is a job whose producer leaves before its body is there', async () => {
    const lanes = await start(EMBEDDED, { queues: 'jobs: {}' });
    const socket = connect(lanes.rig.proxy.dispatchAddress.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('POST /dispatch/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345');
    await vi.waitUntil(
      async () => JSON.parse((await lanes.rig.admin('/routes')).body).in_flight === 1,
      PATIENCE,
    );
    socket.destroy();
    await vi.waitUntil(
      async () => JSON.parse((await lanes.rig.admin('/routes')).body).in_flight === 0,
      PATIENCE,
    );
    expect(await lanes.depths('jobs')).toEqual({ stable: 0, canary: 0 });
  });

  it('is a job over max_in_flight', async () => {
    const held: (() => void)[] = [];
    const lanes = await start(EMBEDDED, {
      queues: 'jobs: {}',
      settings: { LANEWISE_MAX_IN_FLIGHT: '1' },
      ...withEnqueue((enqueueJobs) => async (...args) => {
        await new Promise<void>((resolve) => held.push(resolve));
        return enqueueJobs(...args);
      }),
    });
    const first = lanes.rig.send();
    await until(() => held.length === 1);
    const refused = await lanes.rig.send();
    expect(refused.status).toBe(503);
    expect(refusalOf(refused)).toMatchObject({ code: 'PROXY_OVERLOADED' });
    held[0]!();
    expect((await first).status).toBe(202);
    expect(await lanes.depths('jobs')).toEqual({ stable: 1, canary: 0 });
  });

  it('while the proxy stops is only what its deadline cuts off; the rest is stored and answered', async () => {
    const held: (() => void)[] = [];
    const lanes = await start(EMBEDDED, {
      queues: 'jobs: {}',
      ...withEnqueue((enqueueJobs) => async (...args) => {
        await new Promise<void>((resolve) => held.push(resolve));
        return enqueueJobs(...args);
      }),
    });
    const first = lanes.rig.send();
    await until(() => held.length === 1);
    const reading = open(lanes, 'jobs', { 'Content-Length': '10' });
    reading.write('12345');
    await vi.waitUntil(
      async () => JSON.parse((await lanes.rig.admin('/routes')).body).in_flight === 2,
      PATIENCE,
    );
    const cut = answerTo(reading);
    const closed = lanes.rig.proxy.close(200);
    held[0]!();
    expect((await first).status).toBe(202);
    expect(JSON.parse((await cut).body)).toMatchObject({ code: 'PROXY_OVERLOADED' });
    await closed;
    expect(await lanes.depths('jobs')).toEqual({ stable: 1, canary: 0 });
  });
});

describe('QUEUE_UNAVAILABLE', () => {
  it('names the key that holds something else, and stops neither the other lane nor other queues', async () => {
    const lanes = await start(LIST, { queues: 'other: {}' });
    await lanes.rig.createDeployment({ queue: 'jobs', strategy: 'split_queue', currentPercent: 50 });
    await lanes.redis!.client().set('jobs@canary', 'mine');
    const answers = await lanes.rig.sendAll(keyed(200));
    const refused = answers.filter(({ status }) => status === 503);
    expect(refused.length).toBeGreaterThan(50);
    for (const answer of refused) {
      expect(refusalOf(answer)).toMatchObject({
        code: 'QUEUE_UNAVAILABLE',
        error: expect.stringContaining('"jobs@canary" holds a string') as string,
      });
      expect(answer.headers['retry-after']).toBe('1');
    }
    for (const answer of answers.filter(({ status }) => status !== 503))
      expect(acceptedBy(answer)).toMatchObject({ lane: 'stable' });
    expect((await lanes.rig.send('other')).status).toBe(202);
    expect(await lanes.redis!.client().llen('jobs')).toBe(200 - refused.length);
  });

  it('while Redis is gone, and the same id tells afterwards whether the job was stored', async () => {
    const lanes = await start(LIST, { queues: 'jobs: {}' });
    expect((await lanes.rig.send()).status).toBe(202);
    await lanes.redis!.kill();
    const answers = await lanes.rig.sendAll(keyed(20));
    for (const answer of answers) {
      expect(answer.status).toBe(503);
      expect(refusalOf(answer)).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
      expect(answer.headers['retry-after']).toBe('1');
      expect(answer.headers['x-job-id']).toMatch(/^[0-9a-f-]{36}$/);
    }
    await lanes.redis!.start();
    await vi.waitUntil(async () => (await lanes.rig.send()).status === 202, PATIENCE);
    const before = await lanes.redis!.client().llen('jobs');
    const again = await lanes.rig.sendAll(
      answers.map(({ headers }) => ({ headers: { 'X-Job-Id': String(headers['x-job-id']) } })),
    );
    expect(again.map(({ status }) => status)).toEqual(Array(20).fill(202));
    const news = again.filter((answer) => acceptedBy(answer).duplicate !== true).length;
    expect(await lanes.redis!.client().llen('jobs')).toBe(before + news);
  });

  it('is also said where the answer of the store got lost; sent again, the job is there once', async () => {
    let loses = true;
    const lanes = await start(EMBEDDED, {
      queues: 'jobs: {}',
      ...withEnqueue((enqueueJobs) => async (...args) => {
        const result = await enqueueJobs(...args);
        if (loses) throw new LanewiseError('STORE_UNAVAILABLE', 'the connection was lost');
        return result;
      }),
    });
    const lost = await lanes.rig.send('jobs', { body: 'once' });
    expect(lost.status).toBe(503);
    expect(refusalOf(lost).error).toMatch(/^Not confirmed: the connection was lost/);
    loses = false;
    const headers = { 'X-Job-Id': String(lost.headers['x-job-id']) };
    const again = await lanes.rig.send('jobs', { headers, body: 'once' });
    expect(acceptedBy(again)).toMatchObject({ duplicate: true });
    expect(await lanes.take('jobs', 'stable')).toHaveLength(1);
  });

  it('when the store has not answered by the end of the dispatch timeout', async () => {
    const lanes = await start(EMBEDDED, {
      queues: 'jobs: {}',
      settings: { LANEWISE_DISPATCH_TIMEOUT: '100ms' },
      ...withEnqueue(() => () => new Promise(() => {})),
    });
    const answer = await lanes.rig.send();
    expect(answer.status).toBe(503);
    expect(refusalOf(answer)).toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      error: expect.stringContaining('no answer of the store in 100 ms') as string,
    });
  });

  it('when the strategy changes while the body is on the way', async () => {
    const lanes = await start(EMBEDDED);
    const worker = await TestWorker.start('v1');
    onTestFinished(() => worker.stop());
    await lanes.rig.register({ url: worker.url });
    const request = open(lanes, 'jobs', { 'Content-Length': '2' });
    const answer = answerTo(request);
    request.write('1');
    await vi.waitUntil(
      async () => JSON.parse((await lanes.rig.admin('/routes')).body).in_flight === 1,
      PATIENCE,
    );
    await lanes.rig.createDeployment({ strategy: 'hash_ring' });
    request.end('2');
    expect(JSON.parse((await answer).body)).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    expect((await lanes.rig.send()).status).toBe(200);
  });
});
