import type { LaneQueue } from '../../core/lane-keys.ts';
import type { Lane } from '../../core/lane.ts';
import type { JobAttempt, JobContent, QueueJob, StoredJob } from '../../core/queue-job.ts';
import type { RouteHead } from './store.ts';

/**
 * The lanes of queues in which jobs wait: Redis lists (`split_queue`), Redis streams (`stream_group`), and tables of
 * the embedded store for both. One suite (`test/runtime/store/contract-lanes.ts`) says what all of them mean.
 *
 * A job is in exactly one place: it *waits* in a lane, is in the *hands* of a consumer, is *delayed* until its next
 * attempt, or is *dead*. Every method moves it in one step that no crash can split. A lane is first in, first out: new,
 * retried and drained jobs go to its end, recovered and returned ones to its front. Delivery is at least once: a job
 * is handed out again exactly if the lease of the consumer that had it ran out, or if that one gave it back.
 *
 * All methods reject with LanewiseError:
 * - `STORE_UNAVAILABLE`: no answer. Whether it was done is then unknown; asking again is always safe.
 * - `QUEUE_UNAVAILABLE`: a key of the queue holds something else (the message names it), or on a Redis Cluster the
 *   queue's name has no hash tag. Nothing was changed.
 *
 * Times run by the store's clock; durations are milliseconds.
 *
 * What survives: in Redis, what Redis keeps (with `appendonly yes` and `everysec`, all but the last second of a crash of
 * the machine). In the embedded store (WAL, `synchronous = NORMAL`), everything that was answered survives a kill −9
 * of the process at any moment; a power failure may take the last transactions (those since the last checkpoint that
 * the disk hasn't got yet), whole ones from the end, and never damages the file.
 */
export interface LaneStore {
  /**
   * Puts jobs at the ends of their lanes (`job.lane`), all of them or, if `stale`, none. A job whose id was stored
   * within the last `ledgerTtlMs` isn't stored again: the answer is `known`, with the lane it went to then. That also
   * settles a call whose answer was lost. Known jobs are never stale. Meant for up to about 1,000 jobs.
   */
  enqueueJobs(queue: LaneQueue, jobs: readonly QueueJob[], options: EnqueueOptions): Promise<EnqueueResult>;
  /**
   * From here on refuses jobs of the scope that were routed before `head`; without a tenant, jobs of every tenant.
   * Within an epoch the fence only grows. See `isFencedOff` for what epochs do.
   */
  fenceQueue(queue: LaneQueue, tenant: string | undefined, head: RouteHead): Promise<void>;
  /** Each call makes a consumer of its own, also with the same id: a restarted process must not inherit a lease. */
  openConsumer(options: ConsumerOptions): LaneConsumer;
  /**
   * Returns to the front of their lanes, in their old order, the jobs of consumers whose lease has run out. The attempt
   * that was under way counts. Never touches a job of a consumer whose lease runs.
   */
  recoverJobs(queue: LaneQueue): Promise<{ readonly recovered: number }>;
  /** Moves delayed jobs that are due to the ends of their lanes, in due order, at most `max` of them. */
  releaseDueJobs(queue: LaneQueue, max: number): Promise<ReleaseResult>;
  /**
   * Moves up to `max` jobs that wait or are delayed in `from` to `to`, in one step; delayed ones stay delayed. They go to
   * the end: nobody who waits there already is overtaken, the moved ones keep their order whatever is consumed in
   * between, and they wait no longer than what is before them. Recovers first, so that jobs of dead consumers come
   * along; what is in the hands of live ones stays. To be called until `waiting`, `delayed` and `inFlight` are 0.
   * Jobs that are large make the step smaller than `max`. A store does nothing else during a step: 1,000 jobs take Redis
   * a few milliseconds, and the embedded store some tens.
   */
  drainLane(queue: LaneQueue, from: Lane, to: Lane, max: number): Promise<DrainResult>;
  readDepths(queue: LaneQueue): Promise<QueueDepths>;
  /** Latest first. Fewer than `limit` where jobs are large: read on behind those that came. */
  listDeadJobs(queue: LaneQueue, page: { offset: number; limit: number }): Promise<DeadJobs>;
  /** Dead jobs start anew, with attempt 1 and their history, at the end of `lane`. Unknown ids are passed over. */
  requeueDeadJobs(queue: LaneQueue, ids: readonly string[] | 'all', lane: Lane): Promise<{ count: number }>;
  dropDeadJobs(queue: LaneQueue, ids: readonly string[] | 'all'): Promise<{ count: number }>;
}

/** A day: producers that repeat a job do so within hours. */
export const LEDGER_TTL_MS_DEFAULT = 86_400_000;

