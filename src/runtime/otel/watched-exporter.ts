import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import type { PushMetricExporter, ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from '../log.ts';

type OnResult = (result: ExportResult) => void;

/** Says once that a receiver takes nothing, and once that it does again. */
class Receiver {
  readonly #what: string;
  readonly #log: Logger;
  #isFailing = false;

  constructor(what: string, log: Logger) {
    this.#what = what;
    this.#log = log;
  }

  watch(onResult: OnResult): OnResult {
    return (result) => {
      const { error } = result;
      const failed = result.code !== ExportResultCode.SUCCESS;
      if (failed && !this.#isFailing)
        this.#log.warn({ err: error }, `${this.#what} cannot be exported; jobs are not affected`);
      else if (!failed && this.#isFailing) this.#log.info(`${this.#what} are exported again`);
      this.#isFailing = failed;
      onResult(result);
    };
  }
}

export function watchedSpanExporter(exporter: SpanExporter, log: Logger): SpanExporter {
  const receiver = new Receiver('spans', log);
  return {
    export: (spans: ReadableSpan[], onResult) => exporter.export(spans, receiver.watch(onResult)),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}

export function watchedMetricExporter(exporter: PushMetricExporter, log: Logger): PushMetricExporter {
  const receiver = new Receiver('metrics', log);
  return {
    export: (metrics: ResourceMetrics, onResult) => exporter.export(metrics, receiver.watch(onResult)),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  };
}
