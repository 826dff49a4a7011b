import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { LanewiseError } from '../../src/core/errors.ts';
import { PATIENCE } from '../helpers/patience.ts';
import {
  acceptedBy,
  answerTo,
  aQueueName,
  EMBEDDED,
  EnqueueRig,
  keyed,
  LIST,
  open,
  PLACES,
  refusalOf,
  start,
  withEnqueue,
  type Accepted,
} from './enqueue-rig.ts';

describe.each(PLACES)('a dispatch that is stored: $name', (place) => {
  let lanes: EnqueueRig;
  let queue: string;

  beforeAll(async () => {
    lanes = await EnqueueRig.start(place, {
      queues: 'configured: {}\nraw: { envelope: raw }\noverridden: { allow_lane_override: true }',
    });
  });
  afterAll(() => lanes[Symbol.asyncDispose]());

  /** A queue of its own, with an open deployment of v1 to v2. */
  async function deployed(percentage = 0): Promise<Awaited<ReturnType<typeof lanes.rig.createDeployment>>> {
    queue = aQueueName();
    return lanes.rig.createDeployment({ queue, currentPercent: percentage, strategy: place.strategy });
  }

  it('is answered 202 with its lane, and lies there with all that a worker needs', async () => {
    const { id } = await deployed();
    const answer = await lanes.rig.send(queue, {
      method: 'PUT',
      path: '/charge/7%2F8?dry=1',
      headers: {
        'X-Job-Id': 'order-1',
        'X-Canary-Sticky-Key': 'customer-42',
        'X-Tenant-Id': 'acme',
        'Content-Type': 'text/plain',
        Authorization: 'Bearer of-the-worker',
        'X-Custom': 'yes',
        'Proxy-Authorization': 'Basic of-the-proxy',
        'X-Canary-Version': 'forged',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        tracestate: 'vendor=1',
      },
      body: 'the body',
    });
    expect(answer.status).toBe(202);
    expect(acceptedBy(answer)).toEqual({
      job_id: 'order-1',
      queue,
      lane: 'stable',
      version: 'v1',
      strategy: place.strategy,
    });
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      'x-job-id': 'order-1',
      'x-canary-lane': 'stable',
      'x-canary-version': 'v1',
      'x-canary-deployment': id,
    });
    expect(answer.headers).not.toHaveProperty('x-canary-error');

    const [job, ...others] = await lanes.take(queue, 'stable');
    expect(others).toEqual([]);
    const { headers, body, enqueuedAt, ...rest } = job!;
    expect(rest).toEqual({
      id: 'order-1',
      key: 'customer-42',
      tenant: 'acme',
      method: 'PUT',
      path: '/charge/7%2F8?dry=1',
      trace: {
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        tracestate: 'vendor=1',
      },
      attempt: 1,
      lane: 'stable',
      version: 'v1',
      history: [],
    });
    expect(Buffer.from(body).toString()).toBe('the body');
    expect(Math.abs(Date.now() - enqueuedAt)).toBeLessThan(600_000);
    expect(headers).toMatchObject({
      'Content-Type': 'text/plain',
      Authorization: 'Bearer of-the-worker',
      'X-Custom': 'yes',
      'X-Tenant-Id': 'acme',
      'X-Forwarded-For': '127.0.0.1',
      Via: expect.stringMatching(/^1\.1 lanewise-[0-9a-f]{8}$/) as string,
    });
    const names = Object.keys(headers).map((name) => name.toLowerCase());
    for (const gone of ['host', 'connection', 'content-length', 'proxy-authorization', 'x-job-id'])
      expect(names).not.toContain(gone);
    expect(names.filter((name) => /^x-canary-(?!sticky)|^trace/.test(name))).toEqual([]);
  });

  it('keeps the headers of a single hop out, and one that was repeated as one', async () => {
    await deployed();
    const request = open(lanes, queue, { Connection: 'close, X-Hop', 'X-Hop': 'gone' });
    request.setHeader('X-Twice', ['a', 'b']);
    request.setHeader('Cookie', ['c=1', 'd=2']);
    request.end();
    expect((await answerTo(request)).status).toBe(202);
    const [job] = await lanes.take(queue, 'stable');
    expect(job!.headers).toMatchObject({ 'X-Twice': 'a, b', Cookie: 'c=1; d=2' });
    expect(job!.headers).not.toHaveProperty('X-Hop');
  });

  it('needs nothing: no body, no id, no key', async () => {
    await deployed();
    const answer = await lanes.rig.send(queue, { method: 'POST' });
    const { job_id: id } = acceptedBy(answer);
    expect(answer.headers['x-job-id']).toBe(id);
    const [job] = await lanes.take(queue, 'stable');
    expect(job).toMatchObject({ id, key: id });
    expect(job!.body.length).toBe(0);
    expect(job).not.toHaveProperty('tenant');
  });

  it('keeps a body that is no text bit by bit, however it was sent', async () => {
    await deployed();
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7919) % 256));
    expect((await lanes.rig.send(queue, { body: bytes })).status).toBe(202);
    const chunked = open(lanes, queue, {});
    for (let at = 0; at < bytes.length; at += 9000) chunked.write(bytes.subarray(at, at + 9000));
    chunked.end();
    expect((await answerTo(chunked)).status).toBe(202);
    const jobs = await lanes.take(queue, 'stable');
    expect(jobs.map(({ body }) => bytes.equals(body))).toEqual([true, true]);
  });

  it('sends 25 % of 2,000 keys to the canary, give or take chance, the same ones again, and only more as it rises', async () => {
    const deployment = await deployed(25);
    const lanesOf = async (): Promise<string[]> =>
      (await lanes.rig.sendAll(keyed(2000), queue)).map((answer) => {
        const { lane, version } = acceptedBy(answer);
        expect(version).toBe(lane === 'canary' ? 'v2' : 'v1');
        return lane;
      });
    const first = await lanesOf();
    const share = first.filter((lane) => lane === 'canary').length / first.length;
    // A deployment's salt is drawn by chance; these bounds are five standard deviations away.
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.3);
    expect(await lanesOf()).toEqual(first);
    await lanes.rig.setPercentage(deployment, 40);
    const later = await lanesOf();
    expect(later.filter((lane, i) => lane === 'stable' && first[i] === 'canary')).toEqual([]);
    expect(later.filter((lane) => lane === 'canary').length).toBeGreaterThan(first.length * 0.345);
    const stored = [...(await lanes.take(queue, 'canary')), ...(await lanes.take(queue, 'stable'))];
    expect(stored).toHaveLength(6000);
    expect(new Set(stored.map(({ id }) => id)).size).toBe(6000);
  });

  it('is there once however often it is sent, in the lane of the first time', async () => {
    const deployment = await deployed(0);
    const job = { headers: { 'X-Job-Id': 'again' }, body: '1' };
    const answers = await lanes.rig.sendAll(
      Array.from({ length: 50 }, () => job),
      queue,
    );
    expect(answers.filter((answer) => acceptedBy(answer).duplicate !== true)).toHaveLength(1);
    await lanes.rig.setPercentage(deployment, 100);
    const again = await lanes.rig.send(queue, job);
    expect(again.status).toBe(202);
    expect(again.headers['x-canary-lane']).toBe('stable');
    expect(acceptedBy(again)).toMatchObject({ lane: 'stable', version: 'v1', duplicate: true });
    expect(acceptedBy(await lanes.rig.send(queue, { headers: { 'X-Job-Id': 'new' } }))).toMatchObject({
      lane: 'canary',
      version: 'v2',
    });
    expect(await lanes.depths(queue)).toEqual({ stable: 1, canary: 1 });
  });

  it('follows the deployment of its tenant', async () => {
    await deployed(0);
    const tenant = {
      queue,
      tenant: 'acme',
      canaryVersion: 'v3',
      currentPercent: 100,
      strategy: place.strategy,
    };
    const { id } = await lanes.rig.createDeployment(tenant);
    const answer = await lanes.rig.send(queue, { headers: { 'X-Tenant-Id': 'acme' } });
    expect(acceptedBy(answer)).toMatchObject({ lane: 'canary', version: 'v3' });
    expect(answer.headers['x-canary-deployment']).toBe(id);
    expect(acceptedBy(await lanes.rig.send(queue))).toMatchObject({ lane: 'stable', version: 'v1' });
  });

  it('may come before any deployment, where a configuration or a worker names its queue', async () => {
    const answer = await lanes.rig.send('configured');
    expect(answer.status).toBe(202);
    expect(acceptedBy(answer)).toMatchObject({ lane: 'stable', version: '', strategy: place.strategy });
    expect(answer.headers).not.toHaveProperty('x-canary-version');

    queue = aQueueName();
    const worker = await lanes.rig.register({ queues: [queue] });
    expect(acceptedBy(await lanes.rig.send(queue))).toMatchObject({ lane: 'stable', version: '' });
    await lanes.rig.remove(worker);
    expect(await lanes.depths(queue)).toEqual({ stable: 1, canary: 0 });
  });

  it('is refused where nobody knows the queue: a misspelt name makes no list', async () => {
    queue = aQueueName();
    const answer = await lanes.rig.send(queue);
    expect(answer.status).toBe(503);
    expect(refusalOf(answer)).toMatchObject({ code: 'NO_WORKER_AVAILABLE' });
    expect(answer.headers['retry-after']).toBe('1');
    expect(await lanes.depths(queue)).toEqual({ stable: 0, canary: 0 });
  });

  it('goes to the lane it asks for only where that is allowed, and to no canary that is not there', async () => {
    await deployed();
    const asking = { headers: { 'X-Canary-Lane': 'canary' } };
    const refused = await lanes.rig.send(queue, asking);
    expect(refused.status).toBe(400);
    expect(refusalOf(refused)).toMatchObject({ code: 'INVALID_DISPATCH' });
    expect(acceptedBy(await lanes.rig.send('overridden', asking))).toMatchObject({ lane: 'stable' });
    await lanes.rig.createDeployment({ queue: 'overridden', strategy: place.strategy });
    expect(acceptedBy(await lanes.rig.send('overridden', asking))).toMatchObject({
      lane: 'canary',
      version: 'v2',
    });
  });

  it('goes to stable after a roll-back, and by the promoted version after a promotion', async () => {
    const first = await deployed(100);
    expect(acceptedBy(await lanes.rig.send(queue))).toMatchObject({ lane: 'canary' });
    await lanes.rig.rollBack(first);
    const rolledBack = await lanes.rig.send(queue);
    expect(acceptedBy(rolledBack)).toMatchObject({ lane: 'stable', version: 'v1' });
    expect(rolledBack.headers).not.toHaveProperty('x-canary-deployment');
    const second = await lanes.rig.createDeployment({ queue, canaryVersion: 'v3', strategy: place.strategy });
    await lanes.rig.promote(second);
    expect(acceptedBy(await lanes.rig.send(queue))).toMatchObject({ lane: 'stable', version: 'v3' });
  });

  it('with the envelope raw leaves exactly its body', async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x7b, 0x0a]);
    await lanes.rig.send('raw', { body: bytes });
    const [job] = await lanes.take('raw', 'stable');
    expect(bytes.equals(job!.body)).toBe(true);
  });
});

