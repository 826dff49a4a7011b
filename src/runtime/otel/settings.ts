/**
 * OpenTelemetry's own variables (opentelemetry.io, "SDK environment variables"), as far as the SDK for Node leaves them
 * to its user; headers, certificates and time-outs of the receiver, and resource attributes, it reads itself. By the
 * specification a value that makes no sense is warned of and counts as none: telemetry must not keep anybody from
 * starting.
 */
export interface ExportSettings {
  /** Undefined: none are exported. */
  readonly traces: TraceSettings | undefined;
  readonly metrics: MetricSettings | undefined;
}

export interface TraceSettings {
  readonly receiver: Receiver;
  readonly sampler: SamplerSettings;
  readonly batches: SpanBatches;
}

export interface MetricSettings {
  readonly receiver: Receiver;
  readonly times: MetricTimes;
}

export interface Receiver {
  readonly url: string;
  readonly protocol: ExportProtocol;
}

export interface SamplerSettings {
  readonly root: 'always_on' | 'always_off' | 'traceidratio';
  /** 0 to 1, of `traceidratio`. */
  readonly ratio: number;
  /** A trace that was begun elsewhere is recorded if it is recorded there. */
  readonly parentBased: boolean;
}

interface SpanBatches {
  readonly scheduledDelayMillis: number;
  readonly exportTimeoutMillis: number;
  /** Spans beyond that are dropped. */
  readonly maxQueueSize: number;
  readonly maxExportBatchSize: number;
}

interface MetricTimes {
  readonly exportIntervalMillis: number;
  readonly exportTimeoutMillis: number;
}

export interface ReadSettings {
  /** Undefined: nothing is exported. */
  readonly settings: ExportSettings | undefined;
  /** What was left out of account, and why. */
  readonly warnings: readonly string[];
}

const PROTOCOLS = ['http/protobuf', 'http/json'] as const;
type ExportProtocol = (typeof PROTOCOLS)[number];
const ROOT_SAMPLERS = ['always_on', 'always_off', 'traceidratio'] as const;

type Environment = Readonly<Record<string, string | undefined>>;

export function readExportSettings(environment: Environment): ReadSettings {
  const reader = new VariableReader(environment);
  return { settings: settingsOf(reader), warnings: [...reader.warnings] };
}

function settingsOf(reader: VariableReader): ExportSettings | undefined {
  if (reader.flag('OTEL_SDK_DISABLED')) return undefined;
  const traces = receiverOf(reader, 'TRACES');
  const metrics = receiverOf(reader, 'METRICS');
  if (traces === undefined && metrics === undefined) return undefined;
  return {
    traces: traces && { receiver: traces, sampler: samplerOf(reader), batches: batchesOf(reader) },
    metrics: metrics && { receiver: metrics, times: timesOf(reader) },
  };
}

type Signal = 'TRACES' | 'METRICS';

function receiverOf(reader: VariableReader, signal: Signal): Receiver | undefined {
  const url = urlOf(reader, signal);
  if (url === undefined) return undefined;
  if (reader.word(`OTEL_${signal}_EXPORTER`, ['otlp', 'none'], 'otlp') === 'none') return undefined;
  return { url, protocol: protocolOf(reader, signal) };
}

/** The address of one signal is taken as it is; below the one of all, each has its path. */
function urlOf(reader: VariableReader, signal: Signal): string | undefined {
  const own = reader.address(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`);
  if (own !== undefined) return own;
  const base = reader.address('OTEL_EXPORTER_OTLP_ENDPOINT');
  return base && `${base.replace(/\/$/, '')}/v1/${signal.toLowerCase()}`;
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

/** The specification's defaults. */
function batchesOf(reader: VariableReader): SpanBatches {
  return {
    scheduledDelayMillis: reader.count('OTEL_BSP_SCHEDULE_DELAY', 5000),
    exportTimeoutMillis: reader.count('OTEL_BSP_EXPORT_TIMEOUT', 30_000),
    maxQueueSize: reader.count('OTEL_BSP_MAX_QUEUE_SIZE', 2048),
    maxExportBatchSize: reader.count('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512),
  };
}

function timesOf(reader: VariableReader): MetricTimes {
  const exportIntervalMillis = reader.count('OTEL_METRIC_EXPORT_INTERVAL', 60_000);
  const timeout = reader.count('OTEL_METRIC_EXPORT_TIMEOUT', 30_000);
  // The SDK refuses one that is longer.
  return { exportIntervalMillis, exportTimeoutMillis: Math.min(timeout, exportIntervalMillis) };
}

class VariableReader {
  readonly #environment: Environment;
  /** Each once: some variables are read for both signals. */
  readonly warnings = new Set<string>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Empty is the same as unset. */
  text(name: string): string {
    return this.#environment[name]?.trim() ?? '';
  }

  flag(name: string): boolean {
    const text = this.text(name).toLowerCase();
    if (text !== '' && text !== 'true' && text !== 'false')
      this.#warn(name, 'true or false', 'false is used');
    return text === 'true';
  }

  address(name: string): string | undefined {
    const text = this.text(name);
    if (text === '') return undefined;
    if (/^https?:\/\//i.test(text) && URL.canParse(text)) return text;
    this.#warn(name, 'an address that begins with http:// or https://', 'nothing is exported to it');
    return undefined;
  }

  word<T extends string>(name: string, words: readonly T[], fallback: T): T {
    const text = this.text(name);
    const word = words.find((known) => known === text);
    if (word === undefined && text !== '')
      this.#warn(name, `one of ${words.join(', ')}`, `${fallback} is used`);
    return word ?? fallback;
  }

  count(name: string, fallback: number): number {
    const text = this.text(name);
    if (text === '') return fallback;
    if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
    this.#warn(name, 'a whole number from 1 to 999999999', `${fallback} is used`);
    return fallback;
  }

  share(name: string): number {
    const text = this.text(name);
    if (text === '') return 1;
    const share = Number(text);
    if (share >= 0 && share <= 1) return share;
    this.#warn(name, 'a number from 0 to 1', '1 is used');
    return 1;
  }

  #warn(name: string, accepted: string, instead: string): void {
    this.warnings.add(`${name} is "${this.text(name)}", which is not ${accepted}; ${instead}`);
  }
}
