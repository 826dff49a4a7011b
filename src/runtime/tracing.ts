import type { ErrorCode } from '../core/errors.ts';
import type { Lane } from '../core/lane.ts';
import type { Outcome } from '../core/outcome.ts';
import type { TraceContext } from '../core/queue-job.ts';

/**
 * What the data plane tells of single jobs, to whoever traces them. There is no tracer unless one was asked for, and no
 * span for a job whose trace nobody records, so that both cost one look.
 */
export interface JobTracer {
  /** A job on its way to a worker. Undefined: not recorded, and its trace context goes on as it came. */
  process(job: TracedJob): JobSpan | undefined;
  /** Jobs on their way into a lane; likewise. */
  send(jobs: SentJobs): JobSpan | undefined;
}

export interface TracedJob {
  readonly queue: string;
  readonly jobId: string;
  /** That it came with. */
  readonly trace: TraceContext | undefined;
  /** It was taken out of a lane, into which another request had put it. */
  readonly isQueued: boolean;
}

export interface SentJobs {
  readonly queue: string;
  readonly jobIds: readonly string[];
  /** That they came with. */
  readonly trace: TraceContext | undefined;
}

export interface JobSpan {
  /** That goes on with the job. */
  readonly trace: TraceContext;
  /** An attempt that was not the last. */
  noteAttempt(facts: SpanFacts): void;
  end(facts: SpanFacts): void;
}

export interface SpanFacts {
  readonly lane?: Lane | undefined;
  /** Of the worker. */
  readonly version?: string | undefined;
  readonly worker?: string | undefined;
  readonly fallback?: boolean | undefined;
  /** From 1. */
  readonly attempt?: number | undefined;
  readonly deploymentId?: string | undefined;
  /** Of the worker's answer; 0: there was none. */
  readonly status?: number | undefined;
  /** Of a few words; undefined if it went well. */
  readonly errorType?: string | undefined;
  /** Of the answer that the proxy made itself. */
  readonly errorCode?: ErrorCode | undefined;
  /** In words. */
  readonly message?: string | undefined;
}

/**
 * By the conventions: the status where there is one, else a word.
 * @param status of the worker's answer; 0: there was none
 * @returns undefined if it went well
 */
export function errorTypeOf(outcome: Outcome, status: number): string | undefined {
  if (outcome === 'success') return undefined;
  return status >= 400 ? String(status) : outcome;
}
