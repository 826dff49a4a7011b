import { LanewiseError } from '../../src/core/errors.ts';
import type { LaneQueue } from '../../src/core/lane-keys.ts';
import type { Lane } from '../../src/core/lane.ts';
import type { Logger } from '../../src/runtime/log.ts';
import type { DeadJob } from '../../src/runtime/store/lane-store.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import type { Credential } from '../credentials.ts';
import { sideBySide } from '../side-by-side.ts';
import { openOn } from './open-deployments.ts';
import type { KnownQueue, QueueCatalog } from './queue-catalog.ts';
import { READINGS_AT_ONCE, readQueue, type QueueReading } from './queue-reading.ts';

/** Queues and their dead jobs, as callers of the API see and change them. */
export interface QueueService {
  /** By name. */
  list(): Promise<readonly SeenQueue[]>;
  /** Latest first. */
  listDead(queue: string, page: { readonly offset: number; readonly limit: number }): Promise<DeadPage>;
  requeueDead(queue: string, ids: DeadIds, lane: Lane, by: Credential): Promise<{ readonly count: number }>;
  dropDead(queue: string, ids: DeadIds, by: Credential): Promise<{ readonly count: number }>;
}

export type DeadIds = readonly string[] | 'all';

export interface SeenQueue extends KnownQueue {
  /** Undefined for hash_ring. */
  readonly reading: QueueReading | undefined;
}

export interface DeadPage {
  readonly total: number;
  readonly jobs: readonly DeadJob[];
}

type QueueStore = Pick<
  Store,
  'readDepths' | 'intake' | 'listDeadJobs' | 'requeueDeadJobs' | 'dropDeadJobs' | 'listDeployments'
>;

export interface QueueServiceOptions {
  readonly store: QueueStore;
  readonly catalog: QueueCatalog;
  readonly log: Logger;
}

export function createQueueService({ store, catalog, log }: QueueServiceOptions): QueueService {
  const refuseLane = async (queue: string, lane: Lane): Promise<void> => {
    if (lane === 'stable' || (await openOn(store, queue)).length > 0) return;
    throw refused(
      'lane',
      'must be stable: the queue has no open deployment, so nobody reads its canary lane',
    );
  };

  return {
    async list() {
      const queues = await catalog.list();
      const readings = new Map<string, QueueReading>();
      await sideBySide(READINGS_AT_ONCE, queues, async ({ name, lanes }) => {
        if (lanes !== undefined) readings.set(name, await readQueue(store, lanes));
      });
      return queues.map((queue) => ({ ...queue, reading: readings.get(queue.name) }));
    },

    async listDead(queue, { offset, limit }) {
      const dead = deadOf(await catalog.get(queue));
      const jobs: DeadJob[] = [];
      let total = 0;
      // An answer of the store holds fewer than was asked for where jobs are large.
      for (let wanted = limit; wanted > 0; wanted = limit - jobs.length) {
        const page = await store.listDeadJobs(dead, { offset: offset + jobs.length, limit: wanted });
        ({ total } = page);
        if (page.jobs.length === 0) break;
        jobs.push(...page.jobs);
        if (offset + jobs.length >= total) break;
      }
      return { total, jobs };
    },

    async requeueDead(queue, ids, lane, by) {
      const { lanes } = await catalog.get(queue);
      if (lanes === undefined) {
        throw refused('queue', `${queue} is of the strategy hash_ring, which has no lanes to put jobs into`);
      }
      await refuseLane(queue, lane);
      const { count } = await store.requeueDeadJobs(lanes, ids, lane);
      log.info({ queue, lane, count, actor: by.name }, 'Dead jobs requeued');
      return { count };
    },

    async dropDead(queue, ids, by) {
      const { count } = await store.dropDeadJobs(deadOf(await catalog.get(queue)), ids);
      log.info({ queue, count, actor: by.name }, 'Dead jobs dropped');
      return { count };
    },
  };
}

/** The dead are kept the same way for every kind, and a queue that is hash_ring now may have some from before. */
function deadOf({ name, lanes }: KnownQueue): LaneQueue {
  return lanes ?? { name, kind: 'list' };
}

function refused(field: string, problem: string): LanewiseError {
  return new LanewiseError('VALIDATION_FAILED', `The request is not valid: ${field} ${problem}`, {
    details: { [field]: problem },
  });
}
