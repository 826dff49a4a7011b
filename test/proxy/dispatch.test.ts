import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Rig } from '../helpers/rig.ts';
import { TestWorker, type ReceivedJob } from '../helpers/worker.ts';
import { until } from '../helpers/patience.ts';

async function startRig(settings: Record<string, string> = {}): Promise<Rig> {
  const rig = await Rig.start({ settings });
  onTestFinished(() => rig[Symbol.asyncDispose]());
  return rig;
}

async function startWorker(...args: Parameters<typeof TestWorker.start>): Promise<TestWorker> {
  const worker = await TestWorker.start(...args);
  onTestFinished(() => worker.stop());
  return worker;
}

describe('what a worker gets', () => {
  let rig: Rig;
  let worker: TestWorker;

  beforeAll(async () => {
    rig = await Rig.start();
    worker = await TestWorker.start('v1');
    await rig.register({ id: 'w1', url: `${worker.url}/base`, version: 'v1' });
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await worker.stop();
  });

  async function sent(...args: Parameters<Rig['send']>): Promise<ReceivedJob> {
    const before = worker.jobs.length;
    expect((await rig.send(...args)).status).toBe(200);
    expect(worker.jobs.length).toBe(before + 1);
    return worker.jobs.at(-1)!;
  }

  it('is the same method, body and end-to-end headers, at its own path and query', async () => {
    const job = await sent('jobs', {
      method: 'PUT',
      path: '/a/b%20c?x=1&y=%2F',
      headers: { 'Content-Type': 'text/plain', 'X-Custom': 'yes', traceparent: '00-1-2-01' },
      body: 'the body',
    });
    expect(job).toMatchObject({ method: 'PUT', url: '/base/a/b%20c?x=1&y=%2F', body: 'the body' });
    expect(job.headers).toMatchObject({
      'content-type': 'text/plain',
      'content-length': '8',
      'x-custom': 'yes',
      traceparent: '00-1-2-01',
    });
  });

  it.each([
    ['', '/base'],
    ['?q=1', '/base?q=1'],
    ['/', '/base/'],
  ])('is sent to the worker url itself for %j', async (path, url) => {
    expect((await sent('jobs', { path })).url).toBe(url);
  });

  it.each(['GET', 'DELETE', 'PATCH', 'OPTIONS'])('may be a %s', async (method) => {
    expect((await sent('jobs', { method })).method).toBe(method);
  });

  it('says which job, queue, lane, version and attempt it is', async () => {
    const job = await sent('jobs', { headers: { 'X-Job-Id': 'job-1' }, body: '{}' });
    expect(job.headers).toMatchObject({
      'x-job-id': 'job-1',
      'x-canary-queue': 'jobs',
      'x-canary-lane': 'stable',
      'x-canary-version': 'v1',
      'x-canary-attempt': '1',
    });
  });

  it('says where the job came from', async () => {
    const job = await sent('jobs', {
      headers: { 'X-Forwarded-For': '203.0.113.7', Forwarded: 'for=203.0.113.7', Via: '1.1 edge' },
    });
    const host = new URL(rig.dispatchUrl).host;
    expect(job.headers).toMatchObject({
      'x-forwarded-for': '203.0.113.7, 127.0.0.1',
      'x-forwarded-host': host,
      'x-forwarded-proto': 'http',
      forwarded: `for=203.0.113.7, for=127.0.0.1;host="${host}";proto=http`,
      via: expect.stringMatching(/^1\.1 edge, 1\.1 lanewise-[0-9a-f]{8}$/) as string,
      host: new URL(worker.url).host,
    });
  });

  it('holds no hop-by-hop header, nor one that Connection names', async () => {
    const { hostname, port } = new URL(rig.dispatchUrl);
    const socket = connect(Number(port), hostname);
    socket.end(
      'GET /dispatch/jobs HTTP/1.1\r\nHost: x\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n' +
        'TE: trailers\r\nProxy-Authorization: Basic abc\r\nX-End: 2\r\n\r\n',
    );
    socket.resume();
    await once(socket, 'close');
    const { headers } = worker.jobs.at(-1)!;
    expect(headers['x-end']).toBe('2');
    for (const name of ['x-hop', 'keep-alive', 'te', 'proxy-authorization'])
      expect(headers).not.toHaveProperty(name);
  });

  it("does not hold forged headers of the proxy's own", async () => {
    const job = await sent('jobs', {
      headers: {
        'X-Canary-Version': 'forged',
        'X-Canary-Queue': 'forged',
        'X-Canary-Attempt': '9',
        'X-Canary-Worker': 'forged',
        'X-Canary-Deployment': 'forged',
      },
    });
    expect(JSON.stringify(job.rawHeaders)).not.toContain('forged');
    expect(job.headers['x-canary-attempt']).toBe('1');
  });

  it.each([
    'X-Job-Id',
    'Idempotency-Key',
    'ce-id',
    'X-CloudTasks-TaskName',
    'Upstash-Message-Id',
    'X-Aws-Sqsd-Msgid',
  ])('takes the job id from %s', async (name) => {
    const answer = await rig.send('jobs', { headers: { [name]: 'id-7' } });
    expect(answer.headers['x-job-id']).toBe('id-7');
    expect(worker.jobs.at(-1)!.headers['x-job-id']).toBe('id-7');
  });

  it("prefers X-Job-Id to other systems' headers, and the first of those to the later", async () => {
    const headers = { 'ce-id': 'c', 'Idempotency-Key': 'b' };
    expect((await rig.send('jobs', { headers })).headers['x-job-id']).toBe('b');
    expect((await rig.send('jobs', { headers: { ...headers, 'X-Job-Id': 'a' } })).headers['x-job-id']).toBe(
      'a',
    );
  });

  it('has an id of its own if the producer gave none, or an empty one', async () => {
    const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    expect((await rig.send()).headers['x-job-id']).toMatch(uuidV7);
    expect((await rig.send('jobs', { headers: { 'X-Job-Id': '' } })).headers['x-job-id']).toMatch(uuidV7);
  });

  it('comes whole when it is large or chunked', async () => {
    const large = 'x'.repeat(1_000_000);
    expect((await sent('jobs', { body: large })).body).toBe(large);

    const url = new URL(`${rig.dispatchUrl}/dispatch/jobs`);
    const chunked = httpRequest(url, { method: 'POST' });
    Readable.from(['one ', 'two ', 'three']).pipe(chunked);
    const [response] = (await once(chunked, 'response')) as [NodeJS.ReadableStream];
    response.resume();
    expect(worker.jobs.at(-1)).toMatchObject({ body: 'one two three' });
  });
});

