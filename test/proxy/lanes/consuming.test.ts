import { describe, expect, it, vi } from 'vitest';
import { aJob, someJobs } from '../../runtime/store/lane-fixture.ts';
import { TestWorker, type ReceivedJob } from '../../helpers/worker.ts';
import { KINDS, LaneRigs, PATIENT } from './lane-rig.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

function header(jobs: readonly ReceivedJob[], name: string): (string | string[] | undefined)[] {
  return jobs.map(({ headers }) => headers[name]);
}

describe.each(KINDS)('a job from a lane (%s)', (kind) => {
  it('goes to a worker of its lane, as its producer sent it, and is done', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start();
    await using v1 = await TestWorker.start('v1');
    await using v2 = await TestWorker.start('v2');
    await proxy.createDeployment();
    await proxy.register({ url: `${v1.url}/base`, version: 'v1' });
    await proxy.register({ url: v2.url, version: 'v2' });
    const job = aJob({
      method: 'PUT',
      path: '/charge?dry=1',
      headers: { 'content-type': 'text/plain', 'x-own': 'yes', 'content-length': '99', connection: 'close' },
      trace: { traceparent: TRACEPARENT },
      body: Buffer.from('what is due'),
    });
    await proxy.put([job, aJob({ lane: 'canary' })]);
    await proxy.emptied();
    expect(v1.jobs).toMatchObject([
      {
        method: 'PUT',
        url: '/base/charge?dry=1',
        body: 'what is due',
        headers: {
          'content-type': 'text/plain',
          'content-length': '11',
          'x-own': 'yes',
          traceparent: TRACEPARENT,
          'x-job-id': job.id,
          'x-canary-queue': 'jobs',
          'x-canary-lane': 'stable',
          'x-canary-version': 'v1',
          'x-canary-attempt': '1',
        },
      },
    ]);
    expect(v2.jobs).toMatchObject([{ headers: { 'x-canary-lane': 'canary', 'x-canary-version': 'v2' } }]);
  });

  it('is tried again until it succeeds, and told which attempt it is', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start();
    await using worker = await TestWorker.start('v1', (job, response) => {
      response.statusCode = job.headers['x-canary-attempt'] === '3' ? 200 : 500;
      response.end('not yet');
    });
    await proxy.register({ url: worker.url });
    const [id] = await proxy.putOne();
    await vi.waitUntil(() => worker.jobs.length === 3, PATIENT);
    await proxy.emptied();
    expect(header(worker.jobs, 'x-canary-attempt')).toEqual(['1', '2', '3']);
    expect(header(worker.jobs, 'x-job-id')).toEqual([id, id, id]);
    expect(await proxy.dead()).toEqual([]);
  });

  it('that always fails is dead after max_attempts, with what the worker said each time', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start({ queue: { max_attempts: 3 } });
    await using worker = await TestWorker.start('v1', (_job, response) => {
      response.writeHead(500).end('no such account '.repeat(1_000));
    });
    const { id: workerId } = await proxy.register({ url: worker.url });
    const [poison] = await proxy.putOne();
    await vi.waitUntil(async () => (await proxy.dead()).length === 1, PATIENT);
    const attempt = {
      version: 'v1',
      worker: workerId,
      outcome: 'failure',
      status: 500,
      message: expect.stringMatching(/^(no such account ){31}/),
    };
    expect(await proxy.dead()).toMatchObject([
      {
        lane: 'stable',
        reason: 'the last of 3 attempts ended in a failure: status 500',
        content: { job: { id: poison, attempt: 3, history: [attempt, attempt, attempt] } },
      },
    ]);
    // It stood in nobody's way.
    worker.answer = (_job, response) => response.end();
    await proxy.putSome(3);
    await proxy.emptied();
    expect(worker.jobs).toHaveLength(6);
    expect(await proxy.rig.metric('canary_jobs_buried_total')).toEqual(new Map([['queue="jobs"', 1]]));
  });

  it('whose worker dies on the way is tried again', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start();
    await using frail = await TestWorker.start('v1', () => void frail.stop());
    await using other = await TestWorker.start('v1');
    const registered = await proxy.register({ url: frail.url });
    const [id] = await proxy.putOne();
    await vi.waitUntil(() => frail.jobs.length === 1, PATIENT);
    await proxy.rig.remove(registered);
    await proxy.register({ url: other.url });
    await vi.waitUntil(() => other.jobs.length === 1, PATIENT);
    await proxy.emptied();
    expect(other.jobs[0]?.headers['x-job-id']).toBe(id);
    // It may have been offered to the dead one again before that was gone from the routes.
    expect(Number(other.jobs[0]?.headers['x-canary-attempt'])).toBeGreaterThan(1);
  });

  it('that a worker turns away comes when the worker says, and has no attempt less', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start({ queue: { max_attempts: 1 } });
    await using worker = await TestWorker.start('v1', (job, response) => {
      const attempt = Number(job.headers['x-canary-attempt']);
      if (attempt === 1) response.writeHead(503, { 'retry-after': '0' }).end();
      else if (attempt === 2) response.writeHead(429).end();
      else response.end();
    });
    await proxy.register({ url: worker.url });
    await proxy.putOne();
    await vi.waitUntil(() => worker.jobs.length === 3, PATIENT);
    await proxy.emptied();
    expect(await proxy.dead()).toEqual([]);
  });

  it('that can not be read is dead at once, with the reason', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start();
    await using worker = await TestWorker.start('v1');
    await proxy.register({ url: worker.url });
    const garbage = ['{"v":7}', 'not JSON', Buffer.of(0xff, 0xfe)].map((bytes) => Buffer.from(bytes));
    if (kind === 'embedded') {
      const raw = { ...proxy.queue(), envelope: 'raw' } as const;
      const jobs = garbage.map((body) => aJob({ body }));
      await proxy.store.enqueueJobs(raw, jobs, { routedBy: { epoch: 'a', revision: 1 } });
    } else {
      const redis = rigs.redis!.client();
      for (const bytes of garbage)
        await (kind === 'list' ? redis.lpush('jobs', bytes) : redis.xadd('jobs', '*', 'job', bytes));
    }
    await vi.waitUntil(async () => (await proxy.dead()).length === 3, PATIENT);
    expect(new Set((await proxy.dead()).map(({ reason }) => reason))).toEqual(
      new Set([
        'the envelope has version 7, of a newer release; this one reads up to 1',
        'the envelope is not UTF-8',
        'the envelope is not a JSON object',
      ]),
    );
    expect(worker.jobs).toEqual([]);
  });

  it('that can not be sent is dead at once, with the reason', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start();
    await using worker = await TestWorker.start('v1');
    await proxy.register({ url: worker.url });
    await proxy.putOne({ headers: { 'x-bad': 'line\nbreak' } });
    await vi.waitUntil(async () => (await proxy.dead()).length === 1, PATIENT);
    expect((await proxy.dead())[0]?.reason).toMatch(/^it can't be sent to a worker: .*header/);
  });

  it('of a raw queue is its body alone, and keeps its id over the attempts', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start({ queue: { envelope: 'raw' } });
    await using worker = await TestWorker.start('v1', (job, response) => {
      response.writeHead(job.headers['x-canary-attempt'] === '1' ? 500 : 200).end();
    });
    await proxy.register({ url: worker.url });
    await proxy.putOne({ body: Buffer.of(0, 255, 10, 13) });
    await vi.waitUntil(() => worker.jobs.length === 2, PATIENT);
    await proxy.emptied();
    expect(worker.jobs.map(({ body }) => body)).toEqual(['\0\xff\n\r', '\0\xff\n\r']);
    const [first, second] = header(worker.jobs, 'x-job-id');
    expect(first).toEqual(second);
    expect(first).toBeDefined();
  });

  it('waits for a worker that refuses connections, with no attempt counted', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start({ queue: { max_attempts: 1 } });
    await using gone = await TestWorker.start('v1');
    const { url } = gone;
    await gone.stop();
    await proxy.register({ url });
    const ids = await proxy.putSome(5);
    const refused = 'queue="jobs",lane="stable",version="v1",outcome="unreachable"';
    await vi.waitUntil(
      async () => ((await proxy.rig.metric('canary_jobs_total')).get(refused) ?? 0) > 0,
      PATIENT,
    );
    await using back = await TestWorker.start('v1', undefined, undefined, Number(new URL(url).port));
    await vi.waitUntil(() => back.jobs.length === 5, PATIENT);
    expect(new Set(header(back.jobs, 'x-job-id'))).toEqual(new Set(ids));
    expect(new Set(header(back.jobs, 'x-canary-attempt'))).toEqual(new Set(['1']));
  });

  it('that its worker does not answer in time is tried again', async () => {
    await using rigs = await LaneRigs.open(kind);
    const settings = { LANEWISE_DISPATCH_TIMEOUT: '50ms' };
    const proxy = await rigs.start({ queue: { max_attempts: 2 }, settings });
    await using worker = await TestWorker.start('v1', () => {});
    await proxy.register({ url: worker.url });
    await proxy.putOne();
    await vi.waitUntil(async () => (await proxy.dead()).length === 1, PATIENT);
    expect((await proxy.dead())[0]).toMatchObject({
      reason: 'the last of 2 attempts ended in a time-out',
      content: { job: { history: [{ outcome: 'timeout' }, { outcome: 'timeout' }] } },
    });
  });
});

