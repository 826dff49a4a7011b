import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startControlServer } from '../../control/server.ts';
import { record } from '../../src/core/histogram.ts';
import { createLanesTotals } from '../../src/core/lane-totals.ts';
import { OUTCOME_INDEX } from '../../src/core/outcome.ts';
import { openControl, SECRETS, type Answer, type Control, type Json } from '../control/harness.ts';
import { blocks, CURL_COMMANDS, ENDPOINTS, ERROR_ROWS, model, section } from './document.ts';
import { differences, type Allowance } from './shape.ts';

/**
 * A client that is written against the API document alone must work. These tests walk the document itself: they send its
 * requests and curl commands as written and hold every answer against its example.
 */

const BASE = '/api/v1/canary';

function endpoint(title: string) {
  const found = ENDPOINTS.find((candidate) => candidate.title === title);
  if (found === undefined) throw new Error(`the document has no ${title}`);
  return found;
}

/** Sends the document's example to an endpoint, with the id put in its place. */
function send(control: Control, title: string, id = ''): Promise<Answer> {
  const { method, path, request } = endpoint(title);
  return control.call(method, path.replace('{id}', id).replace(/\?.*/, ''), request, 'admin');
}

function expectShape(example: unknown, answer: Answer, status: number, allowance?: Allowance): void {
  expect(answer.status).toBe(status);
  expect(differences(example, answer.body, allowance)).toEqual([]);
}

async function create(control: Control, queue = 'payment-processing'): Promise<string> {
  const request = { ...(endpoint('Create Deployment').request as object), queue_name: queue };
  const answer = await control.call('POST', '/deployments', request, 'admin');
  expect(answer.status).toBe(201);
  return answer.body.id;
}

const DEPLOYMENT: Allowance = {
  // Of the model; the list's example leaves them out.
  extra: ['drain_timeout', 'metrics_window', 'rollback_thresholds', 'routing', 'metrics', 'health'],
  // "completed_at" only once it is; "metadata" where some was given.
  optional: ['completed_at', 'metadata'],
};

