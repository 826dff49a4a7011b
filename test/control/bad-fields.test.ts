import { describe, expect, test } from 'vitest';
import { created, MINIMAL, openControl } from './harness.ts';
import { refusal } from './refusal.ts';

const LONG = 'x'.repeat(129);
const STAGE = { percentage: 10, duration: '5m' };

function manyStages(count: number): readonly unknown[] {
  return Array.from({ length: count }, (_, i) => ({ ...STAGE, percentage: i + 1 }));
}

describe('a deployment is refused for', () => {
  test.each<[string, unknown, readonly string[]]>([
    ['nothing at all', {}, ['queue_name', 'stable_version', 'canary_version']],
    ['null', null, ['body']],
    ['a list', [MINIMAL], ['body']],
    ['a text', '"deploy"', ['body']],
    ['a queue name with spaces', { ...MINIMAL, queue_name: 'payment processing' }, ['queue_name']],
    ['an empty queue name', { ...MINIMAL, queue_name: '' }, ['queue_name']],
    ['a queue name that is a number', { ...MINIMAL, queue_name: 7 }, ['queue_name']],
    ['a queue name too long', { ...MINIMAL, queue_name: LONG }, ['queue_name']],
    ['a null version', { ...MINIMAL, stable_version: null }, ['stable_version']],
    ['a version with a line break', { ...MINIMAL, stable_version: 'v1\nv2' }, ['stable_version']],
    ['a version too long', { ...MINIMAL, canary_version: LONG }, ['canary_version']],
    ['two equal versions', { ...MINIMAL, canary_version: 'v1.2.0' }, ['canary_version']],
    ['an empty tenant', { ...MINIMAL, tenant_id: '' }, ['tenant_id']],
    ['an unknown strategy', { ...MINIMAL, routing_strategy: 'round_robin' }, ['routing_strategy']],
    ['a flag in words', { ...MINIMAL, sticky_routing: 'yes' }, ['sticky_routing']],
    ['a flag as a number', { ...MINIMAL, auto_promotion: 1 }, ['auto_promotion']],
    ['a null flag', { ...MINIMAL, auto_promotion: null }, ['auto_promotion']],
    ['a duration as a number', { ...MINIMAL, max_duration: 7200 }, ['max_duration']],
    ['a duration in words', { ...MINIMAL, max_duration: '2 hours' }, ['max_duration']],
    ['a negative duration', { ...MINIMAL, min_duration: '-5m' }, ['min_duration']],
    ['an empty duration', { ...MINIMAL, metrics_window: '' }, ['metrics_window']],
    ['no metrics window', { ...MINIMAL, metrics_window: '0s' }, ['metrics_window']],
    ['an endless duration', { ...MINIMAL, max_duration: '9000h' }, ['max_duration']],
    ['a drain timeout of two days', { ...MINIMAL, drain_timeout: '48h' }, ['drain_timeout']],
    ['a minimum above the maximum', { ...MINIMAL, min_duration: '3h', max_duration: '1h' }, ['min_duration']],
    ["a minimum above the profile's maximum", { ...MINIMAL, min_duration: '3h' }, ['min_duration']],
    [
      "a maximum below the profile's minimum",
      { ...MINIMAL, max_duration: '10m', profile: 'conservative' },
      ['max_duration'],
    ],
    [
      'two different maxima',
      { ...MINIMAL, max_duration: '1h', max_canary_duration: '2h' },
      ['max_canary_duration'],
    ],
    ['an unknown profile', { ...MINIMAL, profile: 'reckless' }, ['profile']],
    ['a profile that every object has', { ...MINIMAL, profile: 'constructor' }, ['profile']],
    ['an unknown fallback', { ...MINIMAL, fallback: 'canary' }, ['fallback']],
    ['an unknown analysis', { ...MINIMAL, analysis: 'bayes' }, ['analysis']],
    ['stages without automatic promotion', { ...MINIMAL, stages: [STAGE] }, ['stages']],
    ['no stage', { ...MINIMAL, auto_promotion: true, stages: [] }, ['stages']],
    ['21 stages', { ...MINIMAL, auto_promotion: true, stages: manyStages(21) }, ['stages']],
    ['the same stage twice', { ...MINIMAL, auto_promotion: true, stages: [STAGE, STAGE] }, ['stages']],
    [
      'stages at 0 and at 100',
      {
        ...MINIMAL,
        auto_promotion: true,
        stages: [
          { ...STAGE, percentage: 0 },
          { ...STAGE, percentage: 100 },
        ],
      },
      ['stages[0].percentage', 'stages[1].percentage'],
    ],
    [
      'a stage of another shape',
      { ...MINIMAL, auto_promotion: true, stages: [{ percent: 5, duration: 60 }] },
      ['stages[0].duration', 'stages[0].percent', 'stages[0].percentage'],
    ],
    ['half a key', { ...MINIMAL, required_distinct_keys: 0.5 }, ['required_distinct_keys']],
    ['a percentage above 100', { ...MINIMAL, initial_percentage: 101 }, ['initial_percentage']],
    ['a percentage of three decimals', { ...MINIMAL, initial_percentage: 0.125 }, ['initial_percentage']],
    ['a text as metadata', { ...MINIMAL, metadata: 'x' }, ['metadata']],
    ['a list as metadata', { ...MINIMAL, metadata: [1] }, ['metadata']],
    ['large metadata', { ...MINIMAL, metadata: { x: 'y'.repeat(17_000) } }, ['metadata']],
    ['an author too long', { ...MINIMAL, created_by: 'x'.repeat(257) }, ['created_by']],
    ['an author with control characters', { ...MINIMAL, created_by: 'a\u001b[31mb' }, ['created_by']],
    [
      'thresholds out of range',
      { ...MINIMAL, rollback_thresholds: { min_success_rate: 101, required_sample_size: 0.5, extra: 1 } },
      [
        'rollback_thresholds.min_success_rate',
        'rollback_thresholds.required_sample_size',
        'rollback_thresholds.extra',
      ],
    ],
    [
      'unknown fields',
      { ...MINIMAL, queue: 'x', constructor: 1, toString: 2 },
      ['queue', 'constructor', 'toString'],
    ],
    [
      'all of it at once',
      { stable_version: 'v1', canary_version: 'v1', sticky_routing: 0, min_duration: '5h', percent: 5 },
      ['queue_name', 'canary_version', 'sticky_routing', 'min_duration', 'percent'],
    ],
  ])('%s', async (_name, body, fields) => {
    const control = await openControl();
    expect(await control.call('POST', '/deployments', body)).toEqual(
      refusal(400, 'VALIDATION_FAILED', fields),
    );
    expect((await control.call('GET', '/deployments')).body.count).toBe(0);
  });

  test('a strategy other than the one that the configuration fixes', async () => {
    const control = await openControl({ strategyOf: () => 'hash_ring' });
    const answer = await control.call('POST', '/deployments', {
      ...MINIMAL,
      routing_strategy: 'split_queue',
    });
    expect(answer).toEqual(refusal(400, 'VALIDATION_FAILED', ['routing_strategy']));
  });

  test('a message says what came and what is accepted', async () => {
    const control = await openControl();
    const { body } = await control.call('POST', '/deployments', {
      ...MINIMAL,
      profile: 'reckless',
      max_duration: '2 hours',
      queue: 'x',
    });
    expect(body.details).toMatchObject({
      profile: 'must be one of default, conservative, aggressive, got "reckless"',
      max_duration: 'must be a duration such as 500ms, 90s or 1h30m, from 1s to 8760h0m0s, got "2 hours"',
      queue: expect.stringContaining('fields taken here are queue_name, tenant_id') as string,
    });
  });
});

