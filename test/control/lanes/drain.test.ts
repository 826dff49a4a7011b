import { afterAll, describe, expect, test } from 'vitest';
import { aConsumer, anAttempt, someJobs, takeNow, takeOne } from '../../runtime/store/lane-fixture.ts';
import { closeRedis } from '../judge/court.ts';
import { decide, ids, KINDS, openRig } from './rig.ts';

afterAll(closeRedis);

const EMPTY = { waiting: 0, delayed: 0, inFlight: 0 };
const ENDINGS = [
  { action: 'rollback', during: 'rolling_back', after: 'failed' },
  { action: 'promote', during: 'promoting', after: 'completed' },
] as const;

describe.each(KINDS)('$strategy on the $store store', (kind) => {
  test.each(ENDINGS)(
    '$action with an empty lane is over with its answer',
    async ({ action, during, after }) => {
      const rig = await openRig(kind);
      const id = await rig.deploy();
      const answer = await decide(rig, id, action);
      expect(answer).toMatchObject({ status: 200, body: { success: true, routing: { revision: 2 } } });
      expect(answer.headers.get('etag')).toBe('"3"');
      expect(await rig.status(id)).toBe(after);
      const [drained, decided] = await rig.events(id);
      expect(decided!.data).toMatchObject({ old_status: 'active', new_status: during });
      expect(drained).toMatchObject({
        type: 'lane_drained',
        actor: 'drainer',
        data: { drained: 0, remaining: 0, drain_incomplete: false, old_status: during, new_status: after },
      });
      expect(await rig.calm.getDeployment(id)).not.toHaveProperty('drain');
    },
  );

  test.each(ENDINGS)(
    '$action with 10,000 jobs in the canary lane takes all of them to stable, in order, behind what waits there',
    { timeout: 180_000 },
    async ({ action, during, after }) => {
      const rig = await openRig(kind);
      const id = await rig.deploy();
      const before = await rig.put('stable', 5);
      const canary = await rig.put('canary', 10_000);
      expect((await decide(rig, id, action)).status).toBe(200);
      // One step of them went with the call, the others have yet to.
      expect(await rig.status(id)).toBe(during);
      expect(await rig.counts('canary')).toEqual({ waiting: 9000, delayed: 0, inFlight: 0 });
      await rig.pass();
      expect(await rig.status(id)).toBe(after);
      expect((await rig.events(id))[0]).toMatchObject({
        type: 'lane_drained',
        message: 'Canary lane drained: 10000 jobs moved to stable',
        data: {
          drained: 10_000,
          remaining: 0,
          drain_incomplete: false,
          old_status: during,
          new_status: after,
        },
      });
      expect(await rig.counts('canary')).toEqual(EMPTY);
      expect(await rig.takeAll('stable')).toEqual([...ids(before), ...ids(canary)]);
    },
  );

  test.each(ENDINGS)(
    'a job that was routed before the answer to $action is refused after it',
    async ({ action }) => {
      const rig = await openRig(kind);
      const id = await rig.deploy();
      const routedBy = await rig.calm.readHead();
      await decide(rig, id, action);
      const stale = someJobs(2, { lane: 'canary' });
      expect(await rig.calm.enqueueJobs(rig.lanes, stale, { routedBy })).toEqual({ kind: 'stale' });
      expect(await rig.calm.enqueueJobs(rig.lanes, someJobs(1, { tenant: 'acme' }), { routedBy })).toEqual({
        kind: 'stale',
      });
      expect(await rig.counts('canary')).toEqual(EMPTY);
      await rig.put('stable', 1);
    },
  );

  test("a tenant's rollback refuses that tenant's jobs only", async () => {
    const rig = await openRig(kind);
    const id = await rig.deploy({ tenant_id: 'acme' });
    const routedBy = await rig.calm.readHead();
    await decide(rig, id, 'rollback');
    const of = (tenant: string) =>
      rig.calm.enqueueJobs(rig.lanes, someJobs(1, { tenant, lane: 'canary' }), { routedBy });
    expect((await of('acme')).kind).toBe('stale');
    expect((await of('umbrella')).kind).toBe('stored');
  });

  test('while a canary worker has a job the deployment is open, and it ends when the job has', async () => {
    const rig = await openRig(kind);
    const id = await rig.deploy();
    await rig.put('canary', 1);
    const consumer = aConsumer(rig.calm);
    const job = await takeOne(consumer, rig.lanes, 'canary');
    await decide(rig, id, 'rollback');
    await rig.pass(3);
    expect(await rig.status(id)).toBe('rolling_back');
    const refused = await rig.control.call('DELETE', `/deployments/${id}`);
    expect(refused).toMatchObject({ status: 409, body: { code: 'DEPLOYMENT_ACTIVE' } });
    const again = await rig.control.call('POST', '/deployments', {
      queue_name: rig.lanes.name,
      stable_version: 'v1.2.0',
      canary_version: 'v1.4.0',
    });
    expect(again).toMatchObject({ status: 409, body: { code: 'DEPLOYMENT_EXISTS' } });

    await consumer.acknowledge(job);
    await rig.pass();
    expect(await rig.status(id)).toBe('failed');
    expect((await rig.events(id))[0]!.data).toMatchObject({ drained: 0, remaining: 0 });
  });

  test('a retry that comes back to the canary lane meanwhile goes to stable too', async () => {
    const rig = await openRig(kind);
    const id = await rig.deploy();
    const [job] = await rig.put('canary', 1);
    const consumer = aConsumer(rig.calm);
    const taken = await takeOne(consumer, rig.lanes, 'canary');
    await decide(rig, id, 'promote');
    await consumer.retry(taken, { delayMs: 600_000, lane: 'canary', ended: anAttempt() });
    await rig.pass();
    expect(await rig.status(id)).toBe('completed');
    expect((await rig.events(id))[0]!.data).toMatchObject({ drained: 1, remaining: 0 });
    expect(await rig.counts('stable')).toEqual({ waiting: 0, delayed: 1, inFlight: 0 });
    expect(job!.lane).toBe('canary');
  });

  test('after drain_timeout it ends with what remains, and that goes to stable when it comes back', async () => {
    const rig = await openRig(kind);
    const id = await rig.deploy({ drain_timeout: '10s' });
    await rig.put('canary', 3);
    const consumer = aConsumer(rig.calm);
    const [first, ...others] = await takeNow(consumer, rig.lanes, 'canary');
    await decide(rig, id, 'rollback');
    await rig.pass(9);
    expect(await rig.status(id)).toBe('rolling_back');
    await consumer.giveBack(others);
    await rig.pass();
    expect(await rig.status(id)).toBe('failed');
    expect((await rig.events(id))[0]).toMatchObject({
      type: 'lane_drained',
      message: 'Canary lane not drained within 10s: 2 jobs moved to stable, 1 remain',
      data: { drained: 2, remaining: 1, drain_incomplete: true },
    });

    await consumer.giveBack([first!]);
    await rig.survey.tick();
    expect(await rig.counts('canary')).toEqual(EMPTY);
    expect(await rig.counts('stable')).toMatchObject({ waiting: 3 });
    expect(rig.survey.counts.late.get(rig.lanes.name)).toBe(1);
  });

  test('a promotion that is not over can be taken back, and its route with it', async () => {
    const rig = await openRig(kind);
    const id = await rig.deploy();
    await rig.put('canary', 1500);
    const consumer = aConsumer(rig.calm);
    const held = await takeOne(consumer, rig.lanes, 'canary');
    await decide(rig, id, 'promote');
    expect(await rig.calm.getRoute(rig.lanes.name)).toMatchObject({ stableVersion: 'v1.3.0' });

    const answer = await decide(rig, id, 'rollback');
    expect(answer).toMatchObject({ status: 200, body: { routing: { revision: 3 } } });
    const route = await rig.calm.getRoute(rig.lanes.name);
    expect(route).toMatchObject({ stableVersion: 'v1.2.0', superseded: [], rejected: ['v1.3.0'] });
    expect(route).not.toHaveProperty('split');
    const stale = someJobs(1, { lane: 'stable' });
    const routedBy = { ...(await rig.calm.readHead()), revision: 2 };
    expect(await rig.calm.enqueueJobs(rig.lanes, stale, { routedBy })).toEqual({ kind: 'stale' });

    await consumer.acknowledge(held);
    await rig.pass(2);
    expect(await rig.status(id)).toBe('failed');
    expect((await rig.events(id)).map(({ type }) => type)).toEqual([
      'lane_drained',
      'deployment_rolled_back',
      'deployment_promoted',
      'deployment_created',
    ]);
    expect((await rig.events(id))[0]!.data).toMatchObject({ drained: 1499, remaining: 0 });
    expect(await rig.calm.getDeployment(id)).toMatchObject({ currentPercent: 0, targetPercent: 0 });
  });
});