describe('the endpoints of the API document', () => {
  test('are these; a test below walks each', () => {
    expect(ENDPOINTS.map(({ title, method, path }) => `${title}: ${method} ${path}`)).toEqual([
      'List Deployments: GET /deployments',
      'Create Deployment: POST /deployments',
      'Get Deployment: GET /deployments/{id}',
      'Update Traffic Percentage: PUT /deployments/{id}/percentage',
      'Promote Deployment: POST /deployments/{id}/promote',
      'Rollback Deployment: POST /deployments/{id}/rollback',
      'Delete Deployment: DELETE /deployments/{id}',
      'Get Deployment Health: GET /deployments/{id}/health',
      'Get Deployment Metrics: GET /deployments/{id}/metrics',
      'Get Deployment Events: GET /deployments/{id}/events',
      'List Workers: GET /workers?lane={lane}',
      'Register Worker: POST /workers',
      'Update Worker Status: PUT /workers/{id}/status',
      'Get Configuration Profiles: GET /config/profiles',
    ]);
  });

  test('Create, Get and List Deployments answer with the deployment object', async () => {
    const control = await openControl();
    const created = await send(control, 'Create Deployment');
    expectShape(model('Deployment Object'), created, 201, DEPLOYMENT);
    const request = endpoint('Create Deployment').request as Json;
    for (const field of ['queue_name', 'tenant_id', 'stable_version', 'canary_version', 'created_by']) {
      expect(created.body[field]).toBe(request[field]);
    }
    expect(created.body.config).toMatchObject({
      routing_strategy: request.routing_strategy,
      sticky_routing: request.sticky_routing,
      auto_promotion: request.auto_promotion,
      max_canary_duration: '2h0m0s',
      min_canary_duration: '5m0s',
      metrics_window: '5m0s',
      // The profile's.
      rollback_thresholds: { max_error_rate_increase: 2, max_latency_increase: 20 },
    });
    expectShape(
      model('Deployment Object'),
      await send(control, 'Get Deployment', created.body.id),
      200,
      DEPLOYMENT,
    );

    const list = await send(control, 'List Deployments');
    expectShape(endpoint('List Deployments').response, list, 200, DEPLOYMENT);
    expect(list.body.count).toBe(1);
  });

  test('Update Traffic Percentage, Promote, Rollback and Delete do what they say', async () => {
    const control = await openControl();
    const routed = { extra: ['routing'] };
    const id = await create(control);

    const percentage = await send(control, 'Update Traffic Percentage', id);
    expectShape(endpoint('Update Traffic Percentage').response, percentage, 200, routed);
    expect(percentage.body).toMatchObject({ success: true, percentage: 50 });

    const promoted = await send(control, 'Promote Deployment', id);
    expectShape(endpoint('Promote Deployment').response, promoted, 200, routed);
    expect(promoted.body.message).toBe((endpoint('Promote Deployment').response as Json).message);
    expect((await send(control, 'Get Deployment', id)).body).toMatchObject({
      status: 'completed',
      current_percent: 100,
    });

    const other = await create(control, 'other');
    const rolledBack = await send(control, 'Rollback Deployment', other);
    const documented = endpoint('Rollback Deployment').response as Json;
    expectShape(documented, rolledBack, 200, routed);
    expect(rolledBack.body).toMatchObject({ message: documented.message, reason: documented.reason });
    expect((await send(control, 'Get Deployment', other)).body).toMatchObject({
      status: 'failed',
      current_percent: 0,
    });

    expect((await send(control, 'Delete Deployment', other)).status).toBe(204);
    expect((await send(control, 'Get Deployment', other)).status).toBe(404);
  });

  test('Health, Metrics and Events', async () => {
    const control = await openControl();
    const id = await create(control);
    await send(control, 'Update Traffic Percentage', id);
    for (const [lane, version] of [
      ['stable', 'v1.2.0'],
      ['canary', 'v1.3.0'],
    ] as const) {
      const totals = createLanesTotals();
      totals[lane].routed = 100;
      totals[lane].outcomes[OUTCOME_INDEX.success] = 100;
      for (let i = 0; i < 100; i++) record(totals[lane].latency, 100 + i);
      await control.store.recordTelemetry(id, 1, totals);
      await control.call('POST', '/workers', { id: lane, version, queues: ['payment-processing'] });
      await control.call('PUT', `/workers/${lane}/status`, {
        status: 'healthy',
        metrics: { memory_usage_mb: 128.4, cpu_usage_percent: 45.2 },
      });
    }
    expectShape(
      endpoint('Get Deployment Health').response,
      await send(control, 'Get Deployment Health', id),
      200,
    );

    const metrics = await send(control, 'Get Deployment Metrics', id);
    // A queue that is not stored anywhere has no depth and no dead letters.
    const unknown = ['queue_depth', 'dead_letters'];
    expectShape(endpoint('Get Deployment Metrics').response, metrics, 200, {
      extra: ['avg_cpu_percent', 'dead_letters'],
      nullable: unknown,
    });
    for (const lane of ['stable', 'canary']) {
      expect(differences(model('Metrics Snapshot'), metrics.body[lane], { nullable: unknown })).toEqual([]);
    }

    const events = await send(control, 'Get Deployment Events', id);
    expectShape(endpoint('Get Deployment Events').response, events, 200, { extra: ['actor', 'data'] });
    expect(events.body.events.map((event: Json) => [event.type, event.message])).toEqual([
      ['percentage_updated', 'Traffic split updated to 50%'],
      ['deployment_created', 'Canary deployment created'],
    ]);
  });

  test('Register, List and Update Worker', async () => {
    const control = await openControl();
    const registered = await send(control, 'Register Worker');
    // Nobody knows yet how long its jobs take.
    const unknown = ['avg_processing_time', 'memory_usage_mb', 'cpu_usage_percent', 'last_job_at'];
    expectShape(model('Worker Object'), registered, 201, { nullable: unknown });
    expect(registered.body).toMatchObject(endpoint('Register Worker').request as object);

    const { id } = registered.body;
    const updated = await send(control, 'Update Worker Status', id);
    expectShape(endpoint('Update Worker Status').response, updated, 200);

    const { metrics } = (endpoint('List Workers').response as Json).workers[0];
    await control.call('POST', '/workers', { id: 's', version: 'v1.2.0', queues: ['payment-processing'] });
    await control.call('PUT', '/workers/s/status', { status: 'healthy', metrics });
    const list = await control.call('GET', '/workers?lane=stable');
    expectShape(endpoint('List Workers').response, list, 200, { extra: ['metadata'] });
    expect(list.body.workers[0].metrics).toEqual(metrics);
  });

  test('Get Configuration Profiles answers with exactly the documented numbers', async () => {
    const control = await openControl();
    const { status, body } = await send(control, 'Get Configuration Profiles');
    expect(status).toBe(200);
    expect(body).toEqual(endpoint('Get Configuration Profiles').response);
  });
});

