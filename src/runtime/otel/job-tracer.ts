import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import type { TraceContext } from '../../core/queue-job.ts';
import type { JobSpan, JobTracer, SentJobs, SpanFacts, TracedJob } from '../tracing.ts';

/**
 * Spans of jobs, by the semantic conventions for messaging: `send {queue}` (producer) puts jobs into a lane, `process
 * {queue}` (consumer) has a worker run one. They are made by hand, since the automatic instrumentation of `node:http`
 * costs most of the throughput, recorded or not. There is no ambient context for the same reason: what a span belongs to
 * is said with it.
 */
export class SpanTracer implements JobTracer {
  readonly #tracer: Tracer;
  readonly #parentBased: boolean;

  /** @param parentBased a job of a trace that is not recorded needs no span to know that */
  constructor(tracer: Tracer, parentBased: boolean) {
    this.#tracer = tracer;
    this.#parentBased = parentBased;
  }

  process({ queue, jobId, trace: parent, isQueued }: TracedJob): JobSpan | undefined {
    return this.#start('process', queue, parent, isQueued, { 'messaging.message.id': jobId });
  }

  send({ queue, jobIds, trace: parent }: SentJobs): JobSpan | undefined {
    const [jobId = ''] = jobIds;
    const about: Attributes =
      jobIds.length === 1
        ? { 'messaging.message.id': jobId }
        : { 'messaging.batch.message_count': jobIds.length };
    return this.#start('send', queue, parent, false, about);
  }

  /** @param isLinked to its parent, that is the span that created the message, as the conventions ask */
  #start(
    operation: keyof typeof KINDS,
    queue: string,
    parent: TraceContext | undefined,
    isLinked: boolean,
    attributes: Attributes,
  ): JobSpan | undefined {
    const context =
      parent === undefined ? ROOT_CONTEXT : PROPAGATOR.extract(ROOT_CONTEXT, parent, defaultTextMapGetter);
    const creation = parent === undefined ? undefined : trace.getSpanContext(context);
    if (creation !== undefined && this.#parentBased && (creation.traceFlags & TraceFlags.SAMPLED) === 0)
      return undefined;
    const kind = KINDS[operation];
    const links = isLinked && creation !== undefined ? [{ context: creation }] : [];
    const span = this.#tracer.startSpan(`${operation} ${queue}`, { kind, links }, context);
    // Most are not, so that what it is about is told only now.
    if (span.isRecording()) {
      span.setAttributes({
        'messaging.system': 'lanewise',
        'messaging.destination.name': queue,
        'messaging.operation.name': operation,
        'messaging.operation.type': operation,
        ...attributes,
      });
    }
    return new SdkJobSpan(span);
  }
}

const KINDS = { process: SpanKind.CONSUMER, send: SpanKind.PRODUCER } as const;
const PROPAGATOR = new W3CTraceContextPropagator();

class SdkJobSpan implements JobSpan {
  readonly #span: Span;
  readonly trace: TraceContext;

  constructor(span: Span) {
    this.#span = span;
    const carrier = { traceparent: '' };
    PROPAGATOR.inject(trace.setSpan(ROOT_CONTEXT, span), carrier, defaultTextMapSetter);
    this.trace = carrier;
  }

  noteAttempt(facts: SpanFacts): void {
    if (this.#span.isRecording()) this.#span.addEvent('canary.attempt', attributesOf(facts));
  }

  end(facts: SpanFacts): void {
    if (!this.#span.isRecording()) return;
    this.#span.setAttributes(attributesOf(facts));
    const { errorType, message } = facts;
    if (errorType !== undefined)
      this.#span.setStatus({ code: SpanStatusCode.ERROR, ...(message !== undefined && { message }) });
    this.#span.end();
  }
}

function attributesOf(facts: SpanFacts): Attributes {
  return {
    'canary.lane': facts.lane,
    'canary.version': facts.version,
    'canary.worker': facts.worker,
    'canary.deployment': facts.deploymentId,
    'canary.fallback': facts.fallback,
    'canary.attempt': facts.attempt,
    'service.version': facts.version,
    'http.response.status_code': facts.status === 0 ? undefined : facts.status,
    'error.type': facts.errorType,
    'canary.error': facts.errorCode,
  };
}
