import { expect, it } from 'vitest';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createLog } from '../../../src/runtime/log.ts';
import { openRedisStore } from '../../../src/runtime/store/redis/redis-store.ts';
import { startRedis } from '../../helpers/redis.ts';
import { aJob, enqueue } from './lane-fixture.ts';
import { eventually } from './recorder.ts';

it('a job that no replica has is not confirmed; sent again, it is there once, and confirmed by the replica that came', async () => {
  await using master = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
  const store = openRedisStore({
    url: master.url,
    clock: systemClock,
    log: createLog('silent'),
    replicasAcknowledged: 1,
  });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => store.close());
  await eventually(() =>
    store.ping().then(
      () => true,
      () => false,
    ),
  );
  const queue = { name: 'payments', kind: 'list' } as const;
  const job = aJob();
  for (let i = 0; i < 2; i++)
    await expect(enqueue(store, queue, job)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: 'only 0 of 1 replicas of Redis had it within 1000 ms',
    });

  await using replica = await startRedis({ args: ['--replicaof', `127.0.0.1 ${master.port}`] });
  // Online, it may still be reading what it was sent.
  await eventually(async () => (await master.client().call('WAIT', 1, 1000)) === 1);
  expect(await enqueue(store, queue, job)).toEqual({
    kind: 'stored',
    jobs: [{ kind: 'known', lane: job.lane }],
  });
  expect(await enqueue(store, queue, aJob())).toMatchObject({ jobs: [{ kind: 'stored' }] });
  expect(await replica.client().llen('payments')).toBe(2);
});
