import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { LANE_KINDS, type LaneQueue } from '../../../src/core/lane-keys.ts';
import { telemetryKey, bucketKey, eventsKey, KEYS } from '../../../src/runtime/store/redis/keys.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import { aConsumer, aJob, anAttempt, enqueue, takeNow } from './lane-fixture.ts';
import { eventually } from './recorder.ts';
import { openTestStore } from './redis-fixture.ts';
import { aDeployment, aJudgement, anEvent, aWorker, create, leaseOf, setPercentage } from './samples.ts';
import { delta } from './totals.ts';

/**
 * Somebody writes something else under a key of ours. A script that found out half way would leave half a change; what
 * it left would be routed by.
 */

let server: RedisServer;
let client: Redis;
let lines: Record<string, unknown>[];
let store: Store;

beforeAll(async () => {
  server = await startRedis();
  client = server.client();
});
afterAll(() => server[Symbol.asyncDispose]());

beforeEach(async () => {
  await client.flushall();
  lines = [];
  const opened = openTestStore(server.url, lines);
  onTestFinished(() => opened.close());
  store = opened;
});

async function dump(): Promise<Map<string, string>> {
  const keys = (await client.keys('*')).toSorted();
  const dumps = await Promise.all(keys.map((key) => client.dumpBuffer(key)));
  return new Map(keys.map((key, i) => [key, dumps[i]!.toString('hex')]));
}

/** Everything that the planes ask of the control plane's state, each alone. */
function callsOn(id: string, fence: number): Record<string, () => Promise<unknown>> {
  const event = anEvent(id, 'e');
  return {
    create: () => create(store, aDeployment({ queue: 'new' })),
    change: () => setPercentage(store, aDeployment({ id }), 40),
    delete: () => store.deleteDeployment(id, 1),
    get: () => store.getDeployment(id),
    'get with its route': () => store.getRoutedDeployment(id),
    list: () => store.listDeployments(),
    'list the open ones': () => store.listDeployments({ status: 'active' }),
    events: () => store.listEvents(id),
    'get a route': () => store.getRoute('payments'),
    snapshot: () => store.readSnapshot(),
    head: () => store.readHead(),
    'save a worker': () => store.saveWorker(aWorker({ id: 'new' }), 0),
    'remove a worker': () => store.removeWorker('worker-1', 1),
    'get a worker': () => store.getWorker('worker-1'),
    'list workers': () => store.listWorkers(),
    'page workers': () => store.pageWorkers({ queue: 'payments' }, { offset: 0, limit: 1 }),
    activity: () =>
      store.noteActivity([
        { workerId: 'worker-1', version: 'v1', processed: 1, succeeded: 1, failed: 0, totalMs: 1 },
      ]),
    'list the queues that they serve': () => store.listServedQueues(),
    'walk the routes': async () => {
      for await (const routes of store.walkRoutes()) expect(routes).toBeDefined();
    },
    'list activity': () => store.listActivity(),
    'list activity of some': () => store.listActivity(['worker-1']),
    report: () => store.reportApplied({ proxyId: 'p', epoch: 'e', revision: 1 }, 60_000),
    'withdraw a report': () => store.withdrawReport('p'),
    'list reports': () => store.listReports(),
    'claim the lease': () => store.claimJudgeLease('judge', 60_000),
    'release the lease': () => store.releaseJudgeLease('nobody'),
    'save a judgement': () =>
      store.saveJudgement({
        deploymentId: id,
        judgement: aJudgement(),
        fence,
        events: [event],
        notices: [{ id: 'notice', webhook: 'ops', event }],
      }),
    'read a judgement': () => store.readJudgement(id),
    'take notices': () => store.takeNotices(10, 60_000),
    'settle a notice': () => store.settleNotice('notice'),
    'postpone a notice': () => store.postponeNotice('notice', 1),
    restore: () => store.restore({ revision: 1, deployments: [], routes: [], workers: [] }),
  };
}

/** Which calls need a key is for the code to say; that some do keeps this from passing on its own. */
const STATE_KEYS = [...Object.values(KEYS).filter((key) => key !== KEYS.schema), eventsKey('canary_here')];