describe('the error table of the API document', () => {
  const CAUSES: Readonly<Record<string, (control: Control) => Promise<Answer>>> = {
    DEPLOYMENT_NOT_FOUND: (control) => control.call('GET', '/deployments/canary_none'),
    DEPLOYMENT_EXISTS: async (control) => {
      await create(control);
      return send(control, 'Create Deployment');
    },
    INVALID_PERCENTAGE: async (control) =>
      control.call('PUT', `/deployments/${await create(control)}/percentage`, { percentage: 101 }, 'admin'),
    VALIDATION_FAILED: (control) => control.call('POST', '/deployments', {}),
    CONCURRENCY_LIMIT: async (control) => {
      await create(control, 'first');
      return send(control, 'Create Deployment');
    },
    DEPLOYMENT_NOT_ACTIVE: async (control) => {
      const id = await create(control);
      await send(control, 'Promote Deployment', id);
      return send(control, 'Rollback Deployment', id);
    },
  };

  test('has these rows', () => {
    expect(ERROR_ROWS.map(({ code }) => code)).toEqual(Object.keys(CAUSES));
  });

  test.each(ERROR_ROWS)(
    '$code is answered with $status and the documented body',
    async ({ code, status }) => {
      const control = await openControl(code === 'CONCURRENCY_LIMIT' ? { maxActiveDeployments: 1 } : {});
      const answer = await CAUSES[code]!(control);
      expect(answer.status).toBe(status);
      expect(Object.keys(answer.body).toSorted()).toEqual(
        Object.keys(JSON.parse(blocks(section('## Error Handling'), 'json')[0]!)).toSorted(),
      );
      expect(answer.body).toMatchObject({ code, error: expect.any(String), details: expect.any(Object) });
    },
  );
});

describe('over a socket', () => {
  const run = promisify(execFile);

  async function serve(): Promise<{ control: Control; url: string }> {
    const control = await openControl();
    const server = await startControlServer({ app: control.app, host: '127.0.0.1', port: 0 });
    onTestFinished(() => server.close(0));
    return { control, url: server.url };
  }

  test('the document has curl commands', () => {
    expect(CURL_COMMANDS.length).toBe(7);
  });

  test.each(CURL_COMMANDS)('%s', async (command) => {
    const { control, url } = await serve();
    const id = command.includes('{id}') ? await create(control, 'curl') : '';
    const script = command
      .replaceAll('http://localhost:8080', url)
      .replaceAll('{id}', id)
      .replaceAll('<token>', SECRETS.admin)
      .replace(/^curl /, "curl --silent --show-error --fail-with-body --write-out '\\n%{http_code}' ");
    const { stdout } = await run('bash', ['-c', script]);
    const [status, ...rest] = stdout.trim().split('\n').toReversed();
    expect(['200', '201']).toContain(status);
    expect(() => JSON.parse(rest.toReversed().join('\n')) as unknown).not.toThrow();
  });

  test('both ways of authentication work', async () => {
    const { url } = await serve();
    for (const headers of [{ Authorization: `Bearer ${SECRETS.viewer}` }, { 'X-API-Key': SECRETS.viewer }]) {
      expect((await fetch(`${url}${BASE}/deployments`, { headers })).status).toBe(200);
    }
  });

  test('WebSocket events have the documented format', async () => {
    const { control, url } = await serve();
    const id = await create(control);
    const documented = blocks(section('## WebSocket Events'), '')[0]!.trim();
    const address = documented.replace('ws://localhost:8080', url.replace('http', 'ws')).replace('{id}', id);
    const socket = new WebSocket(address, { headers: { Authorization: `Bearer ${SECRETS.viewer}` } });
    onTestFinished(() => socket.terminate());
    const moved = new Promise<Json>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('message', (data: Buffer) => {
        const frame = JSON.parse(data.toString());
        if (frame.type === 'percentage_updated') resolve(frame);
      });
      socket.on('open', () => void send(control, 'Update Traffic Percentage', id));
    });
    const example = JSON.parse(blocks(section('## WebSocket Events'), 'json')[0]!) as unknown;
    expect(differences(example, await moved, { extra: ['id'] })).toEqual([]);
    expect((await moved).data).toEqual({ old_percentage: 0, new_percentage: 50 });
  });
});

test('lists are paginated as documented', async () => {
  const control = await openControl();
  for (const queue of ['a', 'b', 'c']) await create(control, queue);
  const answer = await control.call('GET', '/deployments?page=2&page_size=2');
  const example = JSON.parse(blocks(section('## Pagination'), 'json')[0]!.replace('[...]', '[]'));
  expect(Object.keys(answer.body)).toEqual(Object.keys(example));
  expect(differences(example.pagination, answer.body.pagination)).toEqual([]);
  expect(answer.body.pagination).toEqual({
    page: 2,
    page_size: 2,
    total_pages: 2,
    total_items: 3,
    has_next: false,
    has_prev: true,
  });
});

test('every answer carries the documented rate limit headers', async () => {
  const control = await openControl({ rateLimit: { perMinute: 100, burst: 20 } });
  const { headers } = await control.call('GET', '/deployments');
  const names = [...section('## Rate Limiting').matchAll(/`(X-RateLimit-\w+)`/g)].map(([, name]) => name!);
  expect(names).toHaveLength(3);
  for (const name of names) expect(headers.get(name)).toMatch(/^\d+$/);
  expect(headers.get('X-RateLimit-Limit')).toBe('100');
});
