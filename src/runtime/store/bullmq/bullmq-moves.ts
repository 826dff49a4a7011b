import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Job, Queue } from 'bullmq';
import { LanewiseError } from '../../../core/errors.ts';
import type { LaneQueue } from '../../../core/lane-keys.ts';
import type { Lane } from '../../../core/lane.ts';
import { STEP_BYTES_MAX, type DrainResult, type LaneCounts } from '../lane-store.ts';
import { CALL_TIMEOUT_MS } from '../redis/clients.ts';
import type { LaneCalls } from '../redis/lane-calls.ts';
import { pauseCanary, resumeCanary } from './bullmq-pause.ts';
import type { BullmqLanes, BullmqQueues } from './bullmq-queues.ts';

/**
 * Jobs from one queue of BullMQ to the other. BullMQ has no step that does this, so it is two: added there under the same
 * id, then removed here. A crash in between leaves a job in both, which the next step mends: the id is known there, so
 * it is only removed here. Should the first copy have been executed and forgotten (`removeOnComplete`) by then, the job runs
 * twice: at least once, and more than that only around a crash.
 *
 * Two who did that at the same time could make it happen without a crash, so a lock says whose turn it is.
 */

/** Each slice's calls take at most three times two seconds, and each slice renews it. */
const MOVES_LEASE_MS = 10_000;
/** Jobs of one slice, held in memory with their data. */
const SLICE = 50;
/** How long who is told that it's somebody else's turn waits to ask again. */
const TURN_WAIT_MS = 20;

/** Where jobs wait, in the order in which workers take them. Those of a scheduler or a flow belong where they are. */
const WAITING = ['waiting', 'prioritized', 'delayed'] as const;

export async function countsOf(queue: Queue): Promise<LaneCounts> {
  const counts = await queue.getJobCounts(...WAITING, 'active');
  const { waiting = 0, prioritized = 0, delayed = 0, active = 0 } = counts;
  return { waiting: waiting + prioritized, delayed, inFlight: active };
}

/** Nothing is moved while somebody else does. */
export async function drainLane(
  calls: LaneCalls,
  queues: BullmqQueues,
  queue: LaneQueue,
  { from, to, max }: { readonly from: Lane; readonly to: Lane; readonly max: number },
): Promise<DrainResult> {
  return queues.with(queue, async (lanes) => {
    const moved = await inTurn(calls, queue, (isMine) =>
      drain(calls, queue, lanes, { from, to, max, isMine }),
    );
    return { moved: moved ?? 0, ...(await countsOf(lanes[from])) };
  });
}

interface DrainScope {
  readonly from: Lane;
  readonly to: Lane;
  readonly max: number;
  readonly isMine: () => Promise<boolean>;
}

async function drain(
  calls: LaneCalls,
  queue: LaneQueue,
  lanes: BullmqLanes,
  { from, to, max, isMine }: DrainScope,
): Promise<number> {
  if (from === 'canary') await pauseCanary(calls, queue, lanes.canary);
  let moved = 0;
  for (let bytes = 0; moved < max && bytes < STEP_BYTES_MAX;) {
    const jobs = await nextMovable(lanes[from], Math.min(SLICE, max - moved));
    if (jobs.length === 0 || !(await isMine())) break;
    moved += await moveJobs(lanes, from, to, jobs);
    bytes += jobs.reduce((sum, job) => sum + JSON.stringify(job.data).length, 0);
  }
  return moved;
}

async function nextMovable(queue: Queue, max: number): Promise<readonly Job[]> {
  for (const state of WAITING) {
    const jobs = (await queue.getJobs([state], 0, max - 1, true)).filter(isMovable);
    if (jobs.length > 0) return jobs;
  }
  return [];
}

function isMovable({ repeatJobKey, parentKey }: Job): boolean {
  return repeatJobKey === undefined && parentKey === undefined;
}

/** Keeps their order, their options, and the time at which they are due. Attempts begin anew. @returns how many went */
export async function moveJobs(
  lanes: BullmqLanes,
  from: Lane,
  to: Lane,
  jobs: readonly Job[],
): Promise<number> {
  const dueAt = await Promise.all(jobs.map((job) => lanes.dueAt(from, job)));
  await lanes[to].addBulk(jobs.map((job, i) => asAdded(job, dueAt[i])));
  const removed = await Promise.all(jobs.map(({ id }) => lanes[from].remove(id!)));
  // Somebody has resumed the queue by hand, and a worker has taken the job.
  const taken = jobs.filter((_, i) => removed[i] === 0);
  await Promise.all(taken.map(({ id }) => lanes[to].remove(id!)));
  return jobs.length - taken.length;
}

function asAdded({ id, name, data, opts, timestamp }: Job, dueAt: number | undefined) {
  const { delay: _, lifo: _lifo, ...kept } = opts;
  // BullMQ counts the delay from the timestamp.
  const left = dueAt === undefined ? 0 : dueAt - timestamp;
  return { name, data, opts: { ...kept, jobId: id!, timestamp, ...(left > 0 && { delay: left }) } };
}

/**
 * Of jobs that may have got into the canary's queue after a fence was raised, perhaps after the lane was drained: those
 * that nobody has taken go to stable.
 * @returns for each the lane that has it
 */
export async function withdrawJobs(
  calls: LaneCalls,
  queue: LaneQueue,
  lanes: BullmqLanes,
  ids: readonly string[],
): Promise<readonly Lane[]> {
  const withdraw = async (): Promise<readonly Lane[]> => {
    const wasPaused = await lanes.canary.isPaused();
    const token = randomUUID();
    if (!wasPaused) {
      await calls.run('notePause', queue, token, '');
      await lanes.canary.pause();
    }
    const where = await Promise.all(ids.map((id) => lookUp(lanes, id)));
    const waiting = where.flatMap(({ job, isWaiting }) => (job !== undefined && isWaiting ? [job] : []));
    if (waiting.length > 0) await moveJobs(lanes, 'canary', 'stable', waiting);
    // Other tenants' deployments may go on.
    if (!wasPaused) await resumeCanary(calls, queue, lanes.canary, token);
    return where.map(({ job, isWaiting }) => (job === undefined || isWaiting ? 'stable' : 'canary'));
  };
  for (const deadline = performance.now() + CALL_TIMEOUT_MS; performance.now() < deadline;) {
    const done = await inTurn(calls, queue, withdraw);
    if (done !== undefined) return done;
    await delay(TURN_WAIT_MS);
  }
  throw new LanewiseError('STORE_UNAVAILABLE', `the jobs of ${queue.name} are being moved: send it again`);
}

async function lookUp(
  { canary }: BullmqLanes,
  id: string,
): Promise<{ readonly job: Job | undefined; readonly isWaiting: boolean }> {
  const job = (await canary.getJob(id)) as Job | undefined;
  if (job === undefined) return { job, isWaiting: false };
  const state: string = await job.getState();
  return { job, isWaiting: (WAITING as readonly string[]).includes(state) };
}

/** Undefined if it is somebody else's turn. */
async function inTurn<T>(
  calls: LaneCalls,
  queue: LaneQueue,
  work: (isMine: () => Promise<boolean>) => Promise<T>,
): Promise<T | undefined> {
  const token = randomUUID();
  const claim = async (): Promise<boolean> =>
    (await calls.run('claimMoves', queue, token, String(MOVES_LEASE_MS))).text() === '1';
  if (!(await claim())) return undefined;
  try {
    return await work(claim);
  } finally {
    // Else it runs out by itself.
    await calls.run('releaseMoves', queue, token).catch(() => undefined);
  }
}
