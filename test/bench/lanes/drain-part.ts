import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { moveToStable } from '../../../control/lanes/drain.ts';
import type { LaneKind, LaneQueue } from '../../../src/core/lane-keys.ts';
import type { QueueJob } from '../../../src/core/queue-job.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createLog } from '../../../src/runtime/log.ts';
import { openRedisStore } from '../../../src/runtime/store/redis/redis-store.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { openEmbeddedStore } from '../../../src/runtime/store/sqlite/embedded-store.ts';
import { answerQuestions } from '../part-process.ts';
import { jobBody, jobId } from './job.ts';

/** A control plane that moves a canary's lane to stable's, as it does after a rollback. */

export interface DrainStart {
  readonly kind: LaneKind;
  /** Absent: the embedded store. */
  readonly redisUrl?: string;
  readonly jobs: number;
}

const FILL = 1000;

function jobOf(number: number): QueueJob {
  const headers = { 'Content-Type': 'application/json' };
  const body = Buffer.from(jobBody(0));
  const known = { attempt: 1, lane: 'canary', version: 'v2', enqueuedAt: 0, history: [] } as const;
  return { id: jobId(number), key: jobId(number), headers, body, ...known };
}

let queue: LaneQueue;
let store: Store;

answerQuestions({
  async fill({ kind, redisUrl, jobs }: DrainStart) {
    queue = { name: 'drained', kind };
    store =
      redisUrl === undefined
        ? openEmbeddedStore({ dataDir: await mkdtemp(join(tmpdir(), 'lanewise-drain-')), clock: systemClock })
        : openRedisStore({ url: redisUrl, clock: systemClock, log: createLog('silent') });
    const routedBy = await store.readHead();
    for (let from = 0; from < jobs; from += FILL) {
      const some = Array.from({ length: FILL }, (_, i) => jobOf(from + i));
      await store.enqueueJobs(queue, some, { routedBy });
    }
  },
  /** @returns seconds */
  async drain(jobs: number) {
    const start = performance.now();
    const { moved, left } = await moveToStable(store, queue, Infinity);
    const seconds = (performance.now() - start) / 1000;
    const { lanes } = await store.readDepths(queue);
    if (moved !== jobs || left.waiting !== 0 || lanes.stable.waiting !== jobs)
      throw new Error(`${moved} of ${jobs} were moved; ${lanes.stable.waiting} wait in stable's lane`);
    return seconds;
  },
});
