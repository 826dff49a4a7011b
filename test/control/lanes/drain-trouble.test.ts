import { afterAll, describe, expect, test } from 'vitest';
import { LanewiseError } from '../../../src/core/errors.ts';

import { someJobs } from '../../runtime/store/lane-fixture.ts';
import { closeRedis, onRedis, redisServer, type Disturb } from '../judge/court.ts';
import { decide, ids, KINDS, openRig } from './rig.ts';

afterAll(closeRedis);

const MANY = 5000;

function away(): never {
  throw new LanewiseError('STORE_UNAVAILABLE', 'the store is away');
}

/** A store of which one call can be made to fail. */
function breaking(name: 'drainLane' | 'fenceQueue', isBroken: () => boolean): Disturb {
  return (store) => ({
    [name]: async (...args: never[]) =>
      isBroken() ? away() : (store[name] as (...a: never[]) => unknown)(...args),
  });
}

describe.each(KINDS)('$strategy on the $store store', (kind) => {
  test('an outage in the middle is waited for, and nothing is counted twice or forgotten', async () => {
    let steps = 0;
    const rig = await openRig(kind, { disturb: breaking('drainLane', () => ++steps > 3 && steps < 8) });
    const id = await rig.deploy();
    const jobs = await rig.put('canary', MANY);
    await decide(rig, id, 'rollback');
    await rig.pass(6);
    expect(await rig.status(id)).toBe('failed');
    expect((await rig.events(id))[0]!.data).toMatchObject({ drained: MANY, remaining: 0 });
    expect(await rig.takeAll('stable')).toEqual(ids(jobs));
  });

  test('where the fence cannot be raised the rollback is answered all the same, and fenced later', async () => {
    let isBroken = true;
    const rig = await openRig(kind, { disturb: breaking('fenceQueue', () => isBroken) });
    const id = await rig.deploy();
    const routedBy = await rig.calm.readHead();
    await rig.put('canary', 1);
    const answer = await decide(rig, id, 'rollback');
    expect(answer).toMatchObject({ status: 200, body: { routing: { revision: 2 } } });
    await rig.pass(2);
    expect(await rig.status(id)).toBe('rolling_back');
    // Nothing is drained before the fence stands: what a stale proxy still puts there would be left behind.
    expect(
      await rig.calm.enqueueJobs(rig.lanes, someJobs(1, { lane: 'canary' }), { routedBy }),
    ).toMatchObject({
      kind: 'stored',
    });
    expect(await rig.counts('canary')).toMatchObject({ waiting: 2 });

    isBroken = false;
    await rig.pass();
    expect(await rig.status(id)).toBe('failed');
    expect(await rig.calm.enqueueJobs(rig.lanes, someJobs(1, { lane: 'canary' }), { routedBy })).toEqual({
      kind: 'stale',
    });
    expect(await rig.counts('stable')).toMatchObject({ waiting: 2 });
  });

  test('a fail-over that loses the route between two reads leaves no fence that nobody can pass', async () => {
    let isAhead = false;
    const rig = await openRig(kind, {
      disturb: (store) => ({
        async getRoute(...scope) {
          const route = await store.getRoute(...scope);
          return route && isAhead ? { ...route, revision: route.revision + 100 } : route;
        },
      }),
    });
    const id = await rig.deploy();
    isAhead = true;
    await decide(rig, id, 'rollback');
    await rig.pass(2);
    // By the newest routes that the store has.
    const routedBy = await rig.calm.readHead();
    expect(await rig.calm.enqueueJobs(rig.lanes, someJobs(1), { routedBy })).toMatchObject({
      kind: 'stored',
    });
  });

  test('a drainer that dies between its moves and their count loses some of the count and no job', async () => {
    const rig = await openRig(kind);
    const id = await rig.deploy();
    const jobs = await rig.put('canary', MANY);
    await decide(rig, id, 'promote');
    const dying = rig.another();
    const { moved } = await dying.drain.look((await rig.calm.getDeployment(id))!, 2);
    expect(moved).toBe(2000);
    await rig.pass();
    expect(await rig.status(id)).toBe('completed');
    expect((await rig.events(id))[0]!.data).toMatchObject({ drained: MANY - 2000, remaining: 0 });
    expect(await rig.takeAll('stable')).toEqual(ids(jobs));
  });

  test('two that drain at once keep the order and share the jobs', async () => {
    const rig = await openRig(kind);
    const id = await rig.deploy();
    const jobs = await rig.put('canary', MANY);
    await decide(rig, id, 'promote');
    const deployment = (await rig.calm.getDeployment(id))!;
    const looks = await Promise.all([rig, rig.another()].map(({ drain }) => drain.look(deployment, 64)));
    expect(looks.reduce((sum, { moved }) => sum + moved, 0)).toBe(MANY - 1000);
    expect(await rig.takeAll('stable')).toEqual(ids(jobs));
  });

  test('a drainer that was frozen while another took over changes nothing any more', async () => {
    const { promise: frozen, resolve: thaw } = Promise.withResolvers<void>();
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    let freezes = false;
    const rig = await openRig(kind, {
      disturb: (store) => ({
        async drainLane(...args) {
          const result = await store.drainLane(...args);
          if (freezes) {
            freezes = false;
            reach();
            await frozen;
          }
          return result;
        },
      }),
    });
    const id = await rig.deploy();
    await rig.put('canary', MANY);
    await decide(rig, id, 'rollback');
    await rig.lease.claim();
    rig.clock.pass(1000);
    freezes = true;
    const late = rig.drainer.tick();
    await reached;

    // Its lease passes to another instance.
    rig.clock.pass(60_000);
    await rig.lease.release();
    const other = rig.another();
    await other.lease.claim();
    await other.drainer.tick();
    expect(await rig.status(id)).toBe('failed');
    const version = (await rig.calm.getDeployment(id))!.version;
    thaw();
    await late;
    expect((await rig.calm.getDeployment(id))!.version).toBe(version);
    expect((await rig.events(id)).filter(({ type }) => type === 'lane_drained')).toHaveLength(1);
    expect(await rig.counts('stable')).toMatchObject({ waiting: MANY });
  });

  test('an instance without the lease drains nothing', async () => {
    const rig = await openRig(kind);
    const id = await rig.deploy();
    await rig.put('canary', 1500);
    await decide(rig, id, 'rollback');
    rig.clock.pass(5000);
    await rig.drainer.tick();
    await rig.survey.tick();
    expect(await rig.counts('canary')).toMatchObject({ waiting: 500 });
    expect([...rig.survey.latest()]).toEqual([]);
  });
});

test('a lane whose key is something else ends incomplete when the time is over, and says so', async () => {
  const rig = await openRig({ open: onRedis, strategy: 'split_queue' });
  const id = await rig.deploy({ drain_timeout: '5s' });
  const server = await redisServer();
  await server.client().set(`${rig.lanes.name}@canary`, 'of somebody else');
  expect((await decide(rig, id, 'rollback')).status).toBe(200);
  await rig.pass(4);
  expect(await rig.status(id)).toBe('rolling_back');
  await rig.pass();
  expect(await rig.status(id)).toBe('failed');
  expect((await rig.events(id))[0]).toMatchObject({
    message: 'Canary lane not drained within 5s: 0 jobs moved to stable, how many remain is not known',
    data: { drained: 0, remaining: null, drain_incomplete: true },
  });
});