describe.each(KINDS)('workers that take jobs from lanes (%s)', (kind) => {
  it('never have more than they may at once', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start({ settings: { LANEWISE_LANES_CONCURRENCY: '4' } });
    const peaks = { says: 0, silent: 0 };
    const count = (name: keyof typeof peaks): Promise<TestWorker> => {
      let running = 0;
      return TestWorker.start('v1', (_job, response) => {
        peaks[name] = Math.max(peaks[name], ++running);
        setImmediate(() => {
          running--;
          response.end();
        });
      });
    };
    await using says = await count('says');
    await using silent = await count('silent');
    await proxy.register({ url: says.url, maxConcurrency: 2, queues: ['jobs', 'others'] });
    await proxy.register({ url: silent.url, queues: ['jobs', 'others'] });
    await Promise.all([proxy.putSome(300), proxy.putSome(300, 'stable', 'others')]);
    await proxy.emptied();
    await proxy.emptied('others');
    expect(says.jobs.length + silent.jobs.length).toBe(600);
    expect(peaks.says).toBeLessThanOrEqual(2);
    expect(peaks.silent).toBeLessThanOrEqual(4);
  });

  it('get jobs of all their queues, however many wait in one of them', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start({ settings: { LANEWISE_LANES_CONCURRENCY: '2' } });
    await using worker = await TestWorker.start('v1');
    await proxy.register({ url: worker.url, queues: ['jobs', 'rare'] });
    await proxy.putSome(1_000);
    await vi.waitUntil(() => worker.jobs.length > 10, PATIENT);
    await proxy.putSome(10, 'stable', 'rare');
    await Promise.all([proxy.emptied(), proxy.emptied('rare')]);
    const order = header(worker.jobs, 'x-canary-queue');
    const between = order.slice(order.indexOf('rare'), order.lastIndexOf('rare'));
    // In turns, but for the moments in which the next of a queue is on its way here.
    expect(between.length).toBeLessThan(100);
  });

  it('without a url read their lanes themselves', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start();
    await using v1 = await TestWorker.start('v1');
    await proxy.createDeployment();
    await proxy.register({ url: v1.url, version: 'v1' });
    await proxy.register({ version: 'v2' });
    await proxy.putSome(3, 'canary');
    await proxy.putSome(3, 'stable');
    await vi.waitUntil(() => v1.jobs.length === 3, PATIENT);
    expect((await proxy.store.readDepths(proxy.queue())).lanes.canary.waiting).toBe(3);
    expect(new Set(header(v1.jobs, 'x-canary-lane'))).toEqual(new Set(['stable']));
  });

  it('beside a sidecar are not the business of another one', async () => {
    await using rigs = await LaneRigs.open(kind);
    await using mine = await TestWorker.start('v1');
    await using other = await TestWorker.start('v1');
    await using canary = await TestWorker.start('v2');
    const proxy = await rigs.start({ consumeFor: 'mine' });
    await proxy.createDeployment();
    await proxy.register({ id: 'other', url: other.url, version: 'v1' });
    await proxy.register({ id: 'canary', url: canary.url, version: 'v2' });
    await proxy.register({ id: 'mine', url: mine.url, version: 'v1' });
    await proxy.put([...someJobs(20), ...someJobs(3, { lane: 'canary' })]);
    await vi.waitUntil(() => mine.jobs.length === 20, PATIENT);
    expect([other.jobs.length, canary.jobs.length]).toEqual([0, 0]);
    expect((await proxy.store.readDepths(proxy.queue())).lanes.canary.waiting).toBe(3);
  });
});
