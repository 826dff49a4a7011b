/**
 * OpenTelemetry's own variables (opentelemetry.io, "SDK environment variables"), as far as the SDK for Node leaves them
 * to its user; addresses, headers, certificates and time-outs of the receiver, and resource attributes, it reads itself.
 * By the specification a value that makes no sense is warned of and counts as none: telemetry must not keep anybody from
 * starting.
 */
export interface ExportSettings {
  readonly traces: boolean;
  readonly metrics: boolean;
  readonly tracesProtocol: ExportProtocol;
  readonly metricsProtocol: ExportProtocol;
  readonly sampler: SamplerSettings;
  readonly spans: SpanBatches;
  readonly metricTimes: MetricTimes;
  /** What was left out of account, and why. */
  readonly warnings: readonly string[];
}

export interface SamplerSettings {
  readonly root: 'always_on' | 'always_off' | 'traceidratio';
  /** 0 to 1, of `traceidratio`. */
  readonly ratio: number;
  /** A trace that was begun elsewhere is recorded if it is recorded there. */
  readonly parentBased: boolean;
}

export interface SpanBatches {
  readonly scheduledDelayMillis: number;
  readonly exportTimeoutMillis: number;
  /** Spans beyond that are dropped. */
  readonly maxQueueSize: number;
  readonly maxExportBatchSize: number;
}

export interface MetricTimes {
  readonly exportIntervalMillis: number;
  readonly exportTimeoutMillis: number;
}

const PROTOCOLS = ['http/protobuf', 'http/json'] as const;
type ExportProtocol = (typeof PROTOCOLS)[number];
const ROOT_SAMPLERS = ['always_on', 'always_off', 'traceidratio'] as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** @returns undefined if nothing is to be exported */
export function readExportSettings(environment: Environment): ExportSettings | undefined {
  const reader = new VariableReader(environment);
  if (reader.text('OTEL_SDK_DISABLED').toLowerCase() === 'true') return undefined;
  const traces = isExported(reader, 'TRACES');
  const metrics = isExported(reader, 'METRICS');
  if (!traces && !metrics) return undefined;
  return {
    traces,
    metrics,
    tracesProtocol: protocolOf(reader, 'TRACES'),
    metricsProtocol: protocolOf(reader, 'METRICS'),
    sampler: samplerOf(reader),
    // The specification's defaults.
    spans: {
      scheduledDelayMillis: reader.count('OTEL_BSP_SCHEDULE_DELAY', 5000),
      exportTimeoutMillis: reader.count('OTEL_BSP_EXPORT_TIMEOUT', 30_000),
      maxQueueSize: reader.count('OTEL_BSP_MAX_QUEUE_SIZE', 2048),
      maxExportBatchSize: reader.count('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512),
    },
    metricTimes: metricTimesOf(reader),
    warnings: reader.warnings,
  };
}

type Signal = 'TRACES' | 'METRICS';

function isExported(reader: VariableReader, signal: Signal): boolean {
  const endpoint =
    reader.text(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`) || reader.text('OTEL_EXPORTER_OTLP_ENDPOINT');
  if (endpoint === '') return false;
  return reader.word(`OTEL_${signal}_EXPORTER`, ['otlp', 'none'], 'otlp') === 'otlp';
}

function protocolOf(reader: VariableReader, signal: Signal): ExportProtocol {
  const own = `OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`;
  const name = reader.text(own) === '' ? 'OTEL_EXPORTER_OTLP_PROTOCOL' : own;
  return reader.word(name, PROTOCOLS, 'http/protobuf');
}

const PARENT_BASED = 'parentbased_';

function samplerOf(reader: VariableReader): SamplerSettings {
  const names = ROOT_SAMPLERS.flatMap((root) => [root, `${PARENT_BASED}${root}` as const]);
  const name = reader.word('OTEL_TRACES_SAMPLER', names, 'parentbased_always_on');
  const parentBased = name.startsWith(PARENT_BASED);
  const root = ROOT_SAMPLERS.find((sampler) => name.endsWith(sampler))!;
  return { root, parentBased, ratio: root === 'traceidratio' ? reader.share('OTEL_TRACES_SAMPLER_ARG') : 1 };
}

function metricTimesOf(reader: VariableReader): MetricTimes {
  const exportIntervalMillis = reader.count('OTEL_METRIC_EXPORT_INTERVAL', 60_000);
  const timeout = reader.count('OTEL_METRIC_EXPORT_TIMEOUT', 30_000);
  // The SDK refuses one that is longer.
  return { exportIntervalMillis, exportTimeoutMillis: Math.min(timeout, exportIntervalMillis) };
}

class VariableReader {
  readonly #environment: Environment;
  readonly warnings: string[] = [];

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Empty is the same as unset. */
  text(name: string): string {
    return this.#environment[name]?.trim() ?? '';
  }

  word<T extends string>(name: string, words: readonly T[], fallback: T): T {
    const text = this.text(name);
    const word = words.find((known) => known === text);
    if (word === undefined && text !== '') this.#warn(name, text, `one of ${words.join(', ')}`, fallback);
    return word ?? fallback;
  }

  count(name: string, fallback: number): number {
    const text = this.text(name);
    if (text === '') return fallback;
    if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
    this.#warn(name, text, 'a whole number above 0', String(fallback));
    return fallback;
  }

  share(name: string): number {
    const text = this.text(name);
    if (text === '') return 1;
    const share = Number(text);
    if (share >= 0 && share <= 1) return share;
    this.#warn(name, text, 'a number from 0 to 1', '1');
    return 1;
  }

  #warn(name: string, text: string, accepted: string, fallback: string): void {
    this.warnings.push(`${name} is "${text}", which is not ${accepted}; ${fallback} is used`);
  }
}
