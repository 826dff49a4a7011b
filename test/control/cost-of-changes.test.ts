import type { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { promoted } from '../../src/core/route.ts';
import { openRedisStore } from '../../src/runtime/store/redis/redis-store.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import { startRedis } from '../helpers/redis.ts';
import { aDeployment, aWorker, create } from '../runtime/store/samples.ts';
import { created, openControl, type Control } from './harness.ts';

/**
 * What a change costs Redis must not grow with the number of deployments and workers that there are, nor what it costs to
 * look at one of them. Counted are commands, those
 * within scripts included, and bytes: they are the same on any machine.
 */

const FEW = 3;
const MANY = 300;

interface Cost {
  readonly commands: number;
  readonly bytesOut: number;
}

async function usageOf(client: Redis): Promise<Cost> {
  const info = await client.info('everything');
  // Subscribers ping in their own time.
  const calls = [...info.matchAll(/^cmdstat_(?!ping:|info:)[^:]+:calls=(\d+)/gm)];
  return {
    commands: calls.reduce((sum, [, count]) => sum + Number(count), 0),
    bytesOut: Number(/^total_net_output_bytes:(\d+)/m.exec(info)![1]),
  };
}

async function costOf(client: Redis, work: () => Promise<unknown>): Promise<Cost> {
  const before = await usageOf(client);
  await work();
  const after = await usageOf(client);
  return { commands: after.commands - before.commands, bytesOut: after.bytesOut - before.bytesOut };
}

/** Others, open and ended ones by turns, each with a worker. */
async function addOthers(store: Store, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const queue = `other-${count}-${i}`;
    await store.saveWorker(aWorker({ queues: [queue] }), 0);
    const deployment = aDeployment({ queue });
    await create(store, deployment, 10_000);
    if (i % 2 === 0) continue;
    const route = promoted((await store.getRoute(deployment.queue))!);
    const ended = { ...deployment, version: 2, status: 'completed' as const };
    await store.saveDeployment({ deployment: ended, expectedVersion: 1, route, events: [] });
  }
}

interface Scene {
  readonly control: Control;
  readonly client: Redis;
  /** That of the call, among a few deployments and among many. */
  readonly costs: (call: (n: number) => Promise<unknown>) => Promise<readonly [few: Cost, many: Cost]>;
}

async function openScene(): Promise<Scene> {
  const redis = await startRedis();
  onTestFinished(() => redis[Symbol.asyncDispose]());
  const store = openRedisStore({ url: redis.url, clock: systemClock, log: createLog('silent') });
  const control = await openControl({ store });
  const client = redis.client();
  await addOthers(store, FEW);
  return {
    control,
    client,
    costs: async (call) => {
      // Redis knows the scripts, and the control plane the epoch, from then on.
      await call(0);
      const few = await costOf(client, () => call(1));
      await addOthers(store, MANY);
      return [few, await costOf(client, () => call(2))];
    },
  };
}

/** Numbers have more digits by then, in what Redis says of itself as well. */
const DIGITS = 500;

function expectSame([few, many]: readonly [Cost, Cost]): void {
  expect(many.commands).toBe(few.commands);
  expect(Math.abs(many.bytesOut - few.bytesOut)).toBeLessThan(DIGITS);
}

test('creating a deployment costs the same whatever the number of others', async () => {
  const { control, costs } = await openScene();
  const [few, many] = await costs((n) => created(control, { queue_name: `queue-${n}` }));
  expect(many.commands).toBe(few.commands);
  expect(Math.abs(many.bytesOut - few.bytesOut)).toBeLessThan(DIGITS);
});

test('a change of percentage does', async () => {
  const { control, costs } = await openScene();
  const id = await created(control);
  expectSame(
    await costs(async (n) => {
      const { status } = await control.call('PUT', `/deployments/${id}/percentage`, { percentage: 10 + n });
      expect(status).toBe(200);
    }),
  );
});

test.each([
  ['rollback', { reason: 'a test' }],
  ['promote', undefined],
])('a %s with its drain does', async (verb, body) => {
  const { control, costs } = await openScene();
  const ids = await Promise.all([0, 1, 2].map((n) => created(control, { queue_name: `queue-${n}` })));
  expectSame(
    await costs(async (n) => {
      const answer = await control.call('POST', `/deployments/${ids[n]}/${verb}`, body);
      expect(answer.status).toBe(200);
    }),
  );
});

test('looking at a deployment does', async () => {
  const { control, costs } = await openScene();
  const id = await created(control, { queue_name: 'looked-at' });
  await control.store.saveWorker(aWorker({ queues: ['looked-at'] }), 0);
  expectSame(
    await costs(async () => {
      const answers = await Promise.all(
        ['', '/metrics', '/health'].map((what) => control.call('GET', `/deployments/${id}${what}`)),
      );
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    }),
  );
});

test('registering a worker and saying how it is does', async () => {
  const { control, costs } = await openScene();
  expectSame(
    await costs(async (n) => {
      const worker = { id: `w${n}`, version: 'v1', queues: ['payments'] };
      expect((await control.call('POST', '/workers', worker)).status).toBe(201);
      const { status } = await control.call('PUT', `/workers/w${n}/status`, { status: 'degraded' });
      expect(status).toBe(200);
    }),
  );
});

test.each(['?page=1&page_size=4', '?queue=looked-at&page_size=4', '?queue=looked-at&status=healthy&page=1'])(
  'a page of the workers does: %s',
  async (query) => {
    const { control, costs } = await openScene();
    for (let i = 0; i < 4; i++) await control.store.saveWorker(aWorker({ queues: ['looked-at'] }), 0);
    expectSame(
      await costs(async () => {
        const { body } = await control.call('GET', `/workers${query}`);
        expect(body.data).toHaveLength(4);
      }),
    );
  },
);

test('a page of the list does', async () => {
  const { control, costs } = await openScene();
  await created(control);
  expectSame(
    await costs(async () => {
      const { body } = await control.call('GET', '/deployments?page=1&page_size=4');
      expect(body.data).toHaveLength(4);
    }),
  );
});

test('a page of a filtered list costs more only by a command for some hundreds, and brings no more bytes', async () => {
  const { control, costs } = await openScene();
  await created(control);
  const [few, many] = await costs(async () => {
    const { body } = await control.call('GET', '/deployments?status=active&page_size=3');
    expect(body.data).toHaveLength(3);
  });
  expect(many.commands - few.commands).toBeLessThanOrEqual(Math.ceil(MANY / 500) * 2);
  expect(Math.abs(many.bytesOut - few.bytesOut)).toBeLessThan(DIGITS);
});
