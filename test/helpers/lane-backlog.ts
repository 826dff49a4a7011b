import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { vi } from 'vitest';
import type { LaneKind } from '../../src/core/lane-keys.ts';
import { createLog } from '../../src/runtime/log.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { openRedisStore } from '../../src/runtime/store/redis/redis-store.ts';
import type { RouteHead, Store } from '../../src/runtime/store/store.ts';
import { someJobs } from '../runtime/store/lane-fixture.ts';
import { Relay } from '../faults/relay.ts';
import { Api, QUEUE } from './api.ts';
import { PATIENCE } from './patience.ts';
import { LanewiseProcess, temporaryDirectory } from './process.ts';
import type { RedisServer } from './redis.ts';

/** A canary's lane with so many jobs in it that one can be in the middle of its drain, and who drains it. */

export const JOBS = 50_000;
const STRATEGIES = { list: 'split_queue', stream: 'stream_group' } as const;
export const CANARY = `${QUEUE}@canary`;
const SECRET = 'integration-test-secret';

interface Control {
  readonly process: LanewiseProcess;
  readonly api: Api;
  /** Between it and Redis. Slow, a drain takes far longer than it takes to see that it goes on. */
  readonly wire: Relay;
}

export async function startControl(stack: AsyncDisposableStack, redis: RedisServer): Promise<Control> {
  const wire = stack.use(await Relay.start({ targets: () => [redis.port] }));
  const process = stack.use(
    LanewiseProcess.start(['control'], {
      REDIS_URL: `redis://127.0.0.1:${wire.port}`,
      LANEWISE_DATA_DIR: join(await temporaryDirectory(stack), 'control'),
      LANEWISE_TOKENS: `ops:admin:${SECRET}`,
    }),
  );
  const [, url] = await process.printed(/control plane on (http:\S+)\n/);
  return { process, api: new Api(url!, SECRET), wire };
}

interface Backlog {
  readonly store: Store;
  readonly deployment: string;
  /** What all of it was routed by. */
  readonly routedBy: RouteHead;
  /** In their order. */
  readonly jobs: readonly string[];
}

/** Jobs in the canary's lane, of a deployment at half. */
export async function putBacklog(
  stack: AsyncDisposableStack,
  redis: RedisServer,
  api: Api,
  kind: LaneKind,
): Promise<Backlog> {
  const store = openRedisStore({ url: redis.url, clock: systemClock, log: createLog('silent') });
  stack.defer(() => store.close());
  const deployment = await api.createDeployment('v1', 'v2', { routing_strategy: STRATEGIES[kind] });
  await api.setPercentage(deployment, 50);
  const routedBy = await store.readHead();
  const ids: string[] = [];
  for (let i = 0; i < JOBS; i += 1000) {
    const jobs = someJobs(1000, { lane: 'canary' });
    await store.enqueueJobs({ name: QUEUE, kind }, jobs, { routedBy });
    ids.push(...jobs.map((job) => job.id));
  }
  return { store, deployment, routedBy, jobs: ids };
}

/** Resolves when more has been moved than goes with the answer. */
export async function isMidway(redis: RedisServer, kind: LaneKind): Promise<void> {
  const client = redis.client();
  await vi.waitUntil(async () => (await lengthOf(client, kind, CANARY)) < JOBS - 5000, {
    ...PATIENCE,
    interval: 1,
  });
}

export async function lengthOf(client: Redis, kind: LaneKind, key: string): Promise<number> {
  return kind === 'list' ? client.llen(key) : client.xlen(key);
}

export async function failed(api: Api, deployment: string): Promise<void> {
  await vi.waitUntil(
    async () => (await api.done('GET', `/deployments/${deployment}`)).status === 'failed',
    PATIENCE,
  );
}

/** From the front to the end of stable's lane. */
export async function idsIn(redis: RedisServer, kind: LaneKind): Promise<readonly string[]> {
  const payloads =
    kind === 'list'
      ? (await redis.client().lrange(QUEUE, 0, -1)).toReversed()
      : (await redis.client().xrange(QUEUE, '-', '+')).map(([, fields]) => fields[1]!);
  return payloads.map((payload) => (JSON.parse(payload) as { id: string }).id);
}