describe('keys in Redis', () => {
  it('come from the template, and with the envelope raw the list holds the bodies and nothing else', async () => {
    const lanes = await start(LIST, {
      queues: 'mails: { key_template: "queue:{queue}", envelope: raw }',
    });
    await lanes.rig.createDeployment({ queue: 'mails', strategy: 'split_queue', currentPercent: 100 });
    await lanes.rig.send('mails', { body: '{"class":"Mailer"}' });
    const redis = lanes.redis!.client();
    expect(await redis.lrange('queue:mails@canary', 0, -1)).toEqual(['{"class":"Mailer"}']);
    expect(await redis.exists('queue:mails', 'mails')).toBe(0);
  });
});

describe('counting', () => {
  it('is of jobs put into lanes, which are no outcomes: those come with the workers', async () => {
    let fails = false;
    const lanes = await start(EMBEDDED, {
      ...withEnqueue((enqueueJobs) => async (...args) => {
        if (fails) throw new LanewiseError('STORE_UNAVAILABLE', 'gone');
        return enqueueJobs(...args);
      }),
    });
    const deployment = await lanes.rig.createDeployment({ strategy: 'split_queue' });
    await lanes.rig.sendAll(keyed(7));
    await lanes.rig.setPercentage(deployment, 100);
    await lanes.rig.sendAll(keyed(3));
    await lanes.rig.send('jobs', { headers: { 'X-Job-Id': 'a' } });
    await lanes.rig.send('jobs', { headers: { 'X-Job-Id': 'a' } });
    fails = true;
    await lanes.rig.send();
    await lanes.rig.send('nobody-knows-it');
    expect(await lanes.rig.metric('canary_jobs_enqueued_total')).toEqual(
      new Map([
        ['queue="jobs",lane="stable",result="stored"', 7],
        ['queue="jobs",lane="canary",result="stored"', 4],
        ['queue="jobs",lane="canary",result="duplicate"', 1],
        ['queue="jobs",lane="canary",result="failed"', 1],
      ]),
    );
    expect(await lanes.rig.metric('canary_dispatch_errors_total')).toEqual(
      new Map([
        ['queue="jobs",code="QUEUE_UNAVAILABLE"', 1],
        ['queue="",code="NO_WORKER_AVAILABLE"', 1],
      ]),
    );
    expect(await lanes.rig.metric('canary_jobs_total')).toEqual(new Map());
  });
});

