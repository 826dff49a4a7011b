import { describe, expect, it } from 'vitest';
import { readExportSettings } from '../../../src/runtime/otel/settings.ts';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

function traces(environment: Record<string, string>) {
  return readExportSettings({ ...ENDPOINT, ...environment }).settings?.traces;
}

function metrics(environment: Record<string, string>) {
  return readExportSettings({ ...ENDPOINT, ...environment }).settings?.metrics;
}

describe('what is exported', () => {
  it.each([
    ['there is no address', {}],
    ['the address is empty', { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }],
    ['the SDK is disabled', { ...ENDPOINT, OTEL_SDK_DISABLED: 'TRUE' }],
    [
      'neither signal is wanted',
      { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' },
    ],
  ])('nothing if %s', (_name, environment) => {
    expect(readExportSettings(environment)).toEqual({ settings: undefined, warnings: [] });
  });

  it('by default all of it, by the defaults of the specification', () => {
    expect(readExportSettings(ENDPOINT)).toEqual({
      settings: {
        traces: {
          receiver: { url: 'http://collector:4318/v1/traces', protocol: 'http/protobuf' },
          sampler: { root: 'always_on', ratio: 1, parentBased: true },
          batches: {
            scheduledDelayMillis: 5000,
            exportTimeoutMillis: 30_000,
            maxQueueSize: 2048,
            maxExportBatchSize: 512,
          },
        },
        metrics: {
          receiver: { url: 'http://collector:4318/v1/metrics', protocol: 'http/protobuf' },
          times: { exportIntervalMillis: 60_000, exportTimeoutMillis: 30_000 },
        },
      },
      warnings: [],
    });
  });

  it('one signal alone', () => {
    const only = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://tempo/otlp' };
    expect(readExportSettings(only).settings).toMatchObject({
      traces: { receiver: { url: 'https://tempo/otlp' } },
      metrics: undefined,
    });
    expect(traces({ OTEL_TRACES_EXPORTER: 'none' })).toBeUndefined();
    expect(metrics({ OTEL_TRACES_EXPORTER: 'none' })).toBeDefined();
  });

  it('where a signal has its own address and form, there and in that', () => {
    const own = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/base/',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://prometheus:9090/api/v1/otlp/v1/metrics',
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/protobuf',
    };
    expect(traces(own)?.receiver).toEqual({
      url: 'http://collector:4318/base/v1/traces',
      protocol: 'http/json',
    });
    expect(metrics(own)?.receiver).toEqual({
      url: 'http://prometheus:9090/api/v1/otlp/v1/metrics',
      protocol: 'http/protobuf',
    });
  });
});

describe('the sampler', () => {
  it.each([
    ['always_on', { root: 'always_on', parentBased: false, ratio: 1 }],
    ['always_off', { root: 'always_off', parentBased: false, ratio: 1 }],
    ['traceidratio', { root: 'traceidratio', parentBased: false, ratio: 0.01 }],
    ['parentbased_always_on', { root: 'always_on', parentBased: true, ratio: 1 }],
    ['parentbased_always_off', { root: 'always_off', parentBased: true, ratio: 1 }],
    ['parentbased_traceidratio', { root: 'traceidratio', parentBased: true, ratio: 0.01 }],
  ])('%s', (name, sampler) => {
    const environment = { OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: '0.01' };
    expect(traces(environment)?.sampler).toEqual(sampler);
  });

  it('of a ratio that is not given samples all', () => {
    expect(traces({ OTEL_TRACES_SAMPLER: 'traceidratio' })?.sampler.ratio).toBe(1);
  });
});

it('times and sizes are taken as they are written; the SDK gives an export no longer than its interval', () => {
  const { batches } = traces({
    OTEL_BSP_SCHEDULE_DELAY: '100',
    OTEL_BSP_EXPORT_TIMEOUT: '200',
    OTEL_BSP_MAX_QUEUE_SIZE: '300',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '40',
  })!;
  expect(batches).toEqual({
    scheduledDelayMillis: 100,
    exportTimeoutMillis: 200,
    maxQueueSize: 300,
    maxExportBatchSize: 40,
  });
  const { times } = metrics({ OTEL_METRIC_EXPORT_INTERVAL: '1000' })!;
  expect(times).toEqual({ exportIntervalMillis: 1000, exportTimeoutMillis: 1000 });
});

describe('a value that makes no sense is named, with what is accepted, and', () => {
  it.each([
    [
      'OTEL_EXPORTER_OTLP_PROTOCOL',
      'grpc',
      'which is not one of http/protobuf, http/json; http/protobuf is used',
    ],
    ['OTEL_TRACES_EXPORTER', 'zipkin', 'which is not one of otlp, none; otlp is used'],
    [
      'OTEL_TRACES_SAMPLER',
      'jaeger_remote',
      /^which is not one of always_on, .*; parentbased_always_on is used$/,
    ],
    ['OTEL_SDK_DISABLED', 'yes', 'which is not true or false; false is used'],
    ['OTEL_BSP_MAX_QUEUE_SIZE', '-1', 'which is not a whole number from 1 to 999999999; 2048 is used'],
    ['OTEL_METRIC_EXPORT_INTERVAL', '1m', 'which is not a whole number from 1 to 999999999; 60000 is used'],
  ])('%s counts as unset', (name, value, said) => {
    const { settings, warnings } = readExportSettings({ ...ENDPOINT, [name]: value });
    expect(settings).toEqual(readExportSettings(ENDPOINT).settings);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]!.startsWith(`${name} is "${value}", `)).toBe(true);
    expect(warnings[0]!.slice(`${name} is "${value}", `.length)).toMatch(said);
  });

  it.each(['1.5', '-0.1', 'all', 'NaN'])('a ratio of %s is 1', (ratio) => {
    const { settings, warnings } = readExportSettings({
      ...ENDPOINT,
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: ratio,
    });
    expect(settings?.traces?.sampler.ratio).toBe(1);
    expect(warnings).toEqual([
      `OTEL_TRACES_SAMPLER_ARG is "${ratio}", which is not a number from 0 to 1; 1 is used`,
    ]);
  });

  it.each(['localhost:4318', 'collector', 'grpc://collector:4317', 'http://'])(
    'nothing goes to an address like %s, also if nothing else is exported',
    (address) => {
      expect(readExportSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: address })).toEqual({
        settings: undefined,
        warnings: [
          `OTEL_EXPORTER_OTLP_ENDPOINT is "${address}", which is not an address that begins with http:// or https://; ` +
            'nothing is exported to it',
        ],
      });
    },
  );

  it('an own address that is none leaves the signal to the common one', () => {
    const environment = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'tempo' };
    expect(traces(environment)?.receiver.url).toBe('http://collector:4318/v1/traces');
  });
});
