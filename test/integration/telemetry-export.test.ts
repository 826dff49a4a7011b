import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { QUEUE } from '../helpers/api.ts';
import { OtlpReceiver, type ReceivedMetric } from '../helpers/otlp-receiver.ts';
import { PATIENCE, until } from '../helpers/patience.ts';
import type { Environment } from '../helpers/process.ts';
import { freePort } from '../helpers/ports.ts';
import { enlist, Fleet, Standalone, type System } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

/** What leaves a process by OTLP, what doesn't, and that neither a receiver nor its absence is anything to a job. */

const LONG_MS = '600000';
/** Nothing leaves by itself before the process ends. */
const PATIENT = { OTEL_BSP_SCHEDULE_DELAY: LONG_MS, OTEL_METRIC_EXPORT_INTERVAL: LONG_MS };

async function startReceiver(port?: number): Promise<OtlpReceiver> {
  const receiver = await OtlpReceiver.start(port);
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  return receiver;
}

async function startWorker(): Promise<TestWorker> {
  const worker = await TestWorker.start('v1', (job, response) => {
    response.writeHead(job.headers['x-job-id'] === 'bad' ? 500 : 200).end();
  });
  onTestFinished(() => worker.stop());
  return worker;
}

/** Both planes with one worker for the queue. */
async function startStandalone(environment: Environment): Promise<Standalone> {
  const system = await Standalone.start(environment);
  onTestFinished(() => system[Symbol.asyncDispose]());
  await route(system, await startWorker());
  return system;
}

async function route(system: System, worker: TestWorker): Promise<void> {
  await enlist(system, { id: 'w1', version: 'v1', url: worker.url });
  await system.api.createDeployment('v1', 'v2');
  await until(async () => (await system.proxies[0]!.percentage()) !== undefined);
}

async function sendGood(system: System, count: number): Promise<void> {
  for (let i = 0; i < count; i++) expect((await system.proxies[0]!.send()).status).toBe(200);
}

const quiet = { code: 0, signal: null };