describe('a percentage is refused when it is', () => {
  test.each<[string, unknown]>([
    ['below 0', { percentage: -1 }],
    ['a hair below 0', { percentage: -0.01 }],
    ['above 100', { percentage: 150 }],
    ['a hair above 100', { percentage: 100.01 }],
    ['of three decimals', { percentage: 33.333 }],
    ['a text', { percentage: '50' }],
    ['null', { percentage: null }],
    ['missing', {}],
    ['a list', { percentage: [50] }],
    ['a flag', { percentage: true }],
    ['NaN, as Python writes it', '{"percentage": NaN}'],
    ['infinite, as Python writes it', '{"percentage": -Infinity}'],
    ['infinite by its exponent', '{"percentage": 1e400}'],
  ])('%s', async (_name, body) => {
    const control = await openControl();
    const id = await created(control);
    const answer = await control.call('PUT', `/deployments/${id}/percentage`, body);
    expect(answer).toEqual(refusal(400, 'INVALID_PERCENTAGE', ['percentage']));
    expect((await control.call('GET', `/deployments/${id}`)).body.current_percent).toBe(0);
  });

  test('the message quotes the value and the range', async () => {
    const control = await openControl();
    const id = await created(control);
    const { body } = await control.call('PUT', `/deployments/${id}/percentage`, { percentage: 150 });
    const problem = 'must be a number from 0 to 100 with at most two decimals, got 150';
    expect(body).toEqual({
      error: `The request is not valid: percentage ${problem}`,
      code: 'INVALID_PERCENTAGE',
      details: { percentage: problem },
    });
  });

  test('missing because there is no body', async () => {
    const control = await openControl();
    const id = await created(control);
    const answer = await control.call('PUT', `/deployments/${id}/percentage`);
    expect(answer).toEqual(refusal(400, 'INVALID_PERCENTAGE', ['percentage']));
  });

  test('accompanied by fields that nobody knows', async () => {
    const control = await openControl();
    const id = await created(control);
    const answer = await control.call('PUT', `/deployments/${id}/percentage`, { percentage: 5, force: true });
    expect(answer).toEqual(refusal(400, 'VALIDATION_FAILED', ['force']));
  });

  test.each([0, 0.01, 7, 33.33, 99.99, 100])('but not %d', async (percentage) => {
    const control = await openControl();
    const id = await created(control);
    const { body } = await control.call('PUT', `/deployments/${id}/percentage`, { percentage });
    expect(body).toMatchObject({ success: true, percentage });
  });
});