describe('what the producer gets back', () => {
  it("is the worker's answer, and who gave it", async () => {
    const rig = await startRig();
    const worker = await startWorker('v1', (_job, response) => {
      response.writeHead(201, 'Made', {
        'X-Result': 'fine',
        'X-Canary-Lane': 'forged',
        'X-Canary-Error': 'forged',
        'X-Job-Id': 'forged',
        'Keep-Alive': 'timeout=1',
      });
      response.end('done');
    });
    await rig.register({ id: 'w1', url: worker.url });
    const answer = await rig.send('jobs', { headers: { 'X-Job-Id': 'j' } });
    expect(answer).toMatchObject({ status: 201, body: 'done' });
    expect(answer.headers).toMatchObject({
      'x-result': 'fine',
      'x-job-id': 'j',
      'x-canary-lane': 'stable',
      'x-canary-version': 'v1',
      'x-canary-worker': 'w1',
      via: expect.stringMatching(/^1\.1 lanewise-[0-9a-f]{8}$/) as string,
    });
    expect(answer.headers).not.toHaveProperty('x-canary-deployment');
    expect(answer.headers).not.toHaveProperty('x-canary-error');
    expect(answer.headers).not.toHaveProperty('x-canary-fallback');
  });

  it.each([204, 304, 404, 500, 503])('passes the status %i on', async (status) => {
    const rig = await startRig();
    const worker = await startWorker('v1', (_job, response) => response.writeHead(status).end());
    await rig.register({ url: worker.url });
    const answer = await rig.send();
    expect(answer.status).toBe(status);
    expect(answer.headers).not.toHaveProperty('x-canary-error');
  });

  it('answers HEAD without a body', async () => {
    const rig = await startRig();
    const worker = await startWorker('v1', (_job, response) =>
      response.writeHead(200, { 'Content-Length': '5' }).end(),
    );
    await rig.register({ url: worker.url });
    const answer = await rig.send('jobs', { method: 'HEAD' });
    expect(answer).toMatchObject({ status: 200, body: '' });
    expect(answer.headers['content-length']).toBe('5');
  });

  it('is streamed: the first part arrives while the worker still works', async () => {
    const rig = await startRig();
    let finish = (): void => {};
    const worker = await startWorker('v1', (_job, response) => {
      response.write('first');
      finish = () => response.end(' second');
    });
    await rig.register({ url: worker.url });
    const response = await fetch(`${rig.dispatchUrl}/dispatch/jobs`, { method: 'POST' });
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    expect(decoder.decode((await reader.read()).value)).toBe('first');
    finish();
    expect(decoder.decode((await reader.read()).value)).toBe(' second');
    expect((await reader.read()).done).toBe(true);
  });

  it('keeps trailers', async () => {
    const rig = await startRig();
    const worker = await startWorker('v1', (_job, response) => {
      response.writeHead(200, { Trailer: 'X-Sum' });
      response.write('data');
      response.addTrailers({ 'X-Sum': '42' });
      response.end();
    });
    await rig.register({ url: worker.url });
    const outgoing = httpRequest(`${rig.dispatchUrl}/dispatch/jobs`, { method: 'POST' }).end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    expect(response.trailers).toEqual({ 'x-sum': '42' });
  });
});

