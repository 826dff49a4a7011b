import { afterAll, describe, expect, test } from 'vitest';
import {
  BAD,
  closeRedis,
  deploy,
  embedded,
  GOOD,
  openCourt,
  STORES,
  TestClock,
  typesOf,
  type Court,
  type Instance,
} from './court.ts';

/** Any number of instances, of which one judges. */

afterAll(closeRedis);

const STAGED = { profile: 'aggressive', min_duration: '8s', initial_percentage: undefined };

/** Each second all of them try. */
async function passTogether(
  court: Court,
  instances: readonly Instance[],
  seconds: number,
  traffic: Parameters<Court['work']>[1],
  id: string,
): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    court.clock.pass(1000);
    await court.work(id, traffic);
    await Promise.all(instances.map(({ lease }) => lease.claim()));
    await Promise.all(instances.map(({ judge }) => judge.tick()));
    await Promise.all(instances.map(({ judge }) => judge.settled()));
  }
}

describe.each(STORES)('on the %s store', (_name, open) => {
  test('of three instances one judges, and each step happens once', async () => {
    const court = await openCourt(open);
    const instances = [court, court.another(), court.another()];
    const id = await deploy(court, STAGED);
    await passTogether(court, instances, 8, GOOD, id);
    expect(await court.deployment(id)).toMatchObject({ status: 'completed', version: 5 });
    expect(await court.events(id)).toHaveLength(6);
    expect(instances.filter(({ judge }) => judge.isJudging())).toHaveLength(1);
    expect(instances.filter(({ judge }) => judge.lastTickAt() !== undefined)).toHaveLength(1);
  });

  test('one that believes it still has the lease is refused whatever it decides', async () => {
    const court = await openCourt(open);
    // Its clock stands still from now on, as that of a machine that is being moved.
    const frozen = court.another(new TestClock(court.clock.now()));
    const successor = court.another();
    const id = await deploy(court);
    await frozen.lease.claim();
    for (let i = 0; i < 10; i++) await court.work(id, GOOD);
    await frozen.judge.tick();
    const judgement = await court.store.readJudgement(id);
    await court.store.releaseJudgeLease('instance-2');
    await successor.lease.claim();

    for (let i = 0; i < 15; i++) await court.work(id, BAD);
    expect(frozen.judge.isJudging()).toBe(true);
    for (let i = 0; i < 3; i++) {
      await frozen.judge.tick();
      await frozen.judge.settled();
    }
    expect(await court.deployment(id)).toMatchObject({ status: 'active', version: 1 });
    expect(await court.store.readJudgement(id)).toEqual(judgement);
    expect(typesOf(await court.events(id))).toEqual(['deployment_created']);

    await successor.judge.tick();
    await successor.judge.settled();
    await frozen.judge.tick();
    await frozen.judge.settled();
    expect(typesOf(await court.events(id))).toEqual([
      'deployment_created',
      'health_check_failed',
      'deployment_rolled_back',
    ]);
    // At its next claim it hears of it.
    await frozen.lease.claim();
    expect(frozen.judge.isJudging()).toBe(false);
  });

  test('one that loses the lease between its decision and its deed does nothing, and asks once', async () => {
    let writes = 0;
    let isLost = false;
    const court: Court = await openCourt(open, (inner) => ({
      async saveDeployment(change) {
        if (change.fence !== undefined) {
          writes++;
          if (!isLost) {
            isLost = true;
            await inner.releaseJudgeLease('instance-1');
            await successor.lease.claim();
          }
        }
        return inner.saveDeployment(change);
      },
    }));
    const successor = court.another();
    const id = await deploy(court);
    await court.lease.claim();
    for (let i = 0; i < 15; i++) await court.work(id, BAD);
    await court.judge.tick();
    // Evidence comes from what is seen after the first look.
    for (let i = 0; i < 15; i++) await court.work(id, BAD);
    await court.judge.tick();
    await court.judge.settled();
    expect(isLost).toBe(true);
    expect(writes).toBe(1);
    expect((await court.deployment(id)).status).toBe('active');
    await successor.judge.tick();
    await successor.judge.settled();
    expect(writes).toBe(2);
    expect(typesOf(await court.events(id))).toEqual([
      'deployment_created',
      'health_check_failed',
      'deployment_rolled_back',
    ]);
  });
});

describe('the lease', () => {
  test('is another instance’s four seconds after its holder is gone', async () => {
    const court = await openCourt(embedded);
    const successor = court.another();
    await court.lease.claim();
    let waitedMs = 0;
    for (; successor.lease.fence() === undefined; waitedMs += 750) {
      court.clock.pass(750);
      await successor.lease.claim();
    }
    expect(waitedMs).toBeLessThanOrEqual(4000);
    expect(court.judge.isJudging()).toBe(false);
  });

  test('is held on to while the store is away, for as long as it runs', async () => {
    let isAway = false;
    const court = await openCourt(embedded, (inner) => ({
      async claimJudgeLease(holder, ttlMs) {
        if (isAway) throw new Error('the store is away');
        return inner.claimJudgeLease(holder, ttlMs);
      },
    }));
    await court.lease.claim();
    const fence = court.lease.fence();
    isAway = true;
    court.clock.pass(2900);
    await court.lease.claim();
    expect(court.lease.fence()).toBe(fence);
    court.clock.pass(200);
    await court.lease.claim();
    expect(court.lease.fence()).toBeUndefined();
    isAway = false;
    await court.lease.claim();
    expect(court.lease.fence()).toBeGreaterThan(fence!);
  });

  test('is free at once when its holder stops in good order', async () => {
    const court = await openCourt(embedded);
    const successor = court.another();
    await court.lease.claim();
    await successor.lease.claim();
    expect(successor.lease.fence()).toBeUndefined();
    await court.lease.release();
    await successor.lease.claim();
    expect(successor.lease.fence()).toBeDefined();
    expect(court.judge.isJudging()).toBe(false);
  });
});
