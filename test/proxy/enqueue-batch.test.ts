import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import * as fc from 'fast-check';
import type { QueueJob } from '../../src/core/queue-job.ts';
import { LanewiseError } from '../../src/core/errors.ts';
import { until } from '../helpers/patience.ts';
import type { Answer } from '../helpers/rig.ts';
import { acceptedBatch, acceptedBy, aQueueName, deaf, EnqueueRig, PLACES, refusalOf } from './enqueue-rig.ts';

type Line = Readonly<Record<string, unknown>>;

function linesOf(jobs: readonly Line[]): string {
  return jobs.map((job) => `${JSON.stringify(job)}\n`).join('');
}

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe.each(PLACES)('a batch: $name', (place) => {
  let lanes: EnqueueRig;
  let queue: string;

  beforeAll(async () => {
    lanes = await EnqueueRig.start(place, { queues: 'forwarded: { routing_strategy: hash_ring }' });
  });
  afterAll(() => lanes[Symbol.asyncDispose]());

  async function deployed(percentage = 0): Promise<Awaited<ReturnType<typeof lanes.rig.createDeployment>>> {
    queue = aQueueName();
    return lanes.rig.createDeployment({ queue, currentPercent: percentage, strategy: place.strategy });
  }

  function send(
    jobs: readonly Line[] | string | Buffer,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const body = typeof jobs === 'string' || Buffer.isBuffer(jobs) ? jobs : linesOf(jobs);
    return lanes.rig.send(`${queue}:batch`, {
      headers: { 'Content-Type': 'application/x-ndjson', ...headers },
      body,
    });
  }

  async function nothingStored(): Promise<void> {
    expect(await lanes.depths(queue)).toEqual({ stable: 0, canary: 0 });
  }

  it('is answered 202 with every lane, in its order, and lies there in that order', async () => {
    await deployed(30);
    const jobs = Array.from({ length: 1000 }, (_, i) => ({ id: `job-${i}`, body: `{"n":${i}}` }));
    const answer = await send(jobs);
    expect(answer.status).toBe(202);
    const accepted = acceptedBatch(answer);
    expect(accepted).toMatchObject({ queue, strategy: place.strategy });
    expect(accepted.jobs.map((job) => job.job_id)).toEqual(jobs.map(({ id }) => id));
    for (const lane of ['stable', 'canary'] as const) {
      const expected = accepted.jobs.filter((job) => job.lane === lane);
      expect(new Set(expected.map(({ version }) => version))).toEqual(
        new Set([lane === 'canary' ? 'v2' : 'v1']),
      );
      expect((await lanes.take(queue, lane)).map(({ id }) => id)).toEqual(expected.map((job) => job.job_id));
    }
    expect(accepted.jobs.filter(({ lane }) => lane === 'canary').length).toBeGreaterThan(200);
  });

  it('means what the same jobs mean when they are sent alone', async () => {
    await deployed(50);
    const [alone, batched] = [queue, aQueueName()];
    await lanes.rig.createDeployment({
      queue: batched,
      currentPercent: 0,
      strategy: place.strategy,
      tenant: 'acme',
    });
    const sent = {
      id: 'Zürich 1',
      key: 'Kunde Ä',
      tenant: 'acme',
      method: 'PUT',
      path: '/a?b=1',
      headers: { 'Content-Type': 'text/plain', 'X-City': 'Zürich', traceparent: TRACE, tracestate: 'v=1' },
      body: 'Grüße\u0000\ufeff',
    };
    const bytes = (text: string): string => Buffer.from(text).toString('latin1');
    const single = await lanes.rig.send(alone, {
      method: 'PUT',
      path: sent.path,
      headers: {
        ...sent.headers,
        'X-City': bytes('Zürich'),
        'X-Job-Id': bytes(sent.id),
        'X-Canary-Sticky-Key': bytes(sent.key),
        'X-Tenant-Id': sent.tenant,
      },
      body: sent.body,
    });
    expect(acceptedBy(single).job_id).toBe(sent.id);
    queue = batched;
    const batch = await send([sent]);
    expect(acceptedBatch(batch).jobs[0]!.job_id).toBe(sent.id);
    const jobOf = async (name: string): Promise<Partial<QueueJob>> => {
      const jobs = [...(await lanes.take(name, 'stable')), ...(await lanes.take(name, 'canary'))];
      expect(jobs).toHaveLength(1);
      const { enqueuedAt: _at, lane: _lane, version: _version, headers, ...rest } = jobs[0]!;
      // In any order and spelling.
      const lower = Object.entries(headers).map(([name_, value]) => [name_.toLowerCase(), value] as const);
      return {
        ...rest,
        body: Buffer.from(rest.body),
        headers: Object.fromEntries(lower.toSorted(([a], [b]) => (a < b ? -1 : 1))),
      };
    };
    expect(await jobOf(batched)).toEqual(await jobOf(alone));
  });

  it('needs an empty object a job, and passes over blank lines', async () => {
    await deployed();
    const { jobs } = acceptedBatch(await send('{}\r\n\n  \n{}'));
    expect(jobs).toHaveLength(2);
    const stored = await lanes.take(queue, 'stable');
    expect(stored.map(({ id }) => id)).toEqual(jobs.map((job) => job.job_id));
    expect(stored.map(({ body }) => body.length)).toEqual([0, 0]);
  });

  it('carries bytes as base64, and the trace, tenant and lane of the request where a line has none', async () => {
    await deployed();
    await send(
      [
        { body_base64: Buffer.from([0xff, 0x00]).toString('base64') },
        { tenant: 'own', headers: { traceparent: TRACE } },
      ],
      { 'X-Tenant-Id': 'acme', traceparent: TRACE.replace('b7', 'c8'), tracestate: 'v=2' },
    );
    const [first, second] = await lanes.take(queue, 'stable');
    expect([...first!.body]).toEqual([0xff, 0x00]);
    expect(first).toMatchObject({ tenant: 'acme', trace: { tracestate: 'v=2' } });
    expect(first!.headers).toMatchObject({ 'X-Tenant-Id': 'acme' });
    expect(second).toMatchObject({ tenant: 'own', trace: { traceparent: TRACE } });
    expect(second!.trace).not.toHaveProperty('tracestate');
  });

  it('routes each job by its tenant', async () => {
    await deployed(0);
    await lanes.rig.createDeployment({
      queue,
      tenant: 'acme',
      canaryVersion: 'v3',
      currentPercent: 100,
      strategy: place.strategy,
    });
    const { jobs } = acceptedBatch(await send([{ tenant: 'acme' }, { tenant: 'other' }, {}]));
    expect(jobs.map(({ lane, version }) => `${lane} ${version}`)).toEqual([
      'canary v3',
      'stable v1',
      'stable v1',
    ]);
  });

  it('says of each job whether it was there already, also within itself', async () => {
    const deployment = await deployed(0);
    await lanes.rig.send(queue, { headers: { 'X-Job-Id': 'b' } });
    await lanes.rig.setPercentage(deployment, 100);
    const { jobs } = acceptedBatch(await send([{ id: 'a' }, { id: 'b' }, { id: 'a' }]));
    expect(jobs).toEqual([
      { job_id: 'a', lane: 'canary', version: 'v2' },
      { job_id: 'b', lane: 'stable', version: 'v1', duplicate: true },
      { job_id: 'a', lane: 'canary', version: 'v2', duplicate: true },
    ]);
    expect(await lanes.depths(queue)).toEqual({ stable: 1, canary: 1 });
  });

  it('with bad lines is refused whole, and every one of them named', async () => {
    await deployed();
    const good = '{"body":"fine"}';
    const bad: [line: string, problem: RegExp][] = [
      ['{"id": 7}', /^id must be a text$/],
      ['{"id": "a\\u0001"}', /^X-Job-Id must be 1 to 512 printable bytes$/],
      ['{"tenant": "two words"}', /^X-Tenant-Id must be 1 to 128 visible ASCII/],
      ['{"id": "a", "headers": {"X-Job-Id": "b"}}', /^X-Job-Id must be given at most once$/],
      ['{"method": "CONNECT"}', /^method must be one of POST/],
      ['{"path": "a"}', /^path must begin with \//],
      ['{"path": "/a b"}', /^path must begin with \//],
      ['{"headers": []}', /^headers must be an object/],
      ['{"headers": {"a b": "1"}}', /^headers\.a b is not a header name$/],
      ['{"headers": {"a": "1\\r\\nb: 2"}}', /^headers\.a must not hold control characters$/],
      ['{"headers": {"a": 1}}', /^headers\.a must be a text$/],
      ['{"body": {"n": 1}}', /^body must be a text$/],
      ['{"body": "\\ud800"}', /^body holds half of a surrogate pair$/],
      ['{"body_base64": "a b="}', /^body_base64 must be base64/],
      ['{"body": "", "body_base64": ""}', /^body must not be given with body_base64$/],
      ['{"boddy": ""}', /^boddy is not a field; those are id, key,/],
      ['[]', /^must be a JSON object$/],
      ['null', /^must be a JSON object$/],
      ['{"id":', /^is not JSON in UTF-8 \(/],
      ['{"headers": {"X-Canary-Lane": "blue"}}', /^X-Canary-Lane must be one of stable, canary/],
      ['7', /never shown/],
      ['8', /never shown/],
    ];
    const answer = await send(bad.map(([line]) => `${good}\n${line}\n`).join(''));
    expect(answer.status).toBe(400);
    const { code, details, error } = refusalOf(answer);
    expect(code).toBe('INVALID_DISPATCH');
    expect(error).toBe(
      `Nothing was stored: ${bad.length} of ${2 * bad.length} lines are no job, the first 20 of which are named`,
    );
    expect(Object.keys(details)).toEqual(bad.slice(0, 20).map((_, i) => `line ${2 * i + 2}`));
    for (const [i, problem] of Object.values(details).entries()) expect(problem).toMatch(bad[i]![1]);
    await nothingStored();
  });

  it('that is not UTF-8, empty, or too long is refused', async () => {
    await deployed();
    const binary = await send(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]));
    expect(refusalOf(binary).details).toMatchObject({
      'line 1': expect.stringContaining('is not JSON in UTF-8') as string,
    });
    expect((await send('')).status).toBe(400);
    expect((await send('\n\n')).status).toBe(400);
    const long = await send(Array.from({ length: 1001 }, () => ({})));
    expect(long.status).toBe(400);
    expect(refusalOf(long).error).toMatch('more than 1000 jobs');
    await nothingStored();
  });

  it('is bound in the size of each body and of the whole', async () => {
    await deployed();
    const large = await send([{ body: 'fine' }, { body: 'x'.repeat(1024 * 1024 + 1) }]);
    expect(large.status).toBe(400);
    expect(refusalOf(large).details).toEqual({
      'line 2': 'body must be at most 1048576 bytes',
    });
    const whole = await send(Buffer.alloc(16 * 1024 * 1024 + 1, 0x20));
    expect(whole.status).toBe(413);
    await nothingStored();
    // As large as it may be, in one step; sent again where a busy Redis has not confirmed it in time.
    const jobs = Array.from({ length: 15 }, (_, i) => ({ id: `large-${i}`, body: 'x'.repeat(1024 * 1024) }));
    let status = 503;
    await until(async () => ({ status } = await send(jobs)).status !== 503);
    expect(status).toBe(202);
    expect(await lanes.depths(queue)).toEqual({ stable: 15, canary: 0 });
  });

  it('is a POST to the queue itself, of a queue that somebody knows and that stores its jobs', async () => {
    queue = 'forwarded';
    const forwarded = await send([{}]);
    // Nobody serves it, and if somebody did:
    expect(forwarded.status).toBe(400);
    expect(refusalOf(forwarded).error).toMatch('uses hash_ring');
    await deployed();
    expect((await lanes.rig.send(`${queue}:batch`, { method: 'PUT', body: '{}' })).status).toBe(400);
    expect((await lanes.rig.send(`${queue}:batch`, { path: '/x', body: '{}' })).status).toBe(400);
    expect((await lanes.rig.send(`${queue}:bulk`, { body: '{}' })).status).toBe(400);
    expect((await lanes.rig.send(`${queue}%3Abatch`, { body: '{}' })).status).toBe(202);
    const unknown = await lanes.rig.send(`${aQueueName()}:batch`, { body: '{}' });
    expect(refusalOf(unknown)).toMatchObject({ code: 'NO_WORKER_AVAILABLE' });
  });

  it('is refused where its tenants have different strategies', async () => {
    await deployed();
    const other = place.strategy === 'split_queue' ? 'stream_group' : 'split_queue';
    await lanes.rig.createDeployment({ queue, tenant: 'acme', strategy: other });
    const answer = await send([{ tenant: 'acme' }, {}]);
    expect(answer.status).toBe(400);
    expect(refusalOf(answer).error).toMatch(/different routing strategies/);
    await nothingStored();
  });

  it('is routed again as a whole where a fence stands against it', async () => {
    const deployment = await deployed(100);
    const behind = await lanes.another({ through: deaf });
    await lanes.rig.rollBack(deployment);
    const { epoch, revision } = lanes.rig.proxy.table;
    await lanes.store.fenceQueue(lanes.laneQueue(queue), undefined, { epoch, revision });
    const answer = await behind.send(`${queue}:batch`, {
      body: linesOf(Array.from({ length: 200 }, () => ({}))),
    });
    const { jobs } = acceptedBatch(answer);
    expect(new Set(jobs.map(({ lane }) => lane))).toEqual(new Set(['stable']));
    expect(await lanes.depths(queue)).toEqual({ stable: 200, canary: 0 });
  });
});

describe('a batch', () => {
  it('whose answer got lost is stored once when it is sent again', async () => {
    let loses = true;
    const lanes = await EnqueueRig.start(PLACES[2]!, {
      queues: 'jobs: {}',
      through: (store) => ({
        ...store,
        enqueueJobs: async (...args) => {
          const result = await store.enqueueJobs(...args);
          if (loses) throw new LanewiseError('STORE_UNAVAILABLE', 'the connection was lost');
          return result;
        },
      }),
    });
    onTestFinished(() => lanes[Symbol.asyncDispose]());
    const body = linesOf(Array.from({ length: 10 }, (_, i) => ({ id: `job-${i}` })));
    const lost = await lanes.rig.send('jobs:batch', { body });
    expect(lost.status).toBe(503);
    expect(refusalOf(lost)).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    loses = false;
    const again = acceptedBatch(await lanes.rig.send('jobs:batch', { body }));
    expect(again.jobs.map(({ duplicate }) => duplicate)).toEqual(Array(10).fill(true));
    expect(await lanes.depths('jobs')).toEqual({ stable: 10, canary: 0 });
  });

  it('of whatever bytes is stored or refused, and never breaks the proxy', async () => {
    const lanes = await EnqueueRig.start(PLACES[2]!, { queues: 'jobs: {}' });
    onTestFinished(() => lanes[Symbol.asyncDispose]());
    const line = fc.oneof(
      fc.json(),
      fc.string({ unit: 'binary' }),
      fc
        .dictionary(
          fc.constantFrom('id', 'key', 'tenant', 'method', 'path', 'headers', 'body', 'body_base64'),
          fc.oneof(fc.string({ unit: 'binary' }), fc.dictionary(fc.string(), fc.string()), fc.jsonValue()),
        )
        .map((fields) => JSON.stringify(fields)),
    );
    let stored = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
        const answer = await lanes.rig.send('jobs:batch', { body: lines.join('\n') });
        expect([202, 400]).toContain(answer.status);
        if (answer.status === 202)
          stored += acceptedBatch(answer).jobs.filter(({ duplicate }) => duplicate !== true).length;
        expect((await lanes.depths('jobs')).stable).toBe(stored);
      }),
      { numRuns: 300 },
    );
    expect(await lanes.take('jobs', 'stable')).toHaveLength(stored);
  });
});
