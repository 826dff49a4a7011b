import { LanewiseError } from '../src/core/errors.ts';
import type { JobSpan, JobTracer } from '../src/runtime/tracing.ts';
import type { JobDraft } from './enqueue-draft.ts';
import type { Enqueued } from './enqueuer.ts';

/**
 * The spans of a request that puts jobs into lanes: one for all of its jobs that came with the same trace context, which
 * is all of them unless lines of a batch have their own. What the jobs carry on is that span.
 */
export class SendSpans {
  /** With the trace context that they go on with. */
  readonly drafts: readonly JobDraft[];
  readonly #spans: ReadonlyMap<string, SentTogether>;

  constructor(tracer: JobTracer, queue: string, drafts: readonly JobDraft[]) {
    const groups = new Map<string, JobDraft[]>();
    for (const draft of drafts) {
      const members = groups.get(traceKeyOf(draft));
      if (members === undefined) groups.set(traceKeyOf(draft), [draft]);
      else members.push(draft);
    }
    const spans = new Map<string, SentTogether>();
    for (const [key, members] of groups) {
      const jobIds = members.map(({ id }) => id);
      const span = tracer.send({ queue, jobIds, trace: members[0]!.content.trace });
      if (span !== undefined) spans.set(key, { span, jobIds });
    }
    this.#spans = spans;
    this.drafts = spans.size === 0 ? drafts : drafts.map((draft) => this.#traced(draft));
  }

  #traced(draft: JobDraft): JobDraft {
    const sent = this.#spans.get(traceKeyOf(draft));
    return sent === undefined ? draft : { ...draft, content: { ...draft.content, trace: sent.span.trace } };
  }

  end({ jobs }: Enqueued): void {
    if (this.#spans.size === 0) return;
    const byId = new Map(jobs.map((job) => [job.id, job]));
    for (const { span, jobIds } of this.#spans.values()) {
      // Of several, each has its own.
      const only = jobIds.length === 1 ? byId.get(jobIds[0]!) : undefined;
      span.end(
        only === undefined
          ? {}
          : { lane: only.lane, version: only.version || undefined, deploymentId: only.deploymentId },
      );
    }
  }

  fail(cause: unknown): void {
    const errorCode = cause instanceof LanewiseError ? cause.code : 'INTERNAL';
    const message = cause instanceof Error ? cause.message : undefined;
    for (const { span } of this.#spans.values()) span.end({ errorType: errorCode, errorCode, message });
  }
}

interface SentTogether {
  readonly span: JobSpan;
  readonly jobIds: readonly string[];
}

function traceKeyOf({ content: { trace } }: JobDraft): string {
  return trace === undefined ? '' : `${trace.traceparent}\n${trace.tracestate ?? ''}`;
}
