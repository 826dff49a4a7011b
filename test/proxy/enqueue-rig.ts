import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { laneQueueOf } from '../../config/lane-queues.ts';
import type { RoutingStrategy } from '../../src/core/deployment.ts';
import type { ErrorBody } from '../../src/core/errors.ts';
import type { LaneQueue } from '../../src/core/lane-keys.ts';
import type { Lane } from '../../src/core/lane.ts';
import type { QueueJob } from '../../src/core/queue-job.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import type { LaneStore } from '../../src/runtime/store/lane-store.ts';
import { openRedisStore } from '../../src/runtime/store/redis/redis-store.ts';
import { openEmbeddedStore } from '../../src/runtime/store/sqlite/embedded-store.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import type { JobTracer } from '../../src/runtime/tracing.ts';
import { startRedis, type RedisServer } from '../helpers/redis.ts';
import { Rig, type Answer, type Send } from '../helpers/rig.ts';

/** A proxy that puts jobs into lanes and takes none, and a look into the lanes. */

export interface Place {
  readonly name: string;
  readonly store: 'redis' | 'embedded';
  readonly strategy: RoutingStrategy;
}

export const PLACES: readonly Place[] = [
  { name: 'lists in Redis', store: 'redis', strategy: 'split_queue' },
  { name: 'streams in Redis', store: 'redis', strategy: 'stream_group' },
  { name: 'split_queue in the embedded store', store: 'embedded', strategy: 'split_queue' },
  { name: 'stream_group in the embedded store', store: 'embedded', strategy: 'stream_group' },
];

export interface EnqueueRigOptions {
  readonly settings?: Readonly<Record<string, string>>;
  /** As YAML. */
  readonly queues?: string;
  /** What the proxy has for a store; the rig keeps the real one. */
  readonly through?: (store: Store) => Store;
  readonly tracer?: JobTracer;
}

export class EnqueueRig implements AsyncDisposable {
  readonly rig: Rig;
  /** The real one. */
  readonly store: Store;
  readonly redis: RedisServer | undefined;
  readonly strategy: RoutingStrategy;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: Pick<EnqueueRig, 'rig' | 'store' | 'redis' | 'strategy'>,
    stack: AsyncDisposableStack,
  ) {
    this.rig = parts.rig;
    this.store = parts.store;
    this.redis = parts.redis;
    this.strategy = parts.strategy;
    this.#stack = stack;
  }

  static async start(place: Omit<Place, 'name'>, options: EnqueueRigOptions = {}): Promise<EnqueueRig> {
    await using stack = new AsyncDisposableStack();
    const redis = place.store === 'redis' ? stack.use(await startRedis({ persistent: true })) : undefined;
    const store = redis === undefined ? await embeddedStore(stack) : openRedis(redis);
    stack.defer(() => store.close());
    const rig = stack.use(await startRig(store, place.strategy, options));
    return new EnqueueRig({ rig, store, redis, strategy: place.strategy }, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  /** Another proxy on the same store. */
  async another(options: EnqueueRigOptions = {}): Promise<Rig> {
    return this.#stack.use(await startRig(this.store, this.strategy, options));
  }

  laneQueue(queue: string): LaneQueue {
    return laneQueueOf(this.rig.config.queues, queue, this.strategy)!;
  }

  /** Takes all jobs that wait in a lane, oldest first. */
  async take(queue: string, lane: Lane): Promise<QueueJob[]> {
    const consumer = this.store.openConsumer({ id: 'test', leaseMs: 60_000 });
    const jobs: QueueJob[] = [];
    for (;;) {
      const taken = await consumer.take(this.laneQueue(queue), lane, { max: 500, waitMs: 0 });
      if (taken.length === 0) break;
      for (const { content } of taken) {
        if (content.kind === 'unreadable') throw new Error(content.reason);
        jobs.push(content.job);
      }
      await Promise.all(taken.map((job) => consumer.acknowledge(job)));
    }
    await consumer.close();
    return jobs;
  }

  /** Jobs that wait, by lane. */
  async depths(queue: string): Promise<Record<Lane, number>> {
    const { lanes } = await this.store.readDepths(this.laneQueue(queue));
    return { stable: lanes.stable.waiting, canary: lanes.canary.waiting };
  }
}

function openRedis({ url }: RedisServer): Store {
  return openRedisStore({ url, clock: systemClock, log: createLog('silent') });
}

async function embeddedStore(stack: AsyncDisposableStack): Promise<Store> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lanewise-enqueue-'));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  return openEmbeddedStore({ dataDir, clock: systemClock });
}

