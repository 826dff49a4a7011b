import type { LaneKind, LaneQueue } from '../../../src/core/lane-keys.ts';
import type { Lane } from '../../../src/core/lane.ts';
import type { JobAttempt, QueueJob } from '../../../src/core/queue-job.ts';
import type {
  EnqueueResult,
  LaneConsumer,
  LaneStore,
  TakenJob,
} from '../../../src/runtime/store/lane-store.ts';
import type { RouteHead } from '../../../src/runtime/store/store.ts';

/** Empty lanes for one test. */
export interface LaneFixture extends AsyncDisposable {
  readonly store: LaneStore;
  /** What another process sees; the same object where there can be only one process. */
  readonly other: LaneStore;
  readonly kind: LaneKind;
  /** Lets the clock of leases and delays run, where the test can move it; elsewhere time does. */
  elapse(ms: number): void;
}

export type OpenLaneFixture = () => Promise<LaneFixture>;

/** Longer than any test. */
export const LONG_MS = 600_000;
export const SHORT_MS = 200;

/** UUIDs of version 7 sort by time; any words that do will serve. */
export const HEAD: RouteHead = { epoch: 'epoch-1', revision: 10 };

let made = 0;

/** A queue of its own for each test, with a hash tag, so that it may be on a Cluster. */
export function aQueue(fixture: LaneFixture, over: Partial<LaneQueue> = {}): LaneQueue {
  made += 1;
  return { name: `{payments-${made}}`, kind: fixture.kind, ...over };
}

export function aJob(over: Partial<QueueJob> = {}): QueueJob {
  made += 1;
  return {
    id: `job-${made}`,
    key: `customer-${made}`,
    headers: { 'content-type': 'application/json' },
    attempt: 1,
    lane: 'stable',
    version: 'v1.2.0',
    enqueuedAt: Date.now(),
    body: Buffer.from(`{"amount":${made}}`),
    history: [],
    ...over,
  };
}

export function someJobs(count: number, over: Partial<QueueJob> = {}): QueueJob[] {
  return Array.from({ length: count }, () => aJob(over));
}

export function enqueue(store: LaneStore, queue: LaneQueue, ...jobs: QueueJob[]): Promise<EnqueueResult> {
  return store.enqueueJobs(queue, jobs, { routedBy: HEAD });
}

export function aConsumer(store: LaneStore, leaseMs = LONG_MS): LaneConsumer {
  made += 1;
  return store.openConsumer({ id: `proxy-${made}`, leaseMs });
}

export function takeNow(
  consumer: LaneConsumer,
  queue: LaneQueue,
  lane: Lane = 'stable',
  max = 1_000,
): Promise<readonly TakenJob[]> {
  return consumer.take(queue, lane, { max, waitMs: 0 });
}

/** Fails if there isn't exactly one. */
export async function takeOne(
  consumer: LaneConsumer,
  queue: LaneQueue,
  lane: Lane = 'stable',
): Promise<TakenJob> {
  const [job, ...more] = await consumer.take(queue, lane, { max: 1, waitMs: LONG_MS });
  if (job === undefined || more.length > 0) throw new Error('not one job');
  return job;
}

/** Fails if it can't be read. */
export function jobIn({ content }: Pick<TakenJob, 'content'>): QueueJob {
  if (content.kind === 'unreadable') throw new Error(content.reason);
  return content.job;
}

export function idsOf(taken: readonly Pick<TakenJob, 'content'>[]): string[] {
  return taken.map((job) => jobIn(job).id);
}

export function ids(jobs: readonly QueueJob[]): string[] {
  return jobs.map(({ id }) => id);
}

export function anAttempt(over: Partial<JobAttempt> = {}): JobAttempt {
  return { at: 1_700_000_000_000, version: 'v1.2.0', outcome: 'failure', status: 500, ...over };
}
