import type { Job } from 'bullmq';
import { fromBullmqId } from '../../../core/bullmq-job.ts';
import { LANES, type Lane } from '../../../core/lane.ts';
import { MESSAGE_LENGTH_MAX, type QueueJob } from '../../../core/queue-job.ts';
import type { DeadJob, DeadJobs } from '../lane-store.ts';
import { moveJobs } from './bullmq-moves.ts';
import type { BullmqLanes } from './bullmq-queues.ts';

/**
 * Dead jobs are those that BullMQ has as failed, in both queues; their ids here are `<lane>:<BullMQ's id>`. They are kept as
 * long as the job's `removeOnFail` says.
 */

/** Failed jobs that one step reads. */
const STEP = 100;

export async function countDead(lanes: BullmqLanes): Promise<number> {
  const counts = await Promise.all(LANES.map((lane) => lanes[lane].getJobCounts('failed')));
  return counts.reduce((sum, { failed = 0 }) => sum + failed, 0);
}

/** Both queues are read up to the end of the page, and merged. */
export async function listDead(lanes: BullmqLanes, offset: number, limit: number): Promise<DeadJobs> {
  const total = await countDead(lanes);
  if (limit <= 0) return { total, jobs: [] };
  const found = await Promise.all(
    LANES.map(async (lane) =>
      (await lanes[lane].getJobs(['failed'], 0, offset + limit - 1)).map((job) => deadJob(lane, job)),
    ),
  );
  const jobs = found.flat().toSorted((a, b) => b.at - a.at);
  return { total, jobs: jobs.slice(offset, offset + limit) };
}

function deadJob(lane: Lane, job: Job): DeadJob {
  const at = job.finishedOn ?? job.timestamp;
  const reason = job.failedReason ?? '';
  return {
    id: `${lane}:${job.id}`,
    at,
    lane,
    reason,
    content: { kind: 'job', job: asQueueJob(lane, job, at) },
  };
}

/** As much as BullMQ knows. */
function asQueueJob(
  lane: Lane,
  { id, data, timestamp, attemptsMade, failedReason }: Job,
  at: number,
): QueueJob {
  const jobId = fromBullmqId(id!);
  const message = (failedReason ?? '').slice(0, MESSAGE_LENGTH_MAX);
  return {
    id: jobId,
    key: jobId,
    headers: {},
    attempt: Math.max(1, attemptsMade),
    lane,
    version: '',
    enqueuedAt: timestamp,
    body: Buffer.from(JSON.stringify(data)),
    history: [{ at, version: '', outcome: 'failure', message }],
  };
}

type Act = (lane: Lane, jobs: readonly Job[]) => Promise<number>;

/** They begin anew in `to`. @returns how many */
export function requeueDead(lanes: BullmqLanes, ids: readonly string[] | 'all', to: Lane): Promise<number> {
  return withDead(lanes, ids, async (lane, jobs) => {
    if (lane !== to) return moveJobs(lanes, lane, to, jobs);
    const anew = { resetAttemptsMade: true, resetAttemptsStarted: true };
    return countDone(jobs, (job) => job.retry('failed', anew));
  });
}

/** @returns how many */
export function dropDead(lanes: BullmqLanes, ids: readonly string[] | 'all'): Promise<number> {
  return withDead(lanes, ids, (_, jobs) => countDone(jobs, (job) => job.remove()));
}

async function withDead(lanes: BullmqLanes, ids: readonly string[] | 'all', act: Act): Promise<number> {
  let count = 0;
  for (const lane of LANES) {
    if (ids === 'all') count += await withAll(lanes, lane, act);
    else count += await withSome(lanes, lane, ids, act);
  }
  return count;
}

/** Those that fail meanwhile come later; a bound keeps a job that fails at once from going round. */
async function withAll(lanes: BullmqLanes, lane: Lane, act: Act): Promise<number> {
  let count = 0;
  for (let left = (await lanes[lane].getJobCounts('failed'))['failed'] ?? 0; left > 0;) {
    const jobs: readonly Job[] = await lanes[lane].getJobs(['failed'], 0, Math.min(left, STEP) - 1, true);
    if (jobs.length === 0) break;
    count += await act(lane, jobs);
    left -= jobs.length;
  }
  return count;
}

async function withSome(lanes: BullmqLanes, lane: Lane, ids: readonly string[], act: Act): Promise<number> {
  const own = new Set(ids.filter((id) => id.startsWith(`${lane}:`)).map((id) => id.slice(lane.length + 1)));
  const found = await Promise.all(
    Array.from(own, (id) => lanes[lane].getJob(id) as Promise<Job | undefined>),
  );
  const dead: Job[] = [];
  for (const job of found) if (job !== undefined && (await job.isFailed())) dead.push(job);
  return dead.length === 0 ? 0 : act(lane, dead);
}

/** A job that somebody else has just retried or removed is passed over. */
async function countDone(jobs: readonly Job[], act: (job: Job) => Promise<unknown>): Promise<number> {
  const done = await Promise.all(
    jobs.map(async (job) => {
      try {
        await act(job);
        return true;
      } catch (error) {
        if (isGone(error)) return false;
        throw error;
      }
    }),
  );
  return done.filter(Boolean).length;
}

/** BullMQ's own errors have a number for a code; those of the connection and of Redis have none, or a word. */
function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'number';
}