function startRig(store: Store, strategy: RoutingStrategy, options: EnqueueRigOptions): Promise<Rig> {
  const { settings, queues, through = (same) => same, tracer } = options;
  return Rig.start({
    store: through(store),
    ...(tracer !== undefined && { tracer }),
    settings: {
      LANEWISE_LANES_CONSUME: 'false',
      LANEWISE_DEFAULT_ROUTING_STRATEGY: strategy,
      ...(queues !== undefined && { LANEWISE_QUEUES: queues }),
      ...settings,
    },
  });
}

/** A proxy that hears of no change unless it asks. */
export function deaf(store: Store): Store {
  return {
    ...store,
    subscribeRoutes: () => ({ close: async () => {} }),
    readHead: () => Promise.reject(new Error('deaf')),
  };
}

export function aQueueName(): string {
  return `jobs-${randomUUID().slice(0, 8)}`;
}

export interface Accepted {
  readonly job_id: string;
  readonly queue: string;
  readonly lane: Lane;
  readonly version: string;
  readonly strategy: RoutingStrategy;
  readonly duplicate?: boolean;
}

// What an answer holds is for the test to say.
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export interface AcceptedBatch {
  readonly queue: string;
  readonly strategy: RoutingStrategy;
  readonly jobs: readonly Pick<Accepted, 'job_id' | 'lane' | 'version' | 'duplicate'>[];
}

export function acceptedBy({ body }: Answer): Accepted {
  return JSON.parse(body) as Accepted;
}

export function acceptedBatch({ body }: Answer): AcceptedBatch {
  return JSON.parse(body) as AcceptedBatch;
}

export function refusalOf({ body }: Answer): ErrorBody {
  return JSON.parse(body) as ErrorBody;
}

export const EMBEDDED: Omit<Place, 'name'> = { store: 'embedded', strategy: 'split_queue' };
export const LIST: Omit<Place, 'name'> = { store: 'redis', strategy: 'split_queue' };

/** Gone when the test is over. */
export async function start(
  place: Omit<Place, 'name'>,
  options: EnqueueRigOptions = {},
): Promise<EnqueueRig> {
  const lanes = await EnqueueRig.start(place, options);
  onTestFinished(() => lanes[Symbol.asyncDispose]());
  return lanes;
}

/** A proxy whose `enqueueJobs` is another one. */
export function withEnqueue(
  change: (enqueueJobs: LaneStore['enqueueJobs']) => LaneStore['enqueueJobs'],
): EnqueueRigOptions {
  return { through: (store) => ({ ...store, enqueueJobs: change((...args) => store.enqueueJobs(...args)) }) };
}

/** A request that the test writes itself. */
export function open(lanes: EnqueueRig, queue: string, headers: Record<string, string>): ClientRequest {
  const request = httpRequest(`${lanes.rig.dispatchUrl}/dispatch/${queue}`, { method: 'POST', headers });
  request.on('error', () => {});
  return request;
}

export async function answerTo(request: ClientRequest): Promise<{ status: number; body: string }> {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode!, body: Buffer.concat(chunks).toString() };
}

export function keyed(count: number, prefix = 'customer'): Send[] {
  return Array.from({ length: count }, (_, i) => ({ headers: { 'X-Canary-Sticky-Key': `${prefix}-${i}` } }));
}
