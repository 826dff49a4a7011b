import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { BASE_PATH } from '../../control/app.ts';
import { LanewiseError } from '../../src/core/errors.ts';
import { createLog } from '../../src/runtime/log.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import { created, MINIMAL, openControl, SECRETS, type Control } from './harness.ts';

function logTo(lines: string[]) {
  return createLog(
    'info',
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(chunk.toString());
        done();
      },
    }),
  );
}

/** A control plane whose store fails every call with `error`. */
async function withFailingStore(error: Error, lines: string[] = []): Promise<Control> {
  const { store } = await openControl();
  const fail = async (): Promise<never> => {
    throw error;
  };
  const failing: Store = {
    ...store,
    ping: fail,
    createDeployment: fail,
    saveDeployment: fail,
    getDeployment: fail,
    getRoutedDeployment: fail,
    listDeployments: fail,
    pageDeployments: fail,
    getRoute: fail,
    saveWorker: fail,
    getWorker: fail,
    listWorkers: fail,
    pageWorkers: fail,
    readSnapshot: fail,
    readHead: fail,
    listReports: fail,
  };
  return openControl({ store: failing, log: logTo(lines) });
}

const ID = 'canary_123e4567-e89b-12d3-a456-426614174000';
const CALLS = [
  ['GET', '/deployments', undefined],
  ['POST', '/deployments', MINIMAL],
  ['GET', `/deployments/${ID}`, undefined],
  ['GET', `/deployments/${ID}/events`, undefined],
  ['PUT', `/deployments/${ID}/percentage`, { percentage: 5 }],
  ['POST', `/deployments/${ID}/promote`, undefined],
  ['POST', `/deployments/${ID}/rollback`, undefined],
  ['DELETE', `/deployments/${ID}`, undefined],
  ['GET', '/workers', undefined],
  ['POST', '/workers', { id: 'w', version: 'v', queues: ['q'] }],
  ['PUT', '/workers/w/status', { status: 'healthy' }],
  ['DELETE', '/workers/w', undefined],
] as const;

describe('while the store is away', () => {
  test.each(CALLS)('%s %s says so, and when to try again', async (method, path, body) => {
    const control = await withFailingStore(
      new LanewiseError('STORE_UNAVAILABLE', 'The store cannot be reached'),
    );
    const answer = await control.call(method, path, body);
    expect(answer).toMatchObject({
      status: 503,
      body: { error: 'The store cannot be reached', code: 'STORE_UNAVAILABLE', details: {} },
    });
    expect(answer.headers.get('retry-after')).toBe('1');
  });

  test('the process is alive but not ready, and its metrics are what is left of them', async () => {
    const control = await withFailingStore(
      new LanewiseError('STORE_UNAVAILABLE', 'The store cannot be reached'),
    );
    expect((await control.fetch('/healthz')).status).toBe(200);
    expect((await control.fetch('/readyz')).status).toBe(503);
    const metrics = await control.fetch('/metrics', { headers: { 'x-api-key': SECRETS.viewer } });
    expect(metrics.status).toBe(200);
    expect(metrics.body).toContain('lanewise_build_info');
  });
});

test('what nobody foresaw is answered without a detail and logged with all of them', async () => {
  const lines: string[] = [];
  const control = await withFailingStore(
    new TypeError('secret internals at /srv/lanewise/store.ts:7'),
    lines,
  );
  const answer = await control.call('GET', '/deployments');
  expect(answer.status).toBe(500);
  expect(answer.body).toEqual({ error: expect.any(String) as string, code: 'INTERNAL', details: {} });
  expect(JSON.stringify(answer.body)).not.toMatch(/secret|srv/);
  expect(lines.join()).toContain('secret internals');
});

test('a record that others never stop changing is given up after a while, and nothing is stored', async () => {
  const { store, ...base } = await openControl();
  const id = await created({ store, ...base });
  const contended: Store = { ...store, saveDeployment: async () => ({ kind: 'stale' }) };
  const control = await openControl({ store: contended });
  const answer = await control.call('POST', `/deployments/${id}/promote`);
  expect(answer).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } });
  expect((await store.getDeployment(id))?.status).toBe('active');
});

test('a delete that another instance got in the way of is done again', async () => {
  const { store, ...base } = await openControl();
  const id = await created({ store, ...base });
  await base.call('POST', `/deployments/${id}/rollback`);
  let attempts = 0;
  const contended: Store = {
    ...store,
    deleteDeployment: async (...args) =>
      ++attempts === 1 ? { kind: 'stale' } : store.deleteDeployment(...args),
  };
  const control = await openControl({ store: contended });
  expect((await control.call('DELETE', `/deployments/${id}`)).status).toBe(204);
  expect(await store.getDeployment(id)).toBeUndefined();
});

test('healthz and readyz need no token', async () => {
  const control = await openControl();
  for (const path of ['/healthz', '/readyz']) {
    const answer = await control.fetch(path);
    expect(answer).toMatchObject({ status: 200, body: { status: 'ok' } });
  }
});