describe('jobs of one turn', () => {
  it('share a call of the store, in their order, and each is told its own', async () => {
    const sizes: number[] = [];
    const lanes = await start(EMBEDDED, {
      queues: 'jobs: {}',
      ...withEnqueue((enqueueJobs) => (queue, jobs, options) => {
        sizes.push(jobs.length);
        return enqueueJobs(queue, jobs, options);
      }),
    });
    const socket = connect(lanes.rig.proxy.dispatchAddress.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    const ids = Array.from({ length: 300 }, (_, i) => `job-${i}`);
    socket.write(
      ids.map((id) => `POST /dispatch/jobs HTTP/1.1\r\nHost: x\r\nX-Job-Id: ${id}\r\n\r\n`).join(''),
    );
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    const accepted = (): Accepted[] =>
      [...text.matchAll(/\{"job_id".*?\}/g)].map(([json]) => JSON.parse(json) as Accepted);
    await vi.waitUntil(() => accepted().length === ids.length, PATIENCE);
    expect(accepted().map((answer) => answer.job_id)).toEqual(ids);
    expect((await lanes.take('jobs', 'stable')).map(({ id }) => id)).toEqual(ids);
    expect(sizes.reduce((a, b) => a + b, 0)).toBe(300);
    expect(sizes.length).toBeLessThan(300);
  });
});
