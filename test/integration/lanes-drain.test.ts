import { expect, test, vi } from 'vitest';
import { someJobs } from '../runtime/store/lane-fixture.ts';
import { QUEUE } from '../helpers/api.ts';
import {
  CANARY,
  failed,
  idsIn,
  isMidway,
  JOBS,
  lengthOf,
  putBacklog,
  startControl,
} from '../helpers/lane-backlog.ts';
import { allDone, LedgerWorker, putBatches } from '../helpers/lane-ledger.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { startRedis } from '../helpers/redis.ts';
import { Fleet } from '../helpers/system.ts';

/**
 * A drain belongs to nobody: what is left to do is in the store, and each step of it is atomic. So the control plane
 * that drains may be killed at any moment, and another one goes on, or itself when it is back.
 */

test('the control plane that drains is killed by kill -9; the other one ends it, with every job in its order', async () => {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await startRedis());
  const leader = await startControl(stack, redis);
  await leader.process.printed(/this instance judges/, 'stderr');
  const other = await startControl(stack, redis);
  const { store, deployment, routedBy, jobs } = await putBacklog(stack, redis, other.api, 'list');

  await leader.wire.set('slow');
  await other.api.rollBack(deployment);
  await isMidway(redis, 'list');
  await leader.process.end('SIGKILL');
  const left = await lengthOf(redis.client(), 'list', CANARY);
  expect(left).toBeGreaterThan(0);
  expect((await other.api.done('GET', `/deployments/${deployment}`)).status).toBe('rolling_back');

  await failed(other.api, deployment);
  const [event] = await other.api.events(deployment);
  expect(event).toMatchObject({ type: 'lane_drained', data: { remaining: 0, drain_incomplete: false } });
  // The count lacks what the killed process had not noted yet, at most.
  expect(event!.data.drained).toBeGreaterThanOrEqual(1000 + left);
  expect(event!.data.drained).toBeLessThanOrEqual(JOBS);

  expect(await lengthOf(redis.client(), 'list', CANARY)).toBe(0);
  expect(await idsIn(redis, 'list')).toEqual(jobs);
  // A job that was routed before the rollback can't come back to the lane through the one that is left.
  expect(
    await store.enqueueJobs({ name: QUEUE, kind: 'list' }, someJobs(1, { lane: 'canary' }), { routedBy }),
  ).toEqual({ kind: 'stale' });
});

test('the only control plane is killed by kill -9 while it drains a stream; it goes on when it is back', async () => {
  await using stack = new AsyncDisposableStack();
  const fleet = stack.use(
    await Fleet.start(1, {
      LANEWISE_LANES_LEASE: '1s',
      LANEWISE_LANES_CONCURRENCY: '5',
      LANEWISE_DEFAULT_ROUTING_STRATEGY: 'stream_group',
      LANEWISE_QUEUES: JSON.stringify({ [QUEUE]: { retry_delay: '10ms', retry_delay_max: '100ms' } }),
    }),
  );
  const stable = stack.use(await LedgerWorker.start(fleet, 'a', 'v1', 0));
  const canary = stack.use(await LedgerWorker.start(fleet, 'c', 'v2'));
  canary.isStuck = true;
  const id = await fleet.api.createDeployment('v1', 'v2', { routing_strategy: 'stream_group' });
  await fleet.api.setPercentage(id, 50);
  const waiting = await putBatches(fleet.proxies[0]!, 3000);
  await vi.waitUntil(() => canary.arrivals.length === 5, PATIENCE);

  const client = fleet.redis.client();
  await fleet.api.rollBack(id);
  expect((await fleet.api.done('GET', `/deployments/${id}`)).status).toBe('rolling_back');
  await vi.waitUntil(
    async () => (await lengthOf(client, 'stream', CANARY)) < waiting.canary.length - 5,
    PATIENCE,
  );
  await fleet.control.end('SIGKILL');
  expect(await lengthOf(client, 'stream', CANARY)).toBeGreaterThan(0);
  await fleet.restartControl('SIGKILL');
  // What it has is the last that keeps the deployment from ending.
  await canary.kill();
  await failed(fleet.api, id);

  expect(await allDone([stable], [...waiting.stable, ...waiting.canary])).toEqual([]);
  expect(await lengthOf(client, 'stream', CANARY)).toBe(0);
  const drained = (await fleet.api.events(id)).find(({ type }) => type === 'lane_drained');
  expect(drained).toMatchObject({ data: { remaining: 0, drain_incomplete: false } });
});