describe('metrics', () => {
  test('need a token, unless they are public', async () => {
    const control = await openControl();
    expect((await control.fetch('/metrics')).status).toBe(401);
    expect((await control.fetch('/metrics', { headers: { 'x-api-key': SECRETS.worker } })).status).toBe(403);
    expect((await control.fetch('/metrics', { headers: { 'x-api-key': SECRETS.viewer } })).status).toBe(200);
    expect((await (await openControl({ metricsPublic: true })).fetch('/metrics')).status).toBe(200);
  });

  test('tell the weights, the statuses, the promotions and the rollbacks', async () => {
    const control = await openControl({ metricsPublic: true });
    const open = await created(control, { queue_name: 'open' });
    await control.call('PUT', `/deployments/${open}/percentage`, { percentage: 7 });
    const good = await created(control, { queue_name: 'good' });
    await control.call('POST', `/deployments/${good}/promote`);
    const bad = await created(control, { queue_name: 'bad', initial_percentage: 50 });
    await control.call('POST', `/deployments/${bad}/rollback`, { reason: 'Jane said so' });
    await created(control, { queue_name: 'open', tenant_id: 'acme', initial_percentage: 90 });

    const { body, headers } = await control.fetch('/metrics');
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const lines = (body as string).split('\n');
    for (const line of [
      'lanewise_build_info{version="0.0.0-test",component="control"} 1',
      'canary_traffic_weight_ratio{queue="open",lane="canary"} 0.07',
      'canary_traffic_weight_ratio{queue="open",lane="stable"} 0.93',
      'canary_traffic_weight_ratio{queue="good",lane="stable"} 1',
      'canary_traffic_weight_ratio{queue="bad",lane="canary"} 0',
      `canary_deployment_status{deployment="${open}",queue="open",status="active"} 1`,
      `canary_deployment_status{deployment="${good}",queue="good",status="completed"} 1`,
      `canary_deployment_status{deployment="${good}",queue="good",status="active"} 0`,
      `canary_deployment_status{deployment="${bad}",queue="bad",status="failed"} 1`,
      'canary_promotions_total{queue="good"} 1',
      'canary_rollbacks_total{queue="bad",reason="manual"} 1',
    ]) {
      expect(lines).toContain(line);
    }
    // A tenant of its own does not blur the figure of its queue.
    expect(lines.filter((line) => line.includes('ratio{queue="open",lane="canary"}'))).toHaveLength(1);
    expect(body).not.toMatch(/Jane|acme/);
  });
});

test('a change of state is one line of the log, without tokens', async () => {
  const lines: string[] = [];
  const control = await openControl({ log: logTo(lines) });
  const id = await created(control);
  await control.call('PUT', `/deployments/${id}/percentage`, { percentage: 25 });
  await control.call('GET', `/deployments/${id}`);
  const entries = lines.map((line) => JSON.parse(line) as object);
  expect(entries).toMatchObject([
    { deployment: id, type: 'deployment_created', actor: 'root', revision: 1 },
    { deployment: id, type: 'percentage_updated', actor: 'ops', msg: 'Traffic split updated to 25%' },
  ]);
  for (const secret of Object.values(SECRETS)) expect(lines.join()).not.toContain(secret);
});

test('the profiles are answered as documented', async () => {
  const control = await openControl();
  const { status, body } = await control.fetch(`${BASE_PATH}/config/profiles`, {
    headers: { 'x-api-key': SECRETS.viewer },
  });
  expect(status).toBe(200);
  expect(body).toEqual({
    default: {
      routing_strategy: 'split_queue',
      sticky_routing: true,
      auto_promotion: false,
      max_canary_duration: '2h0m0s',
      min_canary_duration: '5m0s',
      drain_timeout: '5m0s',
      metrics_window: '5m0s',
      rollback_thresholds: {
        max_error_rate_increase: 5,
        max_latency_increase: 50,
        max_throughput_decrease: 20,
        min_success_rate: 95,
        required_sample_size: 20,
      },
    },
    conservative: {
      routing_strategy: 'split_queue',
      sticky_routing: true,
      auto_promotion: false,
      max_canary_duration: '4h0m0s',
      min_canary_duration: '15m0s',
      rollback_thresholds: {
        max_error_rate_increase: 2,
        max_latency_increase: 20,
        max_throughput_decrease: 10,
        min_success_rate: 95,
        required_sample_size: 20,
      },
    },
    aggressive: {
      routing_strategy: 'split_queue',
      sticky_routing: false,
      auto_promotion: true,
      max_canary_duration: '30m0s',
      min_canary_duration: '2m0s',
      rollback_thresholds: {
        max_error_rate_increase: 20,
        max_latency_increase: 200,
        max_throughput_decrease: 75,
        min_success_rate: 70,
        required_sample_size: 5,
      },
    },
  });
});