describe('answers that the proxy makes itself', () => {
  function errorOf(answer: { body: string; headers: Record<string, unknown> }) {
    const body = JSON.parse(answer.body) as { code: string; error: string; details: Record<string, string> };
    expect(answer.headers['x-canary-error']).toBe(body.code);
    expect(answer.headers['content-type']).toBe('application/json');
    return body;
  }

  it('503 NO_WORKER_AVAILABLE with Retry-After where nobody serves the queue', async () => {
    const rig = await startRig();
    const answer = await rig.send('nobody', { headers: { 'X-Job-Id': 'j' } });
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({ 'retry-after': '1', 'x-job-id': 'j' });
    expect(errorOf(answer)).toMatchObject({ code: 'NO_WORKER_AVAILABLE', details: {} });
  });

  it('503 WORKER_UNREACHABLE when every candidate refuses the connection', async () => {
    const rig = await startRig();
    const [a, b] = [await TestWorker.start('v1'), await TestWorker.start('v1')];
    await rig.register({ id: 'a', url: a.url });
    await rig.register({ id: 'b', url: b.url });
    await Promise.all([a.stop(), b.stop()]);
    const answer = await rig.send('jobs', { body: 'x' });
    expect(answer.status).toBe(503);
    const error = errorOf(answer);
    expect(error.code).toBe('WORKER_UNREACHABLE');
    expect(error.error).toMatch(/a, b|b, a/);
    expect([...(await rig.metric('canary_jobs_total'))].filter(([, count]) => count > 0)).toEqual([
      ['queue="jobs",lane="stable",version="v1",outcome="unreachable"', 1],
    ]);
  });

  it('504 WORKER_TIMEOUT when no answer comes in time', async () => {
    const rig = await startRig({ LANEWISE_DISPATCH_TIMEOUT: '50ms' });
    const worker = await startWorker('v1', () => {});
    await rig.register({ url: worker.url });
    const answer = await rig.send();
    expect(answer.status).toBe(504);
    expect(errorOf(answer).code).toBe('WORKER_TIMEOUT');
  });

  it('502 WORKER_FAILED when the worker breaks off before it answers, and is not tried again', async () => {
    const rig = await startRig();
    const worker = await startWorker('v1', (_job, response) => response.destroy());
    await rig.register({ url: worker.url });
    const answer = await rig.send('jobs', { body: 'once' });
    expect(answer.status).toBe(502);
    expect(errorOf(answer).code).toBe('WORKER_FAILED');
    expect(worker.jobs.length).toBe(1);
  });

  it('502 WORKER_FAILED also while the producer is still sending', async () => {
    const rig = await startRig();
    const worker = await startWorker('v1', undefined, (request) => request.socket.destroy());
    await rig.register({ url: worker.url });
    const outgoing = httpRequest(`${rig.dispatchUrl}/dispatch/jobs`, { method: 'POST' });
    outgoing.write('a beginning without an end');
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(502);
    expect(response.headers['x-canary-error']).toBe('WORKER_FAILED');
    outgoing.on('error', () => {});
    outgoing.destroy();
  });

  it('breaks the connection off when the worker breaks off in the middle of an answer', async () => {
    const rig = await startRig();
    const worker = await startWorker('v1', (_job, response) => {
      response.writeHead(200, { 'Content-Length': '100' });
      response.write('half', () => response.destroy());
    });
    await rig.register({ url: worker.url });
    await expect(rig.send()).rejects.toThrow(/other side closed|terminated|ECONNRESET/);
  });

  it('413 PAYLOAD_TOO_LARGE over the limit, declared or not', async () => {
    const rig = await startRig({ LANEWISE_DISPATCH_BODY_BYTES_MAX: '10' });
    const worker = await startWorker('v1');
    await rig.register({ url: worker.url });
    expect((await rig.send('jobs', { body: '0123456789' })).status).toBe(200);
    const declared = await rig.send('jobs', { body: '0123456789a' });
    expect(declared.status).toBe(413);
    expect(errorOf(declared)).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      details: { body: 'must be at most 10 bytes' },
    });
    const outgoing = httpRequest(`${rig.dispatchUrl}/dispatch/jobs`, { method: 'POST' });
    outgoing.write('0123456789');
    outgoing.end('and more');
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(413);
  });

  it.each([
    ['my%20queue', {}, 'queue'],
    ['', {}, 'queue'],
    ['jobs', { 'X-Job-Id': 'x'.repeat(600) }, 'X-Job-Id'],
    ['jobs', { 'X-Canary-Lane': 'fast' }, 'X-Canary-Lane'],
    ['jobs', { 'X-Tenant-Id': 'two words' }, 'X-Tenant-Id'],
  ])('400 INVALID_DISPATCH for %j with %j, naming %s', async (queue, headers, field) => {
    const rig = await startRig();
    const answer = await rig.send(queue, { headers });
    expect(answer.status).toBe(400);
    const error = errorOf(answer);
    expect(error.code).toBe('INVALID_DISPATCH');
    expect(Object.keys(error.details)).toEqual([field]);
  });

  it('400 for a path that is no dispatch, never 404', async () => {
    const rig = await startRig();
    const response = await fetch(`${rig.dispatchUrl}/elsewhere`);
    expect(response.status).toBe(400);
    expect(response.headers.get('x-canary-error')).toBe('INVALID_DISPATCH');
  });

  it('400 and a closed connection for what is not HTTP', async () => {
    const rig = await startRig();
    const { hostname, port } = new URL(rig.dispatchUrl);
    const socket = connect(Number(port), hostname);
    socket.write(
      'POST /dispatch/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(socket, 'close');
    const answer = Buffer.concat(chunks).toString();
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toContain('X-Canary-Error: INVALID_DISPATCH');
  });

  it('503 PROXY_OVERLOADED over the limit of dispatches under way, and serves again below it', async () => {
    const rig = await startRig({ LANEWISE_MAX_IN_FLIGHT: '1' });
    const held: (() => void)[] = [];
    const worker = await startWorker('v1', (_job, response) => held.push(() => response.end()));
    await rig.register({ url: worker.url });
    const first = rig.send();
    await until(() => held.length === 1);
    const second = await rig.send();
    expect(second.status).toBe(503);
    expect(second.headers['retry-after']).toBe('1');
    expect(errorOf(second).code).toBe('PROXY_OVERLOADED');
    held[0]!();
    expect((await first).status).toBe(200);
    const third = rig.send();
    await until(() => held.length === 2);
    held[1]!();
    expect((await third).status).toBe(200);
  });
});