describe('a worker is refused for', () => {
  const WORKER = { id: 'w1', version: 'v1', queues: ['q'] };
  test.each<[string, unknown, readonly string[]]>([
    ['nothing at all', {}, ['id', 'version', 'queues']],
    ['an id with spaces', { ...WORKER, id: 'a b' }, ['id']],
    ['an id that no URL can carry', { ...WORKER, id: '..' }, ['id']],
    ['an unknown lane', { ...WORKER, lane: 'beta' }, ['lane']],
    ['a null lane', { ...WORKER, lane: null }, ['lane']],
    ['no queues', { ...WORKER, queues: [] }, ['queues']],
    ['a queue instead of a list', { ...WORKER, queues: 'q' }, ['queues']],
    ['queues with bad names', { ...WORKER, queues: ['ok', 'a b', 5] }, ['queues[1]', 'queues[2]']],
    ['too many queues', { ...WORKER, queues: Array.from({ length: 1001 }, (_, i) => `q${i}`) }, ['queues']],
    ['no weight', { ...WORKER, weight: 0 }, ['weight']],
    ['too much weight', { ...WORKER, weight: 33 }, ['weight']],
    ['half a job at once', { ...WORKER, max_concurrency: 0.5 }, ['max_concurrency']],
    ['too many jobs at once', { ...WORKER, max_concurrency: 100_001 }, ['max_concurrency']],
    ['a health path without a url', { ...WORKER, health_path: '/healthz' }, ['health_path']],
    [
      'a health path that is none',
      { ...WORKER, url: 'http://127.0.0.1', health_path: 'healthz' },
      ['health_path'],
    ],
    ['an empty health path', { ...WORKER, url: 'http://127.0.0.1', health_path: '' }, ['health_path']],
    [
      'a health path in two lines',
      { ...WORKER, url: 'http://127.0.0.1', health_path: '/a\r\nX: b' },
      ['health_path'],
    ],
    [
      'a health path with a fragment',
      { ...WORKER, url: 'http://127.0.0.1', health_path: '/a#b' },
      ['health_path'],
    ],
    [
      'too long a health path',
      { ...WORKER, url: 'http://127.0.0.1', health_path: `/${'a'.repeat(512)}` },
      ['health_path'],
    ],
    [
      'a health path that is null',
      { ...WORKER, url: 'http://127.0.0.1', health_path: null },
      ['health_path'],
    ],
    ['a url that is a number', { ...WORKER, url: 80 }, ['url']],
    ['a url that is none', { ...WORKER, url: 'localhost:3000' }, ['url']],
    ['a file url', { ...WORKER, url: 'file:///etc/passwd' }, ['url']],
    ['a url with a password', { ...WORKER, url: 'http://user:hunter2@127.0.0.1' }, ['url']],
    ['the metadata service', { ...WORKER, url: 'http://169.254.169.254/latest' }, ['url']],
    ['a public address', { ...WORKER, url: 'http://8.8.8.8' }, ['url']],
    ['metadata that is a list', { ...WORKER, metadata: [] }, ['metadata']],
    ['a status of its own choosing', { ...WORKER, status: 'healthy' }, ['status']],
  ])('%s', async (_name, body, fields) => {
    const control = await openControl();
    expect(await control.call('POST', '/workers', body)).toEqual(refusal(400, 'VALIDATION_FAILED', fields));
    expect((await control.call('GET', '/workers')).body.count).toBe(0);
  });

  test.each<[string, unknown, readonly string[]]>([
    ['no status', {}, ['status']],
    ['an unknown status', { status: 'well' }, ['status']],
    ['metrics that are a number', { status: 'healthy', metrics: 5 }, ['metrics']],
    [
      'metrics that cannot be',
      { status: 'healthy', metrics: { jobs_processed: -1, last_job_at: 'yesterday', cpu: 1 } },
      ['metrics.jobs_processed', 'metrics.last_job_at', 'metrics.cpu'],
    ],
  ])('a status update with %s', async (_name, body, fields) => {
    const control = await openControl();
    await control.call('POST', '/workers', WORKER);
    expect(await control.call('PUT', '/workers/w1/status', body)).toEqual(
      refusal(400, 'VALIDATION_FAILED', fields),
    );
  });
});

test.each<[string, readonly string[]]>([
  ['/deployments?status=open', ['status']],
  ['/deployments?status=active&status=failed', ['status']],
  ['/deployments?queue_name=a%20b&tenant_id=', ['queue_name', 'tenant_id']],
  ['/deployments?queue=a', ['queue']],
  ['/workers?lane=beta', ['lane']],
  ['/workers?status=well&version=', ['status', 'version']],
  ['/workers?queue=a%20b', ['queue']],
])('a list cannot be filtered by %s', async (path, fields) => {
  const control = await openControl();
  expect(await control.call('GET', path)).toEqual(refusal(400, 'VALIDATION_FAILED', fields));
});
