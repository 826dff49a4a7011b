import type { IntakeContent } from '../../core/intake-job.ts';
import type { LaneQueue } from '../../core/lane-keys.ts';
import type { QueueJob } from '../../core/queue-job.ts';
import type { RouteHead } from './store.ts';

/**
 * The list or stream that producers push to who know nothing of lanes. Proxies look at its oldest jobs, decide, and
 * have them moved: one step checks that those very jobs still stand at the front, and by the fence that the decision still
 * holds, and moves them into their lanes. So a job is in the intake or in one lane at any moment, whoever is killed, and
 * nobody has to be recovered; and jobs keep their order, however many proxies there are.
 *
 * Two proxies that look at the same jobs would each do what only one can use. So they take turns: while one has the
 * turn, others are told to wait. Nothing but the cost depends on it.
 *
 * No ledger of job ids is kept here: who pushes an id again, as Sidekiq does for a retry, wants it run again.
 *
 * All methods take queues with an `intake`, and reject with LanewiseError:
 * - `STORE_UNAVAILABLE`: no answer. Whether it was done is unknown; reading again tells.
 * - `QUEUE_UNAVAILABLE`: a key holds something else, or the stream's group can't be told (the message says what to do).
 */
export interface IntakeStore {
  /** The oldest jobs, up to `max`, fewer where they are large; and the turn, for `turnMs` from now. */
  readIntake(queue: LaneQueue, options: IntakeReadOptions): Promise<IntakeReading>;
  /** Moves those of the entries, oldest first, that still are the oldest there, each to its `job.lane`. */
  moveIntake(queue: LaneQueue, entries: readonly RoutedEntry[], routedBy: RouteHead): Promise<IntakeMove>;
  /** Resolves when there is a job, `waitMs` have passed, or `signal` aborts. Takes nothing. */
  waitForIntake(queue: LaneQueue, options: IntakeWaitOptions): Promise<void>;
  /** Leaves the turn to others. */
  endIntakeTurn(queue: LaneQueue, router: string): Promise<void>;
  /** Jobs that are not routed yet. */
  readIntakeDepth(queue: LaneQueue): Promise<number>;
}

export interface IntakeReadOptions {
  /** Who asks. */
  readonly router: string;
  readonly turnMs: number;
  readonly max: number;
}

export type IntakeReading =
  /** Another router's turn, for that much longer unless it renews it. */
  | { readonly kind: 'held'; readonly forMs: number }
  /** `after`: of an empty intake, what to wait behind. */
  | { readonly kind: 'read'; readonly entries: readonly IntakeEntry[]; readonly after: string };

export interface IntakeEntry {
  /** By which it is recognised: a stream's id, or the hash of what lies in a list, where equal jobs are one as good as the other. */
  readonly mark: string;
  readonly content: IntakeContent;
}

export interface RoutedEntry {
  readonly mark: string;
  /** What is written into its lane, by the queue's envelope; with `raw` the entry goes there as it is. */
  readonly job: QueueJob;
}

export type IntakeMove =
  /** Fewer than given: others were quicker. */
  | { readonly kind: 'moved'; readonly count: number }
  /** A fence stands against `routedBy`; nothing was moved. Read the routes, route again. */
  | { readonly kind: 'stale' };

export interface IntakeWaitOptions {
  readonly after: string;
  readonly waitMs: number;
  readonly signal: AbortSignal;
}
