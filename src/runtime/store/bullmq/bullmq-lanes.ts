import type { Queue } from 'bullmq';
import type { BullmqOptions } from '../../../core/bullmq-job.ts';
import type { Clock } from '../../../core/clock.ts';
import { LanewiseError } from '../../../core/errors.ts';
import { isOfBullmq, type LaneQueue } from '../../../core/lane-keys.ts';
import type { Lane } from '../../../core/lane.ts';
import type { LaneConsumer, LaneDepth, LaneStore } from '../lane-store.ts';
import { createLaneCalls } from '../redis/lane-calls.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { countDead, dropDead, listDead, requeueDead } from './bullmq-dead.ts';
import { enqueueJobs } from './bullmq-enqueue.ts';
import { countsOf, drainLane } from './bullmq-moves.ts';
import { openBullmqQueues, type BullmqModule, type BullmqQueuesOptions } from './bullmq-queues.ts';

/**
 * Lanes that are queues of BullMQ, whose unmodified workers take the jobs: a decorator of the Redis lanes, so that neither
 * a proxy that enqueues nor the control plane that drains knows of it. Queues of another envelope pass through. What
 * proxies do for other queues (take, retry, recover, release what is due) BullMQ's workers do themselves.
 */
export interface BullmqConfig {
  readonly module: BullmqModule;
  readonly settingsOf: (queue: string) => {
    readonly bullmq_prefix: string;
    readonly bullmq_job_options: BullmqOptions;
  };
}

export interface BullmqLanesOptions extends Pick<BullmqQueuesOptions, 'url' | 'tls'> {
  readonly config: BullmqConfig;
  readonly connection: RedisConnection;
  readonly clock: Clock;
}

export function withBullmqLanes(
  inner: LaneStore,
  { config, connection, clock, ...address }: BullmqLanesOptions,
): LaneStore & { close(): void } {
  const calls = createLaneCalls(connection);
  const queues = openBullmqQueues({
    ...address,
    module: config.module,
    prefixOf: (queue) => config.settingsOf(queue).bullmq_prefix,
  });
  const jobOptionsOf = (queue: string): BullmqOptions => config.settingsOf(queue).bullmq_job_options;

  return {
    async enqueueJobs(queue, jobs, options) {
      if (!isOfBullmq(queue)) return inner.enqueueJobs(queue, jobs, options);
      return enqueueJobs({ calls, queues, jobOptionsOf }, usable(queue), jobs, options);
    },
    fenceQueue: (queue, tenant, head) => inner.fenceQueue(queue, tenant, head),
    openConsumer: (options) => withoutBullmq(inner.openConsumer(options)),
    async recoverJobs(queue) {
      return isOfBullmq(queue) ? { recovered: 0 } : inner.recoverJobs(queue);
    },
    async releaseDueJobs(queue, max) {
      return isOfBullmq(queue) ? { released: 0, nextInMs: null } : inner.releaseDueJobs(queue, max);
    },
    async drainLane(queue, from, to, max) {
      if (!isOfBullmq(queue)) return inner.drainLane(queue, from, to, max);
      return drainLane(calls, queues, usable(queue), { from, to, max });
    },
    async readDepths(queue) {
      if (!isOfBullmq(queue)) return inner.readDepths(queue);
      return queues.with(usable(queue), async (lanes) => {
        const [stable, canary, dead] = await Promise.all([
          depthOf(lanes.stable, clock),
          depthOf(lanes.canary, clock),
          countDead(lanes),
        ]);
        return { lanes: { stable, canary }, dead };
      });
    },
    async listDeadJobs(queue, page) {
      if (!isOfBullmq(queue)) return inner.listDeadJobs(queue, page);
      return queues.with(usable(queue), (lanes) => listDead(lanes, page.offset, page.limit));
    },
    async requeueDeadJobs(queue, ids, lane) {
      if (!isOfBullmq(queue)) return inner.requeueDeadJobs(queue, ids, lane);
      return { count: await queues.with(usable(queue), (lanes) => requeueDead(lanes, ids, lane)) };
    },
    async dropDeadJobs(queue, ids) {
      if (!isOfBullmq(queue)) return inner.dropDeadJobs(queue, ids);
      return { count: await queues.with(usable(queue), (lanes) => dropDead(lanes, ids)) };
    },
    close: () => queues.close(),
  };
}

/** The configuration refuses the strategy; this is for one that an older deployment or proxy still has. */
function usable(queue: LaneQueue): LaneQueue {
  if (queue.kind === 'list') return queue;
  const message = `queues.${queue.name}.envelope is bullmq, which goes with the routing strategy split_queue alone`;
  throw new LanewiseError('QUEUE_UNAVAILABLE', message);
}

async function depthOf(queue: Queue, clock: Clock): Promise<LaneDepth> {
  const counts = await countsOf(queue);
  const [oldest] =
    counts.waiting === 0
      ? []
      : [...(await queue.getWaiting(0, 0)), ...(await queue.getPrioritized(0, 0))].toSorted(
          (a, b) => a.timestamp - b.timestamp,
        );
  return {
    ...counts,
    oldestAgeMs: oldest === undefined ? null : Math.max(0, clock.now() - oldest.timestamp),
  };
}

/** Nobody should ask; who does is told, and no list of that name is made. */
function withoutBullmq(consumer: LaneConsumer): LaneConsumer {
  return {
    name: consumer.name,
    async take(queue: LaneQueue, lane: Lane, options) {
      if (!isOfBullmq(queue)) return consumer.take(queue, lane, options);
      throw new LanewiseError('QUEUE_UNAVAILABLE', `the jobs of ${queue.name} are taken by BullMQ's workers`);
    },
    heartbeat: () => consumer.heartbeat(),
    acknowledge: (job) => consumer.acknowledge(job),
    retry: (job, options) => consumer.retry(job, options),
    bury: (job, options) => consumer.bury(job, options),
    giveBack: (jobs) => consumer.giveBack(jobs),
    close: () => consumer.close(),
  };
}