export interface EnqueueOptions {
  /** What the caller routed by. */
  readonly routedBy: RouteHead;
  /** Default `LEDGER_TTL_MS_DEFAULT`. */
  readonly ledgerTtlMs?: number;
}

export type EnqueueResult =
  /** One for each job, in order. */
  | { readonly kind: 'stored'; readonly jobs: readonly EnqueuedJob[] }
  /** A fence stands against `routedBy`; nothing was stored. Read the routes, route again. */
  | { readonly kind: 'stale' };

export interface EnqueuedJob {
  readonly kind: 'stored' | 'known';
  readonly lane: Lane;
}

export interface ConsumerOptions {
  /** For people; it becomes part of the consumer's name in the store. */
  readonly id: string;
  /** A consumer that isn't heard of for this long has lost its jobs. */
  readonly leaseMs: number;
}

/** One reader of lanes. Its lease of a queue begins when it first takes from it. */
export interface LaneConsumer {
  /** As the store knows it. */
  readonly name: string;
  /**
   * Takes up to `max` jobs from the front of a lane, oldest first. If there are none waits for the first, up to
   * `waitMs`, then returns what there is. When `signal` aborts it stops waiting and returns what it may just have
   * got: a job that was moved at that very moment is returned, never lost. Takes of one lane run one after another.
   *
   * A call that rejected may have taken jobs all the same. The next call for that lane hands those out, and so does
   * `heartbeat` put them back.
   */
  take(queue: LaneQueue, lane: Lane, options: TakeOptions): Promise<readonly TakenJob[]>;
  /** Renews the lease of every queue it has taken from. To be called a few times within `leaseMs`. */
  heartbeat(): Promise<void>;
  /** The job is done. Doing so twice is harmless. */
  acknowledge(job: TakenJob): Promise<SettleResult>;
  /** The job shall be tried again, in `lane`, not before `delayMs` have passed. */
  retry(job: TakenJob, options: RetryOptions): Promise<SettleResult>;
  /** The job is dead: it is kept, with its history, until somebody requeues or drops it. */
  bury(job: TakenJob, options: BuryOptions): Promise<SettleResult>;
  /** Jobs that were not begun return to the front of their lanes, in order; no attempt is counted. */
  giveBack(jobs: readonly TakenJob[]): Promise<void>;
  /** Ends the lease: what it still has is for the next `recoverJobs`. To be called after its last take has returned. */
  close(): Promise<void>;
}

export interface TakeOptions {
  readonly max: number;
  readonly waitMs: number;
  readonly signal?: AbortSignal;
}

export interface TakenJob {
  readonly queue: LaneQueue;
  readonly lane: Lane;
  /** Stands for this very taking of the job. */
  readonly receipt: string;
  readonly content: JobContent;
  /** As it lies in the store. */
  readonly stored: StoredJob;
}

export interface RetryOptions {
  readonly delayMs: number;
  readonly lane: Lane;
  readonly ended: JobAttempt;
}

export interface BuryOptions {
  readonly reason: string;
  /** None where no attempt was made: an unreadable job. */
  readonly ended?: JobAttempt;
}

/**
 * `lost`: the lease had run out, the job was recovered and is somebody else's; nothing was changed. A recovery is
 * remembered for `RECOVERY_MEMORY_MS`.
 */
export type SettleResult = { readonly kind: 'done' } | { readonly kind: 'lost' };

export const RECOVERY_MEMORY_MS = 86_400_000;

export interface ReleaseResult {
  readonly released: number;
  /** How long until the next job is due (0: there are more that are due); null without delayed jobs. */
  readonly nextInMs: number | null;
}

/** What remains in the lane that is being emptied. */
export interface DrainResult extends LaneCounts {
  readonly moved: number;
}

export interface LaneCounts {
  readonly waiting: number;
  readonly delayed: number;
  /** In the hands of consumers. */
  readonly inFlight: number;
}

export interface LaneDepth extends LaneCounts {
  /** Since it was enqueued, for the job at the front. Null if nothing waits, or the job doesn't say (`raw`). */
  readonly oldestAgeMs: number | null;
}

export interface QueueDepths {
  readonly lanes: Readonly<Record<Lane, LaneDepth>>;
  readonly dead: number;
}

export interface DeadJobs {
  readonly total: number;
  readonly jobs: readonly DeadJob[];
}

export interface DeadJob {
  /** Its own: the same job can die twice. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** In which it died. */
  readonly lane: Lane;
  readonly reason: string;
  readonly content: JobContent;
}

/**
 * Bytes of jobs that one step moves or one answer holds, so that large bodies don't hold up the server or fill the
 * memory; the first job always passes.
 */
export const STEP_BYTES_MAX = 16 * 1024 * 1024;
