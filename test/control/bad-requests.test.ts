import { describe, expect, test } from 'vitest';
import { BASE_PATH } from '../../control/app.ts';
import { created, MINIMAL, openControl, SECRETS, type Answer } from './harness.ts';
import { refusal } from './refusal.ts';

describe('a body is refused when', () => {
  const send = async (
    body: NonNullable<RequestInit['body']>,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const control = await openControl();
    return control.fetch(`${BASE_PATH}/deployments`, {
      method: 'POST',
      headers: { 'x-api-key': SECRETS.operator, 'content-type': 'application/json', ...headers },
      body,
    });
  };

  test.each<[string, string, string]>([
    ['it is cut off', '{"queue_name": "a"', 'body'],
    ['a comma is too many', '{"queue_name": "a",}', 'body'],
    ['its keys are bare', '{queue_name: "a"}', 'body'],
    ['it is two', '{} {}', 'body'],
    ['a value is missing', '{"queue_name": }', 'body'],
    ['a string has a raw line break', '{"queue_name": "a\nb"}', 'body'],
    ['a key is given twice', '{"queue_name": "a", "queue_name": "b"}', 'queue_name'],
    ['a key is __proto__', '{"metadata": {"__proto__": {"admin": true}}}', 'metadata.__proto__'],
    ['it is nested too deep', '['.repeat(100_000), 'body'],
  ])('%s', async (_name, body, field) => {
    expect(await send(body)).toEqual(refusal(400, 'VALIDATION_FAILED', [field]));
  });

  test('the message says where it is broken', async () => {
    const answer = await send('{\n  "queue_name": oops\n}');
    expect(answer.body.details.body).toContain('line 2, column 17');
  });

  test('it is not UTF-8', async () => {
    const body = Buffer.concat([
      Buffer.from('{"queue_name": "'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}'),
    ]);
    expect(await send(body)).toEqual(refusal(400, 'VALIDATION_FAILED', ['body']));
  });

  test.each([
    'application/x-www-form-urlencoded',
    'text/plain',
    'application/json; charset=latin1',
    'multipart/form-data',
  ])('it is %s', async (type) => {
    const answer = await send(JSON.stringify(MINIMAL), { 'content-type': type });
    expect(answer).toEqual(refusal(400, 'VALIDATION_FAILED', ['content-type']));
    expect(answer.body.details['content-type']).toContain(type);
  });

  test('it has no type', async () => {
    const control = await openControl();
    const answer = await control.fetch(`${BASE_PATH}/deployments`, {
      method: 'POST',
      headers: { 'x-api-key': SECRETS.operator },
      body: new Blob([JSON.stringify(MINIMAL)]),
    });
    expect(answer).toEqual(refusal(400, 'VALIDATION_FAILED', ['content-type']));
  });

  test.each(['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"'])(
    'but not when it is %s',
    async (type) => {
      expect((await send(JSON.stringify(MINIMAL), { 'content-type': type })).status).toBe(201);
    },
  );

  test.each<[string, Record<string, string>]>([
    ['it is larger than 1 MiB', {}],
    ['it says that it is larger than 1 MiB', { 'content-length': '1048577' }],
  ])('%s', async (_name, headers) => {
    const size = 'content-length' in headers ? 10 : 1024 * 1024 + 1;
    const answer = await send(`"${'x'.repeat(size)}"`, headers);
    expect(answer).toEqual(refusal(413, 'PAYLOAD_TOO_LARGE', ['body']));
  });

  test.each(['promote', 'pause', 'resume', 'rollback'])(
    '%s is sent a field that it does not know',
    async (action) => {
      const control = await openControl();
      const id = await created(control);
      if (action === 'resume') await control.call('POST', `/deployments/${id}/pause`);
      const answer = await control.call('POST', `/deployments/${id}/${action}`, { force: true });
      expect(answer).toEqual(refusal(400, 'VALIDATION_FAILED', ['force']));
      expect((await control.call('POST', `/deployments/${id}/${action}`, {})).status).toBe(200);
    },
  );

  test('the reason of a rollback is not a text, or too long', async () => {
    const control = await openControl();
    const id = await created(control);
    for (const reason of [5, null, 'x'.repeat(1001)]) {
      const answer = await control.call('POST', `/deployments/${id}/rollback`, { reason });
      expect(answer).toEqual(refusal(400, 'VALIDATION_FAILED', ['reason']));
    }
  });
});

test.each([
  ['POST', '/deployments/x/promote', 'text/plain'],
  ['POST', '/deployments/x/rollback', 'application/x-www-form-urlencoded'],
])('no body is no body, whatever type it claims: %s %s', async (method, path, type) => {
  const control = await openControl();
  const id = await created(control);
  const answer = await control.fetch(`${BASE_PATH}${path.replace('/x/', `/${id}/`)}`, {
    method,
    headers: { 'x-api-key': SECRETS.operator, 'content-type': type },
    body: '',
  });
  expect(answer.status).toBe(200);
});

describe('where nothing is', () => {
  test.each([
    ['GET', '/nothing'],
    ['GET', '/deployments/'],
    ['GET', '/deployments//events'],
    ['POST', '/config/profiles/x'],
  ])('%s %s is not found', async (method, path) => {
    const control = await openControl();
    expect(await control.call(method, path)).toEqual(refusal(404, 'NOT_FOUND', ['path']));
  });

  test.each([
    ['PATCH', '/deployments', 'GET, HEAD, POST'],
    ['PUT', '/deployments/x', 'GET, HEAD, DELETE'],
    ['GET', '/deployments/x/percentage', 'PUT'],
    ['POST', '/deployments/x/percentage', 'PUT'],
    ['GET', '/deployments/x/promote', 'POST'],
    ['DELETE', '/workers', 'GET, HEAD, POST'],
    ['GET', '/workers/x', 'DELETE'],
    ['POST', '/config/profiles', 'GET, HEAD'],
  ])('%s %s is not possible, and Allow says what is', async (method, path, allow) => {
    const control = await openControl();
    const answer = await control.call(method, path);
    expect(answer).toEqual(refusal(405, 'METHOD_NOT_ALLOWED', ['method']));
    expect(answer.headers.get('allow')).toBe(allow);
  });

  test('outside of the base path it is the same', async () => {
    const control = await openControl();
    expect(await control.fetch('/nothing')).toEqual(refusal(404, 'NOT_FOUND', ['path']));
    expect(await control.fetch('/healthz', { method: 'POST' })).toEqual(
      refusal(405, 'METHOD_NOT_ALLOWED', ['method']),
    );
  });
});
