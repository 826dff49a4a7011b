import { describe, expect, test } from 'vitest';
import { BASE_PATH } from '../../control/app.ts';
import { LanewiseError } from '../../src/core/errors.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import { created, MINIMAL, openControl, SECRETS, type Answer, type Control } from './harness.ts';
import { refusal } from './refusal.ts';

interface Sending {
  readonly key?: string;
  readonly who?: keyof typeof SECRETS;
  readonly headers?: Record<string, string>;
}

function post(
  control: Control,
  path: string,
  body?: object | string,
  sending: Sending = {},
): Promise<Answer> {
  const { key = 'retry-1', who = 'operator', headers } = sending;
  return control.fetch(`${BASE_PATH}${path}`, {
    method: 'POST',
    headers: {
      'x-api-key': SECRETS[who],
      'idempotency-key': key,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}

const isReplayed = ({ headers }: Answer): boolean => headers.get('idempotency-replayed') === 'true';

/** What must be the same the second time. */
function essence({ status, body, headers }: Answer) {
  return { status, body: body as unknown, type: headers.get('content-type'), etag: headers.get('etag') };
}

async function expectReplay(control: Control, path: string, body?: object): Promise<Answer> {
  const first = await post(control, path, body);
  const again = await post(control, path, body);
  expect(isReplayed(first)).toBe(false);
  expect(isReplayed(again)).toBe(true);
  expect(essence(again)).toEqual(essence(first));
  return first;
}

describe('a POST with an Idempotency-Key that was sent before', () => {
  test('creates no second deployment and gets the first answer', async () => {
    const control = await openControl();
    const { status, body } = await expectReplay(control, '/deployments', MINIMAL);
    expect(status).toBe(201);
    expect((await control.call('GET', '/deployments')).body.count).toBe(1);
    const another = await post(control, '/deployments', { ...MINIMAL, queue_name: 'b' }, { key: 'retry-2' });
    expect(another.body.id).not.toBe(body.id);
  });

  test.each([
    // With the end of it, since nothing has to be drained.
    { action: 'promote', steps: 2 },
    { action: 'rollback', steps: 2 },
    { action: 'pause', steps: 1 },
  ])('does not $action again', async ({ action, steps }) => {
    const control = await openControl();
    const id = await created(control);
    expect((await expectReplay(control, `/deployments/${id}/${action}`)).status).toBe(200);
    expect((await control.store.getDeployment(id))?.version).toBe(1 + steps);
    expect((await control.call('GET', `/deployments/${id}/events`)).body.count).toBe(1 + steps);
  });

  test('does not resume again', async () => {
    const control = await openControl();
    const id = await created(control);
    await control.call('POST', `/deployments/${id}/pause`);
    await expectReplay(control, `/deployments/${id}/resume`);
    expect((await control.store.getDeployment(id))?.version).toBe(3);
  });

  test('registers a worker once: 201 stays 201', async () => {
    const control = await openControl();
    const first = await expectReplay(control, '/workers', { id: 'w', version: 'v1', queues: ['q'] });
    expect(first.status).toBe(201);
    expect((await control.store.getWorker('w'))?.recordVersion).toBe(1);
  });

  test('gets a refusal again, too', async () => {
    const control = await openControl();
    expect((await expectReplay(control, '/deployments', {})).status).toBe(400);
    expect((await expectReplay(control, '/deployments/nonsense/promote')).status).toBe(404);
    expect((await expectReplay(control, '/nothing')).status).toBe(404);
    const unallowed = await expectReplay(control, '/config/profiles');
    expect([unallowed.status, unallowed.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test('gets its answer on every instance', async () => {
    const first = await openControl();
    const second = await openControl({ store: first.store });
    const answer = await post(first, '/deployments', MINIMAL);
    const again = await post(second, '/deployments', MINIMAL);
    expect(isReplayed(again)).toBe(true);
    expect(essence(again)).toEqual(essence(answer));
  });

  test('has a request id and a budget of its own', async () => {
    const control = await openControl({ rateLimit: { perMinute: 1, burst: 9 } });
    const first = await post(control, '/deployments', MINIMAL, { headers: { 'x-request-id': 'one' } });
    const again = await post(control, '/deployments', MINIMAL, { headers: { 'x-request-id': 'two' } });
    expect([first.headers.get('x-request-id'), again.headers.get('x-request-id')]).toEqual(['one', 'two']);
    expect([first, again].map((a) => a.headers.get('x-ratelimit-remaining'))).toEqual(['8', '7']);
  });
});

describe('an Idempotency-Key', () => {
  test.each<[string, Sending, object]>([
    ['another body', {}, { ...MINIMAL, queue_name: 'other' }],
    ['another If-Match', { headers: { 'if-match': '"1"' } }, MINIMAL],
  ])('is refused with %s', async (_name, sending, body) => {
    const control = await openControl();
    await post(control, '/deployments', MINIMAL);
    const answer = await post(control, '/deployments', body, sending);
    expect(answer).toEqual(refusal(400, 'VALIDATION_FAILED', ['Idempotency-Key']));
    expect((await control.call('GET', '/deployments')).body.count).toBe(1);
  });

  test('belongs to one caller, and to one path', async () => {
    const control = await openControl();
    const one = await created(control, { queue_name: 'a' });
    const two = await created(control, { queue_name: 'b' });
    expect((await post(control, `/deployments/${one}/pause`)).body.id).toBe(one);
    expect((await post(control, `/deployments/${two}/pause`)).body.id).toBe(two);
    const another = await post(control, `/deployments/${one}/pause`, undefined, { who: 'admin' });
    expect(another.body.code).toBe('DEPLOYMENT_NOT_ACTIVE');
  });

  test.each(['', 'x'.repeat(256), 'two words', 'ünï'])('is refused where it is %.20j', async (key) => {
    const control = await openControl();
    const answer = await post(control, '/deployments', MINIMAL, { key });
    expect(answer).toEqual(refusal(400, 'VALIDATION_FAILED', ['Idempotency-Key']));
  });

  test('means nothing for methods that can be repeated anyway', async () => {
    const control = await openControl();
    const id = await created(control);
    const put = (percentage: number) =>
      control.fetch(`${BASE_PATH}/deployments/${id}/percentage`, {
        method: 'PUT',
        headers: {
          'x-api-key': SECRETS.operator,
          'idempotency-key': 'k',
          'content-type': 'application/json',
        },
        body: JSON.stringify({ percentage }),
      });
    expect((await put(5)).body.percentage).toBe(5);
    expect((await put(6)).body.percentage).toBe(6);
  });

  test('of a body over the limit is refused like the body', async () => {
    const control = await openControl();
    const answer = await post(control, '/deployments', `"${'x'.repeat(1024 * 1024)}"`);
    expect(answer).toEqual(refusal(413, 'PAYLOAD_TOO_LARGE', ['body']));
  });
});

test('of many who send the same key at once, one is executed and nobody is told something else', async () => {
  const first = await openControl();
  const second = await openControl({ store: first.store });
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, i) => post([first, second][i % 2]!, '/deployments', MINIMAL)),
  );
  const [done, ...others] = answers.toSorted((a, b) => a.status - b.status);
  expect(done!.status).toBe(201);
  for (const answer of others) {
    if (answer.status === 201) {
      expect([isReplayed(answer) || answer === done, answer.body]).toEqual([true, done!.body]);
    } else {
      expect(answer).toEqual(refusal(409, 'REQUEST_IN_PROGRESS', ['Idempotency-Key']));
      expect(answer.headers.get('retry-after')).toBe('1');
    }
  }
  expect(answers.filter((a) => a.status === 201 && !isReplayed(a))).toHaveLength(1);
  expect((await first.call('GET', '/deployments')).body.count).toBe(1);
  expect(essence(await post(second, '/deployments', MINIMAL))).toEqual(essence(done!));
});

test('an answer that says "not now" is not kept', async () => {
  const { store } = await openControl();
  let isAway = true;
  const flaky: Store = {
    ...store,
    createDeployment: async (creation) => {
      if (isAway) throw new LanewiseError('STORE_UNAVAILABLE', 'The store cannot be reached');
      return store.createDeployment(creation);
    },
  };
  const control = await openControl({ store: flaky, maxActiveDeployments: 1 });
  expect((await post(control, '/deployments', MINIMAL)).status).toBe(503);
  isAway = false;
  const blocker = await created(control, { queue_name: 'blocker' });
  expect((await post(control, '/deployments', MINIMAL)).body.code).toBe('CONCURRENCY_LIMIT');
  await control.call('POST', `/deployments/${blocker}/rollback`);
  expect((await post(control, '/deployments', MINIMAL)).status).toBe(201);
});

test('an answer that can not be kept is given all the same', async () => {
  const { store } = await openControl();
  const forgetful: Store = {
    ...store,
    keepAnswer: async () => {
      throw new LanewiseError('STORE_UNAVAILABLE', 'The store cannot be reached');
    },
  };
  const control = await openControl({ store: forgetful });
  expect((await post(control, '/deployments', MINIMAL)).status).toBe(201);
  expect((await post(control, '/deployments', MINIMAL)).body.code).toBe('REQUEST_IN_PROGRESS');
});