describe('fail-over', () => {
  it('goes to the next candidate of the lane when connecting fails, with the whole body', async () => {
    const rig = await startRig();
    const [dead, alive] = [await TestWorker.start('v1'), await startWorker('v1')];
    await rig.register({ id: 'dead', url: dead.url });
    await rig.register({ id: 'alive', url: alive.url });
    await dead.stop();
    const large = 'y'.repeat(100_000);
    const sends = Array.from({ length: 50 }, (_, i) => ({
      headers: { 'X-Job-Id': `j${i}` },
      body: i % 2 ? 'small' : large,
    }));
    const answers = await rig.sendAll(sends);
    expect(new Set(answers.map((a) => `${a.status} ${String(a.headers['x-canary-worker'])}`))).toEqual(
      new Set(['200 alive']),
    );
    expect(alive.jobs.map((job) => job.body.length).toSorted((a, b) => a - b)).toEqual(
      sends.map((send) => send.body.length).toSorted((a, b) => a - b),
    );
  });

  it('goes to stable when nobody of the canary lane is home, and says so', async () => {
    const rig = await startRig();
    const stable = await startWorker('v1');
    await rig.register({ id: 's', url: stable.url, version: 'v1' });
    const deployment = await rig.createDeployment();
    await rig.setPercentage(deployment, 100);
    const answer = await rig.send();
    expect(answer.headers).toMatchObject({
      'x-canary-fallback': 'true',
      'x-canary-lane': 'stable',
      'x-canary-worker': 's',
      'x-canary-deployment': deployment.id,
    });
    expect(await rig.metric('canary_job_fallbacks_total')).toEqual(new Map([['queue="jobs"', 1]]));
  });

  it('never goes from stable to the canary', async () => {
    const rig = await startRig();
    const canary = await startWorker('v2');
    await rig.register({ url: canary.url, version: 'v2', lane: 'canary' });
    await rig.createDeployment();
    const answer = await rig.send();
    expect(answer.status).toBe(503);
    expect(answer.body).toContain('stable 0 of 0 usable, canary 1 of 1 usable at 0 %');
    expect(canary.jobs).toEqual([]);
  });
});

