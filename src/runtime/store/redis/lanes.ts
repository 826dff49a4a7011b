import type { Clock } from '../../../core/clock.ts';
import type { LaneQueue } from '../../../core/lane-keys.ts';
import type { Lane } from '../../../core/lane.ts';
import { decodeJob, encodeJob, enqueuedAtOf, type StoredJob } from '../../../core/queue-job.ts';
import { revivedJob } from '../lane-jobs.ts';
import {
  LEDGER_TTL_MS_DEFAULT,
  type DeadJob,
  type EnqueuedJob,
  type LaneDepth,
  type LaneStore,
} from '../lane-store.ts';
import { damaged } from '../records.ts';
import type { RedisConnection } from './connection.ts';
import { createLaneCalls, type LaneCalls, type LaneReply } from './lane-calls.ts';
import { openLaneConsumer } from './lane-consumer.ts';
import { recoverJobs } from './lane-recovery.ts';

/** Dead jobs that one step reads and moves. */
const DEAD_STEP = 100;

export function createLanes(
  connection: RedisConnection,
  clock: Clock,
  replicasAcknowledged: number,
): LaneStore {
  const calls = createLaneCalls(connection, replicasAcknowledged);
  return {
    async enqueueJobs(queue, jobs, { routedBy, ledgerTtlMs = LEDGER_TTL_MS_DEFAULT }) {
      const args = jobs.flatMap((job) => [
        job.id,
        job.lane,
        job.tenant ?? '',
        encodeJob(queue.envelope ?? 'json', job).payload,
      ]);
      const head = [routedBy.epoch, String(routedBy.revision), String(Math.ceil(ledgerTtlMs))];
      const reply = await calls.runReplicated('enqueueJobs', queue, ...head, ...args);
      if (reply.text() === 'stale') return { kind: 'stale' };
      return { kind: 'stored', jobs: jobs.map((job) => enqueued(job.lane, reply)) };
    },

    async fenceQueue(queue, tenant, { epoch, revision }) {
      const scope = tenant === undefined ? 'queue' : `tenant:${tenant}`;
      await calls.run('fenceQueue', queue, scope, epoch, String(revision));
    },

    openConsumer: (options) => openLaneConsumer(connection, calls, clock, options),

    recoverJobs: (queue) => recoverJobs(calls, queue),

    async releaseDueJobs(queue, max) {
      const reply = await calls.run('releaseDueJobs', queue, String(max));
      const released = reply.count();
      const nextInMs = reply.count();
      return { released, nextInMs: nextInMs < 0 ? null : nextInMs };
    },

    async drainLane(queue, from, to, max) {
      await recoverJobs(calls, queue);
      const reply = await calls.run('drainLane', queue, from, to, String(max));
      return {
        moved: reply.count(),
        waiting: reply.count(),
        delayed: reply.count(),
        inFlight: reply.count(),
      };
    },

    async readDepths(queue) {
      const reply = await calls.run('readDepths', queue);
      const now = reply.count();
      const lanes = { stable: laneDepth(reply, now), canary: laneDepth(reply, now) };
      return { lanes, dead: reply.count() };
    },

    async listDeadJobs(queue, { offset, limit }) {
      if (limit <= 0) return { total: (await readDead(calls, queue, 'ids')).total, jobs: [] };
      const { total, jobs } = await readDead(calls, queue, 'latest', String(offset), String(limit));
      return { total, jobs: jobs.map(withoutBytes) };
    },

    async requeueDeadJobs(queue, ids, lane) {
      if (ids !== 'all') return { count: await requeueEach(calls, queue, ids, lane) };
      let count = 0;
      // Those that die meanwhile come later; a bound keeps a job that dies at once from going round.
      for (let left = (await readDead(calls, queue, 'ids')).total; left > 0;) {
        const { jobs } = await readDead(calls, queue, 'oldest', String(Math.min(left, DEAD_STEP)));
        if (jobs.length === 0) break;
        count += await requeue(calls, queue, jobs, lane);
        left -= jobs.length;
      }
      return { count };
    },

    async dropDeadJobs(queue, ids) {
      const args = ids === 'all' ? ['all'] : ['ids', ...ids];
      return { count: (await calls.run('dropDeadJobs', queue, ...args)).count() };
    },
  };
}

function enqueued(lane: Lane, reply: LaneReply): EnqueuedJob {
  const known = reply.text();
  if (known === '') return { kind: 'stored', lane };
  if (known !== 'stable' && known !== 'canary') throw damaged('ledger', `unknown lane ${known}`);
  return { kind: 'known', lane: known };
}

function laneDepth(reply: LaneReply, now: number): LaneDepth {
  const counts = { waiting: reply.count(), delayed: reply.count(), inFlight: reply.count() };
  const enqueuedAt = enqueuedAtOf(reply.text());
  return { ...counts, oldestAgeMs: enqueuedAt === undefined ? null : Math.max(0, now - enqueuedAt) };
}

function withoutBytes({ id, at, lane, reason, content }: StoredDeadJob): DeadJob {
  return { id, at, lane, reason, content };
}

interface StoredDeadJob extends DeadJob {
  readonly stored: StoredJob;
}

async function readDead(
  calls: LaneCalls,
  queue: LaneQueue,
  ...selection: readonly string[]
): Promise<{ readonly total: number; readonly jobs: readonly StoredDeadJob[] }> {
  const reply = await calls.run('readDeadJobs', queue, ...selection);
  const total = reply.count();
  const jobs: StoredDeadJob[] = [];
  while (!reply.isOver) {
    const id = reply.text();
    const lane = reply.lane();
    const about = { id, lane, at: reply.count(), reason: reply.text() };
    const stored = { note: reply.text(), payload: reply.bytes() };
    const content = decodeJob(queue.envelope ?? 'json', stored, { lane, fallbackId: id });
    jobs.push({ ...about, content, stored });
  }
  return { total, jobs };
}

async function requeueEach(
  calls: LaneCalls,
  queue: LaneQueue,
  ids: readonly string[],
  lane: Lane,
): Promise<number> {
  let count = 0;
  const left = [...new Set(ids)];
  while (left.length > 0) {
    const asked = left.slice(0, DEAD_STEP);
    const { jobs } = await readDead(calls, queue, 'ids', ...asked);
    count += await requeue(calls, queue, jobs, lane);
    // An answer holds less than was asked for where jobs are large, or gone.
    const last = jobs.at(-1)?.id;
    left.splice(0, last === undefined ? asked.length : asked.indexOf(last) + 1);
  }
  return count;
}

async function requeue(
  calls: LaneCalls,
  queue: LaneQueue,
  jobs: readonly StoredDeadJob[],
  lane: Lane,
): Promise<number> {
  if (jobs.length === 0) return 0;
  const args = jobs.flatMap(({ id, stored, content }) => {
    const { note, payload } = revivedJob({ queue, stored, content });
    return [id, note, payload];
  });
  return (await calls.run('requeueDeadJobs', queue, lane, ...args)).count();
}
