import { SpanStatusCode, type Attributes } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TracerProvider,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace';
import { SpanTracer } from '../../src/runtime/otel/job-tracer.ts';

/** The tracer as the proxy has it, with the SDK behind it, and the spans where a test can look at them. */
export class RecordedSpans {
  readonly tracer: SpanTracer;
  readonly #exporter = new InMemorySpanExporter();

  /**
   * @param root what happens to traces that begin here
   * @param parentBased others are recorded if they are recorded where they began; else they are treated as `root` says
   */
  constructor(root: 'on' | 'off' = 'on', parentBased = true) {
    const sampler = root === 'on' ? new AlwaysOnSampler() : new AlwaysOffSampler();
    const provider = new TracerProvider({
      sampler: parentBased ? new ParentBasedSampler({ root: sampler }) : sampler,
      spanProcessors: [new SimpleSpanProcessor({ exporter: this.#exporter })],
    });
    this.tracer = new SpanTracer(provider.getTracer('test'), parentBased);
  }

  /** Ended ones, oldest first. */
  get ended(): readonly ReadableSpan[] {
    return this.#exporter.getFinishedSpans();
  }

  /** The only one. */
  get only(): ReadableSpan {
    const [span, ...others] = this.ended;
    if (span === undefined || others.length > 0) throw new Error(`there are ${this.ended.length} spans`);
    return span;
  }

  clear(): void {
    this.#exporter.reset();
  }
}

/** Those that are about how it went. */
export function outcomeOf({ status, attributes }: ReadableSpan): Attributes {
  const names = ['canary.lane', 'service.version', 'canary.worker', 'canary.attempt', 'canary.error'];
  const told = [...names, 'http.response.status_code', 'error.type'].flatMap((name) =>
    attributes[name] === undefined ? [] : [[name, attributes[name]]],
  );
  return { ...Object.fromEntries(told), failed: status.code === SpanStatusCode.ERROR };
}

export const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
export const PARENT_ID = 'b7ad6b7169203331';
/** Of a producer that records its trace. */
export const SAMPLED = `00-${TRACE_ID}-${PARENT_ID}-01`;
export const UNSAMPLED = `00-${TRACE_ID}-${PARENT_ID}-00`;
