import { Queue } from 'bullmq';
import { onTestFinished } from 'vitest';
import { laneSettingsOf } from '../../../config/lane-queues.ts';
import { loadConfig } from '../../../config/load.ts';
import type { LaneQueue } from '../../../src/core/lane-keys.ts';
import type { Lane } from '../../../src/core/lane.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createLog } from '../../../src/runtime/log.ts';
import type { BullmqModule } from '../../../src/runtime/store/bullmq/bullmq-queues.ts';
import type { DrainResult } from '../../../src/runtime/store/lane-store.ts';
import { openRedisStore } from '../../../src/runtime/store/redis/redis-store.ts';
import type { RouteHead, Store } from '../../../src/runtime/store/store.ts';
import { openQueue, RecordingWorker, type Processor } from '../../helpers/bullmq.ts';
import { HEAD } from './lane-fixture.ts';

/** A store whose queues are BullMQ's, and BullMQ's own workers beside it. All of it ends with the test. */

/** Heads of routes that were decided after `HEAD`. */
export const LATER: RouteHead = { ...HEAD, revision: HEAD.revision + 1 };
export const LATEST: RouteHead = { ...HEAD, revision: HEAD.revision + 2 };

export const NOTHING = { waiting: 0, delayed: 0, inFlight: 0 };

let made = 0;

/** Numbers in the name keep tests apart. */
export function aBullmqQueue(): LaneQueue {
  made += 1;
  return { name: `{payments-${made}}`, kind: 'list', envelope: 'bullmq' };
}

interface BullmqStoreOptions {
  readonly module?: BullmqModule;
  /** As YAML. */
  readonly jobOptions?: string;
}

export function openBullmqStore(
  url: string,
  { module = { Queue }, jobOptions = '{}' }: BullmqStoreOptions = {},
): Store {
  const text = `queues: { payments: { envelope: bullmq, routing_strategy: split_queue, bullmq_job_options: ${jobOptions} } }`;
  const { config } = loadConfig({ file: { path: 'x', text }, environment: {}, readFile: () => '' });
  const store = openRedisStore({
    url,
    clock: systemClock,
    log: createLog('silent'),
    bullmq: { module, settingsOf: () => laneSettingsOf(config.queues, 'payments') },
  });
  onTestFinished(() => store.close());
  return store;
}

/** BullMQ of which the first `addBulk` does something else as well. */
export function bullmqThat(disturbs: (add: () => Promise<unknown>) => Promise<unknown>): {
  readonly module: BullmqModule;
} {
  let isFirst = true;
  class DisturbedQueue extends Queue {
    override addBulk(jobs: Parameters<Queue['addBulk']>[0]) {
      const add = () => super.addBulk(jobs);
      if (!isFirst) return add();
      isFirst = false;
      return disturbs(add) as ReturnType<Queue['addBulk']>;
    }
  }
  return { module: { Queue: DisturbedQueue } };
}

function nameOf(queue: LaneQueue, lane: Lane): string {
  return lane === 'stable' ? queue.name : `${queue.name}@canary`;
}

export async function bullmqWorker(
  port: number,
  queue: LaneQueue,
  lane: Lane,
  process?: Processor,
): Promise<RecordingWorker> {
  const started = await RecordingWorker.start(port, nameOf(queue, lane), process);
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

export function bullmqQueue(port: number, queue: LaneQueue, lane: Lane): Queue {
  const opened = openQueue(port, nameOf(queue, lane));
  onTestFinished(() => opened.close());
  return opened;
}

/** One step of what the control plane does. */
export async function rollBack(store: Store, queue: LaneQueue, max = 1000): Promise<DrainResult> {
  await store.fenceQueue(queue, undefined, LATER);
  return store.drainLane(queue, 'canary', 'stable', max);
}
