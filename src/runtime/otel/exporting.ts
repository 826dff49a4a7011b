import { diag, DiagLogLevel } from '@opentelemetry/api';
import { setGlobalErrorHandler } from '@opentelemetry/core';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
  type Resource,
} from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type Sampler,
} from '@opentelemetry/sdk-trace';
import type { Logger } from '../log.ts';
import type { JobTracer } from '../tracing.ts';
import { SpanTracer } from './job-tracer.ts';
import { registryProducer, type Registries } from './registry-producer.ts';
import type { ExportSettings, Receiver, SamplerSettings } from './settings.ts';
import { watchedMetricExporter, watchedSpanExporter } from './watched-exporter.ts';

/** The OpenTelemetry SDK, put together. Only who exports something loads this file. */

export interface ExportingOptions {
  readonly settings: ExportSettings;
  /** What the service is called if the environment doesn't say. */
  readonly serviceName: string;
  readonly version: string;
  readonly log: Logger;
}

export interface Exporting {
  readonly tracer: JobTracer | undefined;
  /** Begins with the export of what is in them. */
  exportMetrics(registries: Registries): Promise<void>;
  /**
   * Delivers what is left.
   * @returns false if that took too long; it can't be cancelled
   */
  close(): Promise<boolean>;
}

/** A receiver that is there answers in milliseconds, and nobody should wait for one that isn't. */
const CLOSE_MS_MAX = 5000;

export async function openExporting(options: ExportingOptions): Promise<Exporting> {
  const {
    settings: { traces, metrics },
    version,
    log,
  } = options;
  passOn(log);
  const resource = resourceOf(options);
  const closing: (() => Promise<void>)[] = [];
  let tracer: JobTracer | undefined;
  if (traces !== undefined) {
    const exporter = watchedSpanExporter(await createSpanExporter(traces.receiver), log);
    const provider = new TracerProvider({
      resource,
      sampler: createSampler(traces.sampler),
      spanProcessors: [new BatchSpanProcessor({ ...traces.batches, exporter })],
    });
    closing.push(() => provider.shutdown());
    tracer = new SpanTracer(provider.getTracer('lanewise', version), traces.sampler.parentBased);
  }
  return {
    tracer,
    async exportMetrics(registries) {
      if (metrics === undefined) return;
      const exporter = watchedMetricExporter(await createMetricExporter(metrics.receiver), log);
      const reader = new PeriodicExportingMetricReader({
        ...metrics.times,
        exporter,
        metricProducers: [registryProducer(registries, version)],
      });
      const provider = new MeterProvider({ resource, readers: [reader] });
      closing.push(() => provider.shutdown());
    },
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const tooLong = new Promise<boolean>((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS_MAX, false);
      });
      // What fails is told by the exporters.
      const closed = Promise.allSettled(closing.map((close) => close())).then(() => true);
      const isClosed = await Promise.race([closed, tooLong]);
      clearTimeout(timer);
      if (!isClosed) log.warn(`telemetry was not all delivered within ${CLOSE_MS_MAX} ms, and is lost`);
      return isClosed;
    },
  };
}

async function createSpanExporter({ url, protocol }: Receiver) {
  const { OTLPTraceExporter } =
    protocol === 'http/json'
      ? await import('@opentelemetry/exporter-trace-otlp-http')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter({ url });
}

async function createMetricExporter({ url, protocol }: Receiver) {
  const { OTLPMetricExporter } =
    protocol === 'http/json'
      ? await import('@opentelemetry/exporter-metrics-otlp-http')
      : await import('@opentelemetry/exporter-metrics-otlp-proto');
  return new OTLPMetricExporter({ url });
}

/** The environment wins. Without an id of the instance, counters of several proxies would be taken for one. */
function resourceOf({ serviceName, version }: ExportingOptions): Resource {
  return defaultResource()
    .merge(resourceFromAttributes({ 'service.name': serviceName, 'service.version': version }))
    .merge(detectResources({ detectors: [serviceInstanceIdDetector] }))
    .merge(detectResources({ detectors: [envDetector] }));
}

function createSampler({ root, ratio, parentBased }: SamplerSettings): Sampler {
  const sampler = createRootSampler(root, ratio);
  return parentBased ? new ParentBasedSampler({ root: sampler }) : sampler;
}

function createRootSampler(root: SamplerSettings['root'], ratio: number): Sampler {
  switch (root) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio);
    default:
      return root satisfies never;
  }
}

/**
 * What the SDK has to say, each thing once, whatever numbers are in it: it says some with every span. Failed exports are
 * told elsewhere.
 */
function passOn(log: Logger): void {
  const told = new Set<string>();
  const tell = (message: string): void => {
    const thing = message.replaceAll(/\d+/g, '0');
    if (told.has(thing)) return;
    told.add(thing);
    log.warn(`OpenTelemetry: ${message}`);
  };
  const ignore = (): void => {};
  diag.setLogger(
    { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  setGlobalErrorHandler(ignore);
}