describe('a key of the control plane that holds another type', () => {
  it.each(STATE_KEYS)('%s: is named to whoever needs it, and nothing is half done', async (key) => {
    const id = 'canary_here';
    await create(store, aDeployment({ id }));
    await store.saveWorker(aWorker({ id: 'worker-1' }), 0);
    const fence = await leaseOf(store, 'judge');
    const wrong = (await client.type(key)) === 'list' ? 'set' : 'list';
    await client.rename(key, 'aside').catch(() => undefined);
    await (wrong === 'set' ? client.sadd(key, 'theirs') : client.rpush(key, 'theirs'));

    let refused = 0;
    for (const [name, call] of Object.entries(callsOn(id, fence))) {
      const before = await dump();
      const error = await call().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error === undefined) {
        expect({ name, theirs: (await dump()).get(key) }).toEqual({ name, theirs: before.get(key) });
        continue;
      }
      refused++;
      const message = expect.stringContaining(`under the key ${key}`);
      expect({ name, error }).toMatchObject({ name, error: { code: 'STORE_UNAVAILABLE', message } });
      expect({ name, left: await dump() }).toEqual({ name, left: before });
    }
    expect(refused).toBeGreaterThan(0);
    expect(lines).toContainEqual(
      expect.objectContaining({
        msg: 'a key of Redis does not hold what it should',
        reason: expect.stringContaining(key),
      }),
    );

    await client.del(key);
    await client.rename('aside', key).catch(() => undefined);
    for (const name of ['change', 'report', 'list reports', 'snapshot', 'take notices', 'events'])
      await callsOn(id, fence)[name]!();
  });

  it('the schema: the store is left alone', async () => {
    await client.rpush(KEYS.schema, 'theirs');
    await expect(store.ping()).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining(`under the key ${KEYS.schema}`),
    });
    await client.del(KEYS.schema);
    await client.set(KEYS.schema, 'soon');
    const again = openTestStore(server.url);
    onTestFinished(() => again.close());
    await expect(again.ping()).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining(`holds no number under the key ${KEYS.schema}`),
    });
  });

  it('a counter of revisions that is no number is counted anew, under a new epoch', async () => {
    await create(store, aDeployment());
    const { epoch } = await store.readHead();
    await client.set(KEYS.revision, 'many');
    const head = await store.readHead();
    expect(head.revision).toBe(1);
    expect(head.epoch).not.toBe(epoch);
  });
});

describe('telemetry of which a key holds another type, or rubbish', () => {
  it.each(['pending', 'bucket', 'step', 'current'])('%s: what comes after is counted', async (what) => {
    const prefix = telemetryKey('canary_t');
    await store.recordTelemetry('canary_t', 1, delta([5]));
    const [pending = ''] = await client.keys(`${escaped(prefix)}pending:*`);
    const bucket = pending.slice(pending.lastIndexOf(':') + 1);
    const key = {
      pending,
      bucket: `${prefix}bucket`,
      step: `${prefix}step:1`,
      current: `${prefix}${bucket}`,
    }[what]!;
    for (const spoil of [
      () => client.set(key, 'rubbish'),
      () => client.sadd(key, 'theirs'),
      () => client.hset(key, 'their', 's'),
    ]) {
      await client.del(key);
      await spoil();
      // Enough of them to be added up, whatever the time.
      for (let i = 0; i < 300; i++) await store.recordTelemetry('canary_t', 1, delta([7]));
      const { lanes } = await store.readStep('canary_t', 1);
      expect(lanes.canary.routed + lanes.stable.routed).toBeGreaterThan(0);
      await store.readTelemetry('canary_t', 60_000);
    }
    await client.del(key);
    // At the latest when the next bucket begins.
    await eventually(async () => {
      await store.recordTelemetry('canary_t', 2, delta([9]));
      return (await store.readStep('canary_t', 2)).lanes.canary.routed > 0;
    });
  });
});

describe('a bucket of the rate limit that holds another type', () => {
  it('counts as full, and is one again from then on', async () => {
    await client.rpush(bucketKey('ops'), 'theirs');
    const rate = { perMinute: 60, burst: 2 };
    expect(await store.takeToken('ops', rate)).toMatchObject({ allowed: true, remaining: 1 });
    expect(await client.type(bucketKey('ops'))).toBe('string');
  });
});

describe.each(LANE_KINDS)('a key behind those of a queue that holds another type, as %ss:', (kind) => {
  const queue: LaneQueue = { name: 'payments', kind };
  const KEYS_BEHIND = [
    'position',
    'fences',
    'leases',
    'sequences',
    'recovered',
    'delayed:stable',
    'delayed:jobs',
    'taken:stable:<consumer>',
    'inbox:stable:<consumer>',
    ':dead',
    ':dead:jobs',
  ];

  it.each(KEYS_BEHIND)('%s: no job is lost', async (name) => {
    const spoilt = aConsumer(store);
    const path = name.replace('<consumer>', spoilt.name);
    const key = path.startsWith(':') ? `payments${path}` : `payments:lanewise:${path}`;
    const jobs = [aJob(), aJob(), aJob()];
    await enqueue(store, queue, ...jobs);
    await client.set(key, 'theirs');
    const taken = await takeNow(spoilt, queue).catch(() => []);
    for (const [i, job] of taken.entries()) {
      if (i === 0)
        await spoilt.retry(job, { delayMs: 0, lane: 'stable', ended: anAttempt() }).catch(() => undefined);
      if (i === 1) await spoilt.bury(job, { reason: 'poison' }).catch(() => undefined);
    }
    await store.recoverJobs(queue).catch(() => undefined);
    await client.del(key);
    // What was in its hands comes back when it goes.
    await spoilt.close();
    await store.recoverJobs(queue);
    await store.releaseDueJobs(queue, 100);
    const { lanes, dead } = await store.readDepths(queue);
    expect(lanes.stable.waiting + lanes.stable.delayed + lanes.stable.inFlight + dead).toBe(jobs.length);
  });
});

function escaped(glob: string): string {
  return glob.replaceAll(/[[\]*?\\]/g, String.raw`\$&`);
}