describe('without its variables', () => {
  /**
   * Says on stderr what of OpenTelemetry is loaded. prom-client has its API, which does nothing, for a feature that we
   * don't use; that one is not counted unless somebody else asks for it.
   */
  const TELL_LOADED = `import { registerHooks } from 'node:module';
    registerHooks({ resolve(specifier, context, next) {
      const found = next(specifier, context);
      const isOfPromClient = /\\/(prom-client|@opentelemetry\\/api)\\//.test(context.parentURL ?? '');
      if (found.url.includes('/@opentelemetry/') && !isOfPromClient) process.stderr.write('loaded ' + found.url + '\\n');
      return found;
    } });`;
  const environment = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(TELL_LOADED)}` };

  it.each<[string, Environment]>([
    ['none is set', {}],
    ['the SDK is disabled', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_SDK_DISABLED: 'true' }],
    ['the address is none', { OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4318' }],
  ])('nothing of OpenTelemetry is loaded: %s', async (_name, variables) => {
    const system = await startStandalone({ ...environment, ...variables });
    await sendGood(system, 2);
    expect(await system.process.end('SIGTERM')).toEqual(quiet);
    expect(system.process.stderr).not.toContain('loaded ');
    const isWarned = system.process.stderr.includes(
      'OTEL_EXPORTER_OTLP_ENDPOINT is \\"localhost:4318\\", which is not an address',
    );
    expect(isWarned).toBe(variables['OTEL_EXPORTER_OTLP_ENDPOINT'] === 'localhost:4318');
  });

  it('with them it is, so that the test above can fail', async () => {
    const receiver = await startReceiver();
    const system = await startStandalone({ ...environment, ...receiver.environment });
    expect(system.process.stderr).toContain('/@opentelemetry/sdk-trace/');
  });
});

it('by default it is protobuf, to both paths', async () => {
  const receiver = await startReceiver();
  const system = await startStandalone({
    ...receiver.environment,
    OTEL_EXPORTER_OTLP_PROTOCOL: '',
    OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=ours',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=staging',
  });
  await sendGood(system, 1);
  const holds = (path: string, text: string): boolean =>
    receiver.exports.some((received) => received.path === path && received.body.includes(text));
  await until(() => holds('/v1/traces', `process ${QUEUE}`) && holds('/v1/metrics', 'canary_jobs_total'));
  expect(new Set(receiver.exports.map(({ contentType }) => contentType))).toEqual(
    new Set(['application/x-protobuf']),
  );
  // What the SDK reads itself.
  expect(receiver.exports.every(({ headers }) => headers['x-tenant'] === 'ours')).toBe(true);
  expect(holds('/v1/traces', 'staging')).toBe(true);
});

describe('sampling', () => {
  const trace = (id: string, flags: string): Record<string, string> => ({
    traceparent: `00-${id}-00f067aa0ba902b7-${flags}`,
    'x-job-id': id,
  });
  const low = '1'.padEnd(32, '0');
  const high = 'f'.padEnd(32, '0');

  it.each([
    // Who decides by the trace's id decides the same everywhere.
    ['traceidratio', '0.5', [low]],
    ['parentbased_always_off', '', [high]],
  ])('%s %s', async (sampler, ratio, recorded) => {
    const receiver = await startReceiver();
    const system = await startStandalone({
      ...receiver.environment,
      OTEL_TRACES_SAMPLER: sampler,
      OTEL_TRACES_SAMPLER_ARG: ratio,
    });
    const [proxy] = system.proxies;
    // The producer of the first does not record its trace, that of the second does.
    for (const headers of [trace(low, '00'), trace(high, '01')])
      expect((await proxy!.send(headers)).status).toBe(200);
    await system.process.end('SIGTERM');
    expect(receiver.processed(QUEUE).map(({ traceId }) => traceId)).toEqual(recorded);
  });
});

describe('metrics', () => {
  /** As `/metrics` shows them: name and sorted labels → value. */
  async function scraped(url: string, token?: string): Promise<ReadonlyMap<string, number>> {
    const answer = await fetch(url, { ...(token && { headers: { authorization: `Bearer ${token}` } }) });
    const text = await answer.text();
    const samples = text.matchAll(/^((?:canary|lanewise)_\w+)(?:\{(.*)\})? (\S+)$/gm);
    return new Map(
      [...samples].map(([, name, labels = '', value]) => [
        `${name} ${labels.split(',').toSorted().join(',')}`,
        Number(value),
      ]),
    );
  }

  /** The same form, of what was exported. */
  function exported(metrics: readonly ReceivedMetric[], scope: string): ReadonlyMap<string, number> {
    const samples = new Map<string, number>();
    for (const { name, points } of metrics.filter((metric) => metric.scope === scope))
      for (const { attributes, value, histogram } of points) {
        const labels = Object.entries(attributes).map(([key, label]) => `${key}="${String(label)}"`);
        const put = (suffix: string, more: readonly string[], sample: number): void =>
          void samples.set(`${name}${suffix} ${[...labels, ...more].toSorted().join(',')}`, sample);
        if (histogram === undefined) {
          put('', [], value);
          continue;
        }
        let upTo = 0;
        for (const [i, count] of histogram.counts.entries()) {
          upTo += count;
          put('_bucket', [`le="${histogram.bounds[i] ?? '+Inf'}"`], upTo);
        }
        put('_sum', [], histogram.sum);
        put('_count', [], value);
      }
    return samples;
  }

  /** All samples; of those that move by themselves only that they are there. */
  function still(samples: ReadonlyMap<string, number>): Readonly<Record<string, number | string>> {
    const isMoving = (sample: string): boolean =>
      sample.startsWith('canary_proxy_connections ') ||
      (/_seconds /.test(sample) && !/duration/.test(sample));
    return Object.fromEntries(
      [...samples].map(([sample, value]) => [sample, isMoving(sample) ? 'moving' : value]),
    );
  }

  it('are those of /metrics: the same names, labels and numbers, of both planes', async () => {
    const receiver = await startReceiver();
    const system = await startStandalone(receiver.environment);
    await sendGood(system, 5);
    await system.proxy.send({ 'x-job-id': 'bad' });
    let proxy: ReadonlyMap<string, number> = new Map();
    let control = proxy;
    // Until what changes at the beginning has settled: who judges, and what it thinks.
    await vi.waitFor(async () => {
      proxy = await scraped(`${system.proxy.adminUrl}/metrics`);
      control = await scraped(`${system.api.url}/metrics`, system.api.token);
      const { metricExports } = receiver;
      // The second one from here was begun after the scrape.
      await until(() => receiver.metricExports >= metricExports + 2);
      const { metrics } = receiver;
      expect(still(exported(metrics, 'lanewise/proxy'))).toEqual(still(proxy));
      expect(still(exported(metrics, 'lanewise/control'))).toEqual(still(control));
    }, PATIENCE);
    expect(proxy.get(`canary_jobs_total lane="stable",outcome="success",queue="${QUEUE}",version="v1"`)).toBe(
      5,
    );
    expect(proxy.get(`canary_job_duration_seconds_count lane="stable",queue="${QUEUE}",version="v1"`)).toBe(
      6,
    );
    expect(control.get(`canary_traffic_weight_ratio lane="stable",queue="${QUEUE}"`)).toBe(1);
  });

  it('of each process of a fleet are of an instance of their own', async () => {
    const receiver = await startReceiver();
    const fleet = await Fleet.start(2, receiver.environment);
    onTestFinished(() => fleet[Symbol.asyncDispose]());
    const instances = new Map<unknown, string>();
    await until(() => {
      for (const { resource } of receiver.metrics)
        instances.set(resource['service.instance.id'], String(resource['service.name']));
      return instances.size === 3;
    });
    expect([...instances.values()].toSorted()).toEqual([
      'lanewise-control',
      'lanewise-proxy',
      'lanewise-proxy',
    ]);
  });
});

describe('a process that stops', () => {
  it('delivers what is left first, traces and the last numbers', async () => {
    const receiver = await startReceiver();
    const system = await startStandalone({ ...receiver.environment, ...PATIENT });
    await sendGood(system, 3);
    expect(receiver.exports).toEqual([]);
    expect(await system.process.end('SIGTERM')).toEqual(quiet);
    expect(receiver.processed(QUEUE)).toHaveLength(3);
    const jobs = receiver.pointsOf('canary_jobs_total');
    expect(jobs.reduce((sum, { value }) => sum + value, 0)).toBe(3);
    // It is read from the store, which is there until the last export.
    expect(receiver.pointsOf('canary_deployment_status').some(({ value }) => value === 1)).toBe(true);
    expect(system.process.stderr).not.toContain('could not read the store');
  });

  it('does not wait for a receiver that never answers', async () => {
    const receiver = await startReceiver();
    receiver.answer = 'silent';
    const system = await startStandalone({
      ...receiver.environment,
      ...PATIENT,
      OTEL_EXPORTER_OTLP_TIMEOUT: LONG_MS,
    });
    await sendGood(system, 3);
    expect(await system.process.end('SIGTERM')).toEqual(quiet);
    expect(receiver.exports.length).toBeGreaterThan(0);
    expect(system.process.stderr).toContain('telemetry was not all delivered within 5000 ms, and is lost');
  });
});

describe('a receiver', () => {
  /** How often it was said until then. */
  function timesSaid(system: Standalone, what: string, untilSaid: string): number {
    const [before] = system.process.stderr.split(untilSaid);
    return before!.split(what).length - 1;
  }

  it('that is not there is nothing to jobs; it is said once, and once that it has come', async () => {
    const port = await freePort();
    const system = await startStandalone({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_TIMEOUT: '500',
      OTEL_BSP_SCHEDULE_DELAY: '20',
      OTEL_METRICS_EXPORTER: 'none',
    });
    await sendGood(system, 20);
    await system.process.printed(/spans cannot be exported; jobs are not affected/, 'stderr');
    const receiver = await startReceiver(port);
    await until(async () => {
      await sendGood(system, 1);
      return receiver.spans.length > 0;
    });
    await system.process.printed(/spans are exported again/, 'stderr');
    expect(timesSaid(system, 'spans cannot be exported', 'spans are exported again')).toBe(1);
    expect(receiver.metricExports).toBe(0);
  });

  it('that refuses is told of once, however often it does', async () => {
    const receiver = await startReceiver();
    receiver.answer = 400;
    const system = await startStandalone(receiver.environment);
    const refused = (path: string): number =>
      receiver.exports.filter((received) => received.path === path).length;
    await until(async () => {
      await sendGood(system, 1);
      return refused('/v1/traces') >= 3 && refused('/v1/metrics') >= 3;
    });
    receiver.answer = 200;
    await until(async () => {
      await sendGood(system, 1);
      const { stderr } = system.process;
      return stderr.includes('spans are exported again') && stderr.includes('metrics are exported again');
    });
    expect(timesSaid(system, 'spans cannot be exported', 'spans are exported again')).toBe(1);
    expect(timesSaid(system, 'metrics cannot be exported', 'metrics are exported again')).toBe(1);
  });
});