describe('a producer that goes away', () => {
  it('is noticed by the worker, and counted as aborted', async () => {
    const rig = await startRig();
    let gone: Promise<unknown> | undefined;
    const worker = await startWorker('v1', (_job, response) => {
      gone = once(response, 'close');
    });
    await rig.register({ url: worker.url });
    const outgoing = httpRequest(`${rig.dispatchUrl}/dispatch/jobs`, { method: 'POST' }).end();
    outgoing.on('error', () => {});
    await until(() => gone !== undefined);
    outgoing.destroy();
    await gone;
    await until(
      async () =>
        (await rig.metric('canary_jobs_total')).get(
          'queue="jobs",lane="stable",version="v1",outcome="aborted"',
        ) === 1,
    );
    expect(await rig.metric('canary_jobs_in_flight')).toEqual(
      new Map([['queue="jobs",lane="stable",version="v1"', 0]]),
    );
  });
});

describe('lane override', () => {
  it('is refused by default', async () => {
    const rig = await startRig();
    const worker = await startWorker('v1');
    await rig.register({ url: worker.url });
    const answer = await rig.send('jobs', { headers: { 'X-Canary-Lane': 'canary' } });
    expect(answer.status).toBe(400);
    expect(answer.body).toContain('allow_lane_override');
  });

  it('picks the lane where the queue allows it', async () => {
    const rig = await startRig({ LANEWISE_QUEUES: '{"jobs": {"allow_lane_override": true}}' });
    const [stable, canary] = [await startWorker('v1'), await startWorker('v2')];
    await rig.register({ url: stable.url, version: 'v1' });
    await rig.register({ url: canary.url, version: 'v2' });
    await rig.createDeployment();
    expect((await rig.send('jobs', { headers: { 'X-Canary-Lane': 'canary' } })).body).toBe('v2');
    expect((await rig.send('jobs', { headers: { 'X-Canary-Lane': 'stable' } })).body).toBe('v1');
  });
});

describe('draining', () => {
  it('lets a running dispatch finish, and says so on /readyz', async () => {
    const rig = await startRig();
    let finish = (): void => {};
    const worker = await startWorker('v1', (_job, response) => {
      finish = () => response.end('done');
    });
    await rig.register({ url: worker.url });
    const running = rig.send();
    await until(() => worker.jobs.length === 1);
    expect((await rig.admin('/readyz')).status).toBe(200);
    const closed = rig.proxy.close(60_000);
    expect(await rig.admin('/readyz')).toMatchObject({ status: 503, body: '{"status":"draining"}' });
    finish();
    expect(await running).toMatchObject({ status: 200, body: 'done' });
    await closed;
  });

  it('ends what runs past the deadline with a clear error', async () => {
    const rig = await startRig();
    const worker = await startWorker('v1', () => {});
    await rig.register({ url: worker.url });
    const running = rig.send();
    await until(() => worker.jobs.length === 1);
    await rig.proxy.close(1);
    expect(await running).toMatchObject({ status: 503 });
  });
});
