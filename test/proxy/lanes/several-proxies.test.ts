import { describe, expect, it, vi } from 'vitest';
import { jobCount } from '../../../src/core/lane-totals.ts';
import { TestWorker } from '../../helpers/worker.ts';
import { KINDS, LaneRigs, PATIENT } from './lane-rig.ts';

/** Who put what in, and what came out of it: nothing may be missing, and what is there twice must be accounted for. */
function ledger(...workers: readonly TestWorker[]): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const { jobs } of workers) {
    for (const { headers } of jobs) {
      const id = String(headers['x-job-id']);
      times.set(id, (times.get(id) ?? 0) + 1);
    }
  }
  return times;
}

function each(ids: readonly string[], times: number): ReadonlyMap<string, number> {
  return new Map(ids.map((id) => [id, times]));
}

/** The shortest there is. */
const LEASE = { LANEWISE_LANES_LEASE: '1s' };

describe.each(KINDS)('proxies that share a lane (%s)', (kind) => {
  it('run each job once while both live', async () => {
    await using rigs = await LaneRigs.open(kind);
    const [one, two] = [await rigs.start(), await rigs.start()];
    await using a = await TestWorker.start('v1', (_job, response) => void setImmediate(() => response.end()));
    await using b = await TestWorker.start('v1', (_job, response) => void setImmediate(() => response.end()));
    await one.register({ url: a.url }, two);
    await one.register({ url: b.url }, two);
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) ids.push(...(await (i % 2 === 0 ? one : two).putSome(50)));
    await one.emptied();
    expect(ledger(a, b)).toEqual(each(ids, 1));
    const success = 'queue="jobs",lane="stable",version="v1",outcome="success"';
    const done = [one, two].map(async ({ rig }) => (await rig.metric('canary_jobs_total')).get(success));
    expect((await Promise.all(done)).reduce<number>((sum, n) => sum + (n ?? 0), 0)).toBe(1_000);
  });

  it('do every job or bury it, whatever the workers say', async () => {
    await using rigs = await LaneRigs.open(kind);
    const [one, two] = [await rigs.start(), await rigs.start()];
    const done = new Set<string>();
    let turn = 0;
    const moody = (): Promise<TestWorker> =>
      TestWorker.start('v1', (job, response) => {
        const id = String(job.headers['x-job-id']);
        // Every mood comes by, and no job meets the same one each time.
        switch (turn++ % 7) {
          case 0:
            response.writeHead(500).end();
            break;
          case 1:
            response.writeHead(503, { 'retry-after': '0' }).end();
            break;
          case 2:
            response.destroy();
            break;
          case 3:
            response.writeHead(200).write('half an answer');
            setImmediate(() => response.destroy());
            break;
          default:
            done.add(id);
            response.end();
        }
      });
    await using a = await moody();
    await using b = await moody();
    await one.register({ url: a.url }, two);
    await one.register({ url: b.url }, two);
    const ids = await one.putSome(300);
    await one.emptied();
    const dead = (await one.dead()).map(({ content }) => (content.kind === 'job' ? content.job.id : ''));
    expect(new Set([...done, ...dead])).toEqual(new Set(ids));
    expect(done.size + dead.length).toBe(300);
  });

  it('hand over what the one that stops has not begun, and let finish what it has', async () => {
    await using rigs = await LaneRigs.open(kind);
    const one = await rigs.start({ settings: { LANEWISE_LANES_CONCURRENCY: '3' } });
    const held: (() => void)[] = [];
    await using worker = await TestWorker.start(
      'v1',
      (_job, response) => void held.push(() => response.end()),
    );
    await one.register({ url: worker.url });
    const ids = await one.putSome(10);
    await vi.waitUntil(() => held.length === 3, PATIENT);
    const closed = one.rig.proxy.close(60_000);
    for (const end of held.splice(0)) end();
    await closed;
    expect(worker.jobs).toHaveLength(3);
    worker.answer = (_job, response) => response.end();
    const two = await rigs.start();
    await two.emptied();
    expect(ledger(worker)).toEqual(each(ids, 1));
    expect(new Set(worker.jobs.map(({ headers }) => headers['x-canary-attempt']))).toEqual(new Set(['1']));
  });

  it('put back what still runs at the end of the time for stopping, with no attempt less', async () => {
    await using rigs = await LaneRigs.open(kind);
    const one = await rigs.start({ queue: { max_attempts: 1 } });
    await using worker = await TestWorker.start('v1', () => {});
    await one.register({ url: worker.url });
    const ids = await one.putSome(3);
    await vi.waitUntil(() => worker.jobs.length === 3, PATIENT);
    await one.rig.proxy.close(0);
    worker.answer = (_job, response) => response.end();
    const two = await rigs.start({ queue: { max_attempts: 1 } });
    await two.emptied();
    expect(ledger(worker)).toEqual(each(ids, 2));
    expect(await two.dead()).toEqual([]);
  });

  it("take over a dead one's jobs when its lease is over, and each of those counts as an attempt", async () => {
    await using rigs = await LaneRigs.open(kind);
    const one = await rigs.start({ settings: { ...LEASE, LANEWISE_LANES_CONSUME: 'false' } });
    await using worker = await TestWorker.start('v1');
    await one.register({ url: worker.url });
    const ids = await one.putSome(50);
    // It takes some and is never heard of again.
    const dead = one.store.openConsumer({ id: 'dead', leaseMs: 1_000 });
    const taken = await dead.take(one.queue(), 'stable', { max: 20, waitMs: 0 });
    expect(taken).toHaveLength(20);
    const two = await rigs.start({ settings: LEASE });
    await two.emptied();
    expect(ledger(worker)).toEqual(each(ids, 1));
    const second = worker.jobs.filter(({ headers }) => headers['x-canary-attempt'] === '2');
    expect(second).toHaveLength(20);
    // It was only slow: what it says now comes too late.
    expect(await dead.acknowledge(taken[0]!)).toEqual({ kind: 'lost' });
  });

  it('bury a job whose consumers died with it as often as it may be tried', async () => {
    await using rigs = await LaneRigs.open(kind);
    const one = await rigs.start({ settings: { ...LEASE, LANEWISE_LANES_CONSUME: 'false' } });
    await using worker = await TestWorker.start('v1');
    await one.register({ url: worker.url });
    await one.putOne();
    for (const id of ['first', 'second']) {
      const dying = one.store.openConsumer({ id, leaseMs: 60_000 });
      expect(await dying.take(one.queue(), 'stable', { max: 1, waitMs: 60_000 })).toHaveLength(1);
      await dying.close();
      await one.store.recoverJobs(one.queue());
    }
    const two = await rigs.start({ queue: { max_attempts: 2 }, settings: LEASE });
    await vi.waitUntil(async () => (await two.dead()).length === 1, PATIENT);
    expect((await two.dead())[0]?.reason).toBe(
      'it has had its 2 attempts, the last of which did not end: its consumer died',
    );
    expect(worker.jobs).toEqual([]);
  });
});

