import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { registryProducer } from '../../../src/runtime/otel/registry-producer.ts';
import { computedCounter, computedGauge, computedHistogram } from '../../../src/runtime/metrics/computed.ts';

/** What prom-client holds, as OTLP has it. */

async function collect(registry: Registry) {
  const { resourceMetrics, errors } = await registryProducer({ proxy: registry }, '1.2.3').collect();
  expect(errors).toEqual([]);
  const [{ scope, metrics }] = resourceMetrics.scopeMetrics as [(typeof resourceMetrics.scopeMetrics)[0]];
  expect(scope).toEqual({ name: 'lanewise/proxy', version: '1.2.3' });
  return metrics;
}

it('counters are monotonic sums, gauges are gauges, computed or counted', async () => {
  const registry = new Registry();
  new Counter({
    name: 'canary_rollbacks_total',
    help: 'Rolled back.',
    labelNames: ['queue'],
    registers: [registry],
  }).inc({ queue: 'a' }, 3);
  new Gauge({ name: 'canary_jobs_pending', help: 'Wait.', registers: [registry] }).set(7);
  computedCounter(registry, 'canary_jobs_total', 'Ended.', () => [
    { labels: { queue: 'a' }, value: 1 },
    { labels: { queue: 'b' }, value: 2 },
  ]);
  computedGauge(registry, 'canary_traffic_weight_ratio', 'Share.', () => [{ labels: {}, value: 0.25 }]);

  const metrics = await collect(registry);
  const points = (name: string) =>
    metrics
      .find(({ descriptor }) => descriptor.name === name)!
      .dataPoints.map(({ attributes, value }) => [attributes, value]);
  expect(metrics.map(({ descriptor, dataPointType }) => [descriptor.name, dataPointType])).toEqual([
    ['canary_rollbacks_total', DataPointType.SUM],
    ['canary_jobs_pending', DataPointType.GAUGE],
    ['canary_jobs_total', DataPointType.SUM],
    ['canary_traffic_weight_ratio', DataPointType.GAUGE],
  ]);
  expect(metrics[0]).toMatchObject({
    isMonotonic: true,
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    descriptor: { description: 'Rolled back.' },
  });
  expect(points('canary_rollbacks_total')).toEqual([[{ queue: 'a' }, 3]]);
  expect(points('canary_jobs_pending')).toEqual([[{}, 7]]);
  expect(points('canary_jobs_total')).toEqual([
    [{ queue: 'a' }, 1],
    [{ queue: 'b' }, 2],
  ]);
});

it.each([
  ["prom-client's", 'own'],
  ['a computed one', 'computed'],
] as const)(
  'a histogram, %s, has what fell between its bounds, for each set of labels',
  async (_name, kind) => {
    const registry = new Registry();
    const [name, help] = ['canary_job_duration_seconds', 'How long.'];
    if (kind === 'own') {
      const labelNames = ['queue'];
      const histogram = new Histogram({ name, help, buckets: [0.5, 1], labelNames, registers: [registry] });
      for (const seconds of [0.25, 0.5, 0.75, 4]) histogram.observe({ queue: 'a' }, seconds);
      histogram.observe({ queue: 'b' }, 1);
    } else {
      computedHistogram(registry, name, help, [0.5, 1], () => [
        { labels: { queue: 'a' }, cumulative: [2, 3], sum: 5.5, count: 4 },
        { labels: { queue: 'b' }, cumulative: [0, 1], sum: 1, count: 1 },
      ]);
    }
    const [metric] = await collect(registry);
    expect(metric).toMatchObject({
      dataPointType: DataPointType.HISTOGRAM,
      descriptor: { unit: 's' },
      dataPoints: [
        {
          attributes: { queue: 'a' },
          value: { buckets: { boundaries: [0.5, 1], counts: [2, 1, 1] }, sum: 5.5, count: 4 },
        },
        {
          attributes: { queue: 'b' },
          value: { buckets: { boundaries: [0.5, 1], counts: [0, 1, 0] }, sum: 1, count: 1 },
        },
      ],
    });
  },
);

it('units are such that who translates back to Prometheus gets the same names', async () => {
  const registry = new Registry();
  for (const name of [
    'canary_jobs_total',
    'canary_weight_ratio',
    'canary_age_seconds',
    'lanewise_build_info',
  ])
    computedGauge(registry, name, 'Something.', () => []);
  const units = (await collect(registry)).map(({ descriptor: { name, unit } }) => [name, unit]);
  expect(units).toEqual([
    ['canary_jobs_total', ''],
    ['canary_weight_ratio', '1'],
    ['canary_age_seconds', 's'],
    ['lanewise_build_info', ''],
  ]);
});

it('what is told of the process is left out', async () => {
  const registry = new Registry();
  computedGauge(registry, 'nodejs_heap_size_used_bytes', 'Of Node.', () => [{ labels: {}, value: 1 }]);
  expect(await collect(registry)).toEqual([]);
});

it('a plane that cannot tell its numbers does not keep back those of the other', async () => {
  const [control, proxy] = [new Registry(), new Registry()];
  computedGauge(control, 'canary_broken', 'Fails.', () => Promise.reject(new Error('no store')));
  computedGauge(proxy, 'canary_jobs_pending', 'Wait.', () => [{ labels: {}, value: 1 }]);
  const { resourceMetrics, errors } = await registryProducer({ control, proxy }, '1').collect();
  expect(resourceMetrics.scopeMetrics.map(({ scope }) => scope.name)).toEqual(['lanewise/proxy']);
  expect(errors).toEqual([new Error('no store')]);
});
