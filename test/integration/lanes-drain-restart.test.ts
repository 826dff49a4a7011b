import { describe, expect, test, vi } from 'vitest';
import { LANE_KINDS } from '../../src/core/lane-keys.ts';
import { someJobs } from '../runtime/store/lane-fixture.ts';
import { QUEUE } from '../helpers/api.ts';
import {
  CANARY,
  failed,
  idsIn,
  isMidway,
  lengthOf,
  putBacklog,
  startControl,
} from '../helpers/lane-backlog.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { startRedis } from '../helpers/redis.ts';

/** Each step of a drain is on Redis' disk whole or not at all, so that it goes on where Redis stopped. */

describe.each(LANE_KINDS)('a %s', (kind) => {
  test('is drained to its end, in order, though Redis is killed in the middle and comes back from its file', async () => {
    await using stack = new AsyncDisposableStack();
    const redis = stack.use(await startRedis({ persistent: true }));
    const { api, wire } = await startControl(stack, redis);
    const { store, deployment, routedBy, jobs } = await putBacklog(stack, redis, api, kind);

    await wire.set('slow');
    await api.rollBack(deployment);
    await isMidway(redis, kind);
    await redis.kill();
    await redis.start();
    await wire.set('clear');
    expect(await lengthOf(redis.client(), kind, CANARY)).toBeGreaterThan(0);

    await vi.waitUntil(() => store.ping().then(isDone, isNot), PATIENCE);
    await vi.waitUntil(() => failed(api, deployment).then(isDone, isNot), PATIENCE);
    const [event] = await api.events(deployment);
    expect(event).toMatchObject({
      type: 'lane_drained',
      data: { remaining: 0, drain_incomplete: false },
    });
    expect(await lengthOf(redis.client(), kind, CANARY)).toBe(0);
    expect(await idsIn(redis, kind)).toEqual(jobs);
    expect(
      await store.enqueueJobs({ name: QUEUE, kind }, someJobs(1, { lane: 'canary' }), { routedBy }),
    ).toEqual({ kind: 'stale' });
  });
});

const isDone = (): boolean => true;
const isNot = (): boolean => false;
