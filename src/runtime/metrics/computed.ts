import type { Registry } from 'prom-client';

/**
 * Metrics that are computed when they are asked for. prom-client hashes the labels of every `inc` and `observe`;
 * here the numbers live in plain fields on the hot path and prom-client only writes them out.
 */

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

interface ExportedSample extends Sample {
  readonly metricName?: string;
}

type MetricType = 'counter' | 'gauge' | 'histogram';

function register(
  registry: Registry,
  type: MetricType,
  name: string,
  help: string,
  collect: () => readonly ExportedSample[] | Promise<readonly ExportedSample[]>,
): void {
  const metric = {
    name,
    help,
    type,
    aggregator: 'sum',
    get: async () => ({ name, help, type, aggregator: 'sum', values: await collect() }),
    reset: () => {},
  };
  // prom-client's type lists its own four classes; what its registry asks of a metric is `name` and `get`.
  registry.registerMetric(metric as unknown as Parameters<Registry['registerMetric']>[0]);
}

export function computedCounter(
  registry: Registry,
  name: string,
  help: string,
  collect: () => readonly Sample[] | Promise<readonly Sample[]>,
): void {
  register(registry, 'counter', name, help, collect);
}

export function computedGauge(
  registry: Registry,
  name: string,
  help: string,
  collect: () => readonly Sample[] | Promise<readonly Sample[]>,
): void {
  register(registry, 'gauge', name, help, collect);
}

export interface HistogramSample {
  readonly labels: Labels;
  /** Cumulative, one for each bound, without `+Inf`. */
  readonly cumulative: readonly number[];
  readonly sum: number;
  readonly count: number;
}

/** @param bounds upper bounds of the buckets in the metric's base unit, ascending, without `+Inf` */
export function computedHistogram(
  registry: Registry,
  name: string,
  help: string,
  bounds: readonly number[],
  collect: () => readonly HistogramSample[],
): void {
  register(registry, 'histogram', name, help, () =>
    collect().flatMap(({ labels, cumulative, sum, count }) => [
      ...bounds.map((le, i) => ({
        metricName: `${name}_bucket`,
        labels: { ...labels, le: String(le) },
        value: cumulative[i]!,
      })),
      { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ]),
  );
}
