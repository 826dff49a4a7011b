import type { LaneSettings } from '../../config/lane-queues.ts';
import type { AttemptOutcome, JobAttempt, QueueJob } from '../../src/core/queue-job.ts';

/**
 * What becomes of a job from a lane when an attempt has ended. Apart from the dispatching, so that it is a table.
 *
 * What counts against `max_attempts` is what says something about the job: that it failed, ran into the time-out, or
 * was lost with its consumer. A worker that says "not now", or that nobody is there, says nothing about it; the job is
 * tried for as long as that takes, rejected ones for at most a day.
 */
export type AttemptEnd =
  | { readonly kind: 'success' }
  /** 4xx, 5xx, or broken off. */
  | { readonly kind: 'failure'; readonly status?: number; readonly message: string }
  | { readonly kind: 'timeout'; readonly message: string }
  /** 429, or 503 with `Retry-After`. */
  | {
      readonly kind: 'rejected';
      readonly status: number;
      readonly retryAfterMs: number | undefined;
      readonly message: string;
    }
  /** Nobody who may have it takes connections. Nor does anybody of its lane, so it will not be taken again at once. */
  | { readonly kind: 'unreachable' }
  /** No worker that may have it is there. */
  | { readonly kind: 'nobody'; readonly message: string }
  /** The proxy had to stop. */
  | { readonly kind: 'aborted'; readonly message: string }
  /** It can't be sent to anybody: a header that is none, say. */
  | { readonly kind: 'invalid'; readonly message: string };

export type Decision =
  | { readonly kind: 'acknowledge' }
  /** To the front of its lane, as if it had never been taken. */
  | { readonly kind: 'give_back' }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly ended: JobAttempt }
  | { readonly kind: 'bury'; readonly reason: string; readonly ended: JobAttempt };

export interface AttemptFacts {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Of the worker; empty if none was chosen. */
  readonly version: string;
  readonly worker?: string;
}

type Policy = Pick<LaneSettings, 'max_attempts' | 'retry_delay' | 'retry_delay_max'>;

/** Who is not let in for so long will not be. The longest delay that a queue can be configured to. */
export const REJECTED_MS_MAX = 86_400_000;
/** `Retry-After: 0` must not become a loop. */
export const RETRY_AFTER_MS_MIN = 100;
/** Of the time that a worker asked for: so that not all whom it turned away come back at once. */
const RETRY_AFTER_JITTER = 0.1;

/** @param random gives numbers in [0, 1) */
export function afterAttempt(
  end: AttemptEnd,
  job: Pick<QueueJob, 'attempt' | 'history'>,
  facts: AttemptFacts,
  policy: Policy,
  random: () => number,
): Decision {
  switch (end.kind) {
    case 'success':
      return { kind: 'acknowledge' };
    case 'unreachable':
      return { kind: 'give_back' };
    case 'invalid':
      return {
        kind: 'bury',
        reason: `it can't be sent to a worker: ${end.message}`,
        ended: attemptOf(end, 'failure', facts),
      };
    case 'failure':
    case 'timeout':
      return afterFailure(end, job, facts, policy, random);
    case 'rejected':
      return afterRejection(end, job, facts, policy, random);
    case 'nobody': {
      const delayMs = backoff(uncountedOf(job) + 1, policy, random);
      return { kind: 'retry', delayMs, ended: uncounted(attemptOf(end, 'unreachable', facts), job) };
    }
    case 'aborted':
      return { kind: 'retry', delayMs: 0, ended: uncounted(attemptOf(end, 'aborted', facts), job) };
    default:
      return end satisfies never;
  }
}

function afterFailure(
  end: AttemptEnd & { kind: 'failure' | 'timeout' },
  job: Pick<QueueJob, 'attempt' | 'history'>,
  facts: AttemptFacts,
  policy: Policy,
  random: () => number,
): Decision {
  const ended = attemptOf(end, end.kind, facts);
  const counted = countedAttempt(job);
  if (counted >= policy.max_attempts) {
    const attempts = counted === 1 ? 'the only attempt' : `the last of ${counted} attempts`;
    return { kind: 'bury', reason: `${attempts} ended in ${wordsOf(end)}`, ended };
  }
  const known = uncountedOf(job);
  return {
    kind: 'retry',
    delayMs: backoff(counted, policy, random),
    ended: known === 0 ? ended : { ...ended, uncounted: known },
  };
}

function afterRejection(
  end: AttemptEnd & { kind: 'rejected' },
  job: Pick<QueueJob, 'attempt' | 'history'>,
  facts: AttemptFacts,
  policy: Policy,
  random: () => number,
): Decision {
  const rejectedSince = job.history.at(-1)?.rejectedSince ?? facts.now;
  const ended = attemptOf(end, 'rejected', facts);
  if (facts.now - rejectedSince >= REJECTED_MS_MAX) {
    const hours = Math.floor((facts.now - rejectedSince) / 3_600_000);
    return { kind: 'bury', reason: `the workers have turned it away for ${hours} hours`, ended };
  }
  const delayMs =
    end.retryAfterMs === undefined
      ? backoff(uncountedOf(job) + 1, policy, random)
      : Math.min(REJECTED_MS_MAX, Math.max(RETRY_AFTER_MS_MIN, end.retryAfterMs)) *
        (1 + RETRY_AFTER_JITTER * random());
  return { kind: 'retry', delayMs, ended: { ...uncounted(ended, job), rejectedSince } };
}

/**
 * Exponential, with full jitter: anything between nothing and the whole of what the delay has grown to, so that jobs
 * which failed together don't come back together (M. Brooker, "Exponential Backoff and Jitter", AWS 2015).
 * @param n from 1
 */
export function backoff(
  n: number,
  { retry_delay, retry_delay_max }: Pick<Policy, 'retry_delay' | 'retry_delay_max'>,
  random: () => number,
): number {
  return random() * Math.min(retry_delay_max, retry_delay * 2 ** (n - 1));
}

/** Which of the attempts that count the next one, or the one under way, is; from 1. */
export function countedAttempt(job: Pick<QueueJob, 'attempt' | 'history'>): number {
  return job.attempt - uncountedOf(job);
}

/**
 * The last attempt knows of all before it, so that the history may forget the oldest. A job that was buried starts anew:
 * its last attempt says nothing.
 */
function uncountedOf({ history }: Pick<QueueJob, 'history'>): number {
  return history.at(-1)?.uncounted ?? 0;
}

function uncounted(ended: JobAttempt, job: Pick<QueueJob, 'history'>): JobAttempt {
  const rejectedSince = job.history.at(-1)?.rejectedSince;
  return {
    ...ended,
    uncounted: uncountedOf(job) + 1,
    ...(rejectedSince !== undefined && { rejectedSince }),
  };
}

function attemptOf(
  end: Exclude<AttemptEnd, { kind: 'success' | 'unreachable' }>,
  outcome: AttemptOutcome,
  { now, version, worker }: AttemptFacts,
): JobAttempt {
  return {
    at: now,
    version,
    ...(worker !== undefined && { worker }),
    outcome,
    ...('status' in end && end.status !== undefined && { status: end.status }),
    message: end.message,
  };
}

function wordsOf(end: AttemptEnd & { kind: 'failure' | 'timeout' }): string {
  if (end.kind === 'timeout') return 'a time-out';
  return end.status === undefined ? `a failure: ${end.message}` : `a failure: status ${end.status}`;
}

/** Seconds or a date (RFC 9110 §10.2.3), as milliseconds from now; undefined if it is neither. */
export function retryAfterMs(value: string, now: number): number | undefined {
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
