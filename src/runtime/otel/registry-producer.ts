import { hrTime, timeInputToHrTime } from '@opentelemetry/core';
import { ValueType, type HrTime } from '@opentelemetry/api';
import { emptyResource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type DataPoint,
  type Histogram,
  type MetricData,
  type MetricProducer,
  type ScopeMetrics,
} from '@opentelemetry/sdk-metrics';
import type { Registry } from 'prom-client';

/**
 * What Lanewise shows at `/metrics` once more, for OTLP: the same numbers under the same names, so that dashboards and
 * alerts hold for both. They are cumulative, as they are there. What prom-client tells of the process stays there.
 */
export function registryProducer(registries: Registries, version: string): MetricProducer {
  const startTime = timeInputToHrTime(new Date());
  return {
    async collect() {
      const settled = await Promise.allSettled(
        Object.entries(registries).map(async ([plane, registry]): Promise<ScopeMetrics> => {
          const exposed = (await registry.getMetricsAsJSON()) as unknown as readonly ExposedMetric[];
          const times = { startTime, endTime: hrTime() };
          const metrics = exposed.filter(({ name }) => OWN_NAME.test(name)).map((m) => dataOf(m, times));
          return { scope: { name: `lanewise/${plane}`, version }, metrics };
        }),
      );
      return {
        resourceMetrics: {
          resource: emptyResource(),
          scopeMetrics: settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
        },
        errors: settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : [])),
      };
    },
  };
}

/** By plane. Both have metrics of the same name, which only their scope tells apart where one process runs both. */
export type Registries = Readonly<Partial<Record<'control' | 'proxy', Registry>>>;

const OWN_NAME = /^(?:canary|lanewise)_/;

/** As prom-client has them, which types only what its own four classes make. */
interface ExposedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly values: readonly ExposedSample[];
}

interface ExposedSample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Of a histogram: `…_bucket`, `…_sum` or `…_count`. */
  readonly metricName?: string;
}

interface Times {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
}

function dataOf({ name, help, type, values }: ExposedMetric, times: Times): MetricData {
  const base = {
    descriptor: { name, description: help, unit: unitOf(name), valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const numbers = (): DataPoint<number>[] =>
    values.map(({ labels, value }) => ({ ...times, attributes: { ...labels }, value }));
  switch (type) {
    case 'counter':
      return { ...base, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: numbers() };
    case 'gauge':
      return { ...base, dataPointType: DataPointType.GAUGE, dataPoints: numbers() };
    case 'histogram':
      return { ...base, dataPointType: DataPointType.HISTOGRAM, dataPoints: histogramsOf(values, times) };
    default:
      return type satisfies never;
  }
}

/**
 * UCUM, by Prometheus' suffix. None for mere numbers: who translates back to Prometheus would append `_ratio` to the name
 * of a gauge whose unit is 1.
 */
function unitOf(name: string): string {
  if (name.endsWith('_ratio')) return '1';
  return name.endsWith('_seconds') ? 's' : '';
}

interface Collected {
  readonly attributes: Record<string, string | number>;
  readonly boundaries: number[];
  /** Up to each bound, and to infinity. */
  readonly cumulative: number[];
  sum: number;
  count: number;
}

function histogramsOf(samples: readonly ExposedSample[], times: Times): DataPoint<Histogram>[] {
  const byLabels = new Map<string, Collected>();
  for (const { labels, value, metricName = '' } of samples) {
    const { le, ...attributes } = labels;
    const key = JSON.stringify(attributes);
    let collected = byLabels.get(key);
    if (collected === undefined)
      byLabels.set(key, (collected = { attributes, boundaries: [], cumulative: [], sum: 0, count: 0 }));
    if (metricName.endsWith('_sum')) collected.sum = value;
    else if (metricName.endsWith('_count')) collected.count = value;
    else {
      if (le !== '+Inf') collected.boundaries.push(Number(le));
      collected.cumulative.push(value);
    }
  }
  return Array.from(byLabels.values(), ({ attributes, boundaries, cumulative, sum, count }) => {
    const counts = cumulative.map((upTo, i) => upTo - (cumulative[i - 1] ?? 0));
    return { ...times, attributes, value: { buckets: { boundaries, counts }, sum, count } };
  });
}
