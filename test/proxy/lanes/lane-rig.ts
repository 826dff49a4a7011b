import { vi } from 'vitest';
import { laneQueueOf } from '../../../config/lane-queues.ts';
import type { Deployment } from '../../../src/core/deployment.ts';
import type { LaneQueue } from '../../../src/core/lane-keys.ts';
import type { Lane } from '../../../src/core/lane.ts';
import type { QueueJob } from '../../../src/core/queue-job.ts';
import type { Worker } from '../../../src/core/worker.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createLog } from '../../../src/runtime/log.ts';
import type { DeadJob } from '../../../src/runtime/store/lane-store.ts';
import { openRedisStore } from '../../../src/runtime/store/redis/redis-store.ts';
import { openEmbeddedStore } from '../../../src/runtime/store/sqlite/embedded-store.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import { temporaryDirectory } from '../../helpers/process.ts';
import { Rig } from '../../helpers/rig.ts';
import { aJob, someJobs } from '../../runtime/store/lane-fixture.ts';

/** Proxies that take jobs from lanes, over each of the stores, and producers that put jobs straight into those. */

export const KINDS = ['embedded', 'list', 'stream'] as const;
export type Kind = (typeof KINDS)[number];

/** How a queue is set in the tests, unless they say otherwise: what takes seconds elsewhere takes milliseconds. */
const QUICK = { retry_delay: '10ms', retry_delay_max: '40ms' };

export interface LaneRigOptions {
  /** Of the queue `jobs`. */
  readonly queue?: Readonly<Record<string, unknown>>;
  readonly settings?: Readonly<Record<string, string>>;
  /** The worker of a sidecar. */
  readonly consumeFor?: string;
}

export class LaneRigs implements AsyncDisposable {
  readonly kind: Kind;
  readonly redis: RedisServer | undefined;
  readonly #embedded: Store | undefined;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    kind: Kind,
    redis: RedisServer | undefined,
    embedded: Store | undefined,
    stack: AsyncDisposableStack,
  ) {
    this.kind = kind;
    this.redis = redis;
    this.#embedded = embedded;
    this.#stack = stack;
  }

  static async open(kind: Kind): Promise<LaneRigs> {
    await using stack = new AsyncDisposableStack();
    if (kind !== 'embedded')
      return new LaneRigs(kind, stack.use(await startRedis()), undefined, stack.move());
    const dataDir = await temporaryDirectory(stack);
    const embedded = openEmbeddedStore({ dataDir, clock: systemClock });
    stack.defer(() => embedded.close());
    return new LaneRigs(kind, undefined, embedded, stack.move());
  }

  /** A proxy. All of them share the lanes; with Redis each has connections of its own. */
  async start({ queue = {}, settings = {}, consumeFor }: LaneRigOptions = {}): Promise<LaneRig> {
    const { redis, kind } = this;
    const own = redis && openRedisStore({ url: redis.url, clock: systemClock, log: createLog('silent') });
    if (own !== undefined) this.#stack.defer(() => own.close());
    const rig = await Rig.start({
      store: own ?? this.#embedded!,
      ...(consumeFor !== undefined && { consumeFor }),
      settings: {
        LANEWISE_DEFAULT_ROUTING_STRATEGY: kind === 'stream' ? 'stream_group' : 'split_queue',
        LANEWISE_QUEUES: JSON.stringify({ jobs: { ...QUICK, ...queue } }),
        ...settings,
      },
    });
    this.#stack.use(rig);
    return new LaneRig(rig);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

export class LaneRig {
  readonly rig: Rig;
  readonly store: Store;

  constructor(rig: Rig) {
    this.rig = rig;
    this.store = rig.store;
  }

  queue(name = 'jobs'): LaneQueue {
    const { config } = this.rig;
    return laneQueueOf(config.queues, name, config.default_routing_strategy)!;
  }

  createDeployment(change: Parameters<Rig['createDeployment']>[0] = {}): Promise<Deployment> {
    return this.rig.createDeployment({ strategy: this.rig.config.default_routing_strategy, ...change });
  }

  /** Past the routing: each to the lane that it names. */
  async put(jobs: readonly QueueJob[], name = 'jobs'): Promise<readonly string[]> {
    const { epoch, revision } = this.rig.proxy.table;
    const result = await this.store.enqueueJobs(this.queue(name), jobs, { routedBy: { epoch, revision } });
    if (result.kind !== 'stored') throw new Error(`the store answered ${result.kind}`);
    return jobs.map(({ id }) => id);
  }

  /** @returns their ids */
  putSome(count: number, lane: Lane = 'stable', name = 'jobs'): Promise<readonly string[]> {
    return this.put(someJobs(count, { lane }), name);
  }

  putOne(over: Partial<QueueJob> = {}): Promise<readonly string[]> {
    return this.put([aJob(over)]);
  }

  /** Registers a worker; resolves when all of the proxies know it. */
  async register(worker: Parameters<Rig['register']>[0], ...others: readonly LaneRig[]): Promise<Worker> {
    const registered = await this.rig.register(worker);
    const knows = ({ rig }: LaneRig): boolean => rig.proxy.table.workers.has(registered.id);
    await vi.waitUntil(() => others.every(knows), PATIENT);
    return registered;
  }

  /** Resolves when the lanes of the queue are empty and nothing is under way. */
  async emptied(name = 'jobs'): Promise<void> {
    await vi.waitUntil(async () => {
      const { lanes } = await this.store.readDepths(this.queue(name));
      return Object.values(lanes).every((l) => l.waiting + l.delayed + l.inFlight === 0);
    }, PATIENT);
  }

  async dead(name = 'jobs'): Promise<readonly DeadJob[]> {
    return (await this.store.listDeadJobs(this.queue(name), { offset: 0, limit: 1_000 })).jobs;
  }
}

/** Nothing is measured by it: who runs into this bound has found something that hangs. */
export const PATIENT = { timeout: 60_000, interval: 5 };