describe.each(KINDS)('what is told of jobs from lanes (%s)', (kind) => {
  it('reaches the judge by lane: every attempt, how it ended and how long it took', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start({ queue: { max_attempts: 2 } });
    await using v1 = await TestWorker.start('v1');
    await using v2 = await TestWorker.start('v2', (_job, response) => response.writeHead(500).end());
    const deployment = await proxy.createDeployment();
    await proxy.register({ url: v1.url, version: 'v1' });
    await proxy.register({ url: v2.url, version: 'v2' });
    await proxy.putSome(20);
    await proxy.putSome(5, 'canary');
    await proxy.emptied();
    await vi.waitUntil(async () => {
      const { stable, canary } = await proxy.store.readTelemetry(deployment.id, 3_600_000);
      return jobCount(stable) + jobCount(canary) === 30;
    }, PATIENT);
    const lanes = await proxy.store.readTelemetry(deployment.id, 3_600_000);
    expect(lanes.stable).toMatchObject({ routed: 20, outcomes: [20, 0, 0, 0, 0, 0], latency: { count: 20 } });
    expect(lanes.canary).toMatchObject({ routed: 10, outcomes: [0, 10, 0, 0, 0, 0], latency: { count: 10 } });
    expect(await proxy.rig.metric('canary_job_queue_age_seconds_count')).toEqual(
      new Map([
        ['queue="jobs",lane="stable"', 20],
        ['queue="jobs",lane="canary"', 5],
      ]),
    );
    expect(new Set((await proxy.rig.metric('canary_jobs_in_flight')).values())).toEqual(new Set([0]));
  });
});

describe.each(['list', 'stream'] as const)('a Redis that goes silent (%s)', (kind) => {
  it('is waited for: what it had is done when it is back, by itself', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start({
      settings: { LANEWISE_LANES_CONCURRENCY: '2', LANEWISE_LANES_LEASE: '60s' },
    });
    const held: (() => void)[] = [];
    await using worker = await TestWorker.start(
      'v1',
      (_job, response) => void held.push(() => response.end()),
    );
    await proxy.register({ url: worker.url });
    const ids = await proxy.putSome(20);
    await vi.waitUntil(() => held.length === 2, PATIENT);
    rigs.redis!.pause();
    worker.answer = (_job, response) => response.end();
    for (const end of held.splice(0)) end();
    // It has found out that nobody answers.
    await expect(proxy.store.readDepths(proxy.queue())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    rigs.redis!.resume();
    await vi.waitUntil(() => ledger(worker).size === 20, PATIENT);
    await proxy.emptied();
    expect(ledger(worker)).toEqual(each(ids, 1));
  });
});
