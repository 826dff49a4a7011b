import { describe, expect, test } from 'vitest';
import { BASE_PATH } from '../../control/app.ts';
import { ERROR_STATUS } from '../../src/core/errors.ts';
import { created, openControl, SECRETS, type Answer, type Control, type Json } from './harness.ts';

/**
 * Everything that is wrong, sent to everything that takes it: each endpoint of the API's own description, each field
 * of each body, each parameter. Which refusal it is, other tests say; here it must be one, in the documented form.
 */

interface Endpoint {
  readonly method: string;
  /** With ids of things that are there. */
  readonly path: string;
  readonly example: Json;
  readonly schema: Json;
  readonly query: readonly string[];
}

async function endpointsOf(control: Control): Promise<readonly Endpoint[]> {
  const { body: document } = await control.fetch('/openapi.json');
  const id = await created(control, { queue_name: 'there' });
  await control.call('POST', '/workers', { id: 'there', version: 'v1', queues: ['q'] });
  return Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]) => {
      const content = operation.requestBody?.content['application/json'];
      const reference = content?.schema.$ref?.split('/').at(-1);
      return {
        method: method.toUpperCase(),
        path: path.replace('{id}', path.includes('/workers/') ? 'there' : id),
        example: content?.example,
        schema: reference === undefined ? content?.schema : document.components.schemas[reference],
        query: (operation.parameters ?? [])
          .filter((parameter: Json) => parameter.in === 'query')
          .map((parameter: Json) => parameter.name as string),
      };
    }),
  );
}

/** Bytes and headers as they are. */
function send(
  control: Control,
  method: string,
  path: string,
  body?: NonNullable<RequestInit['body']>,
  type = 'application/json',
) {
  return control.fetch(path, {
    method,
    headers: { 'x-api-key': SECRETS.admin, ...(body !== undefined && { 'content-type': type }) },
    ...(body !== undefined && { body }),
  });
}

function expectRefusal(what: readonly unknown[], { status, body, headers }: Answer): void {
  const codes: Readonly<Record<string, number>> = ERROR_STATUS;
  expect([...what, status, codes[body.code], Object.keys(body)]).toEqual([
    ...what,
    codes[body.code],
    status,
    ['error', 'code', 'details'],
  ]);
  expect([...what, status >= 400 && status < 500]).toEqual([...what, true]);
  expect(JSON.stringify(body)).not.toMatch(/\bat .*\.[jt]s|node_modules|Zod|TypeError/);
  expect(headers.get('content-type')).toMatch(/^application\/json/);
}

const takesBody = ({ example }: Endpoint): boolean => example !== undefined;

describe('every endpoint that takes a body refuses', () => {
  test.each<[string, string | Uint8Array<ArrayBuffer>, string?]>([
    ['a body that is cut off', '{"a": '],
    ['another value after it', '{} null'],
    ['a list', '[]'],
    ['a number', '7'],
    ['null', 'null'],
    ['a key twice', '{"a": 1, "a": 2}'],
    ['__proto__', '{"__proto__": {"admin": true}}'],
    ['a deep __proto__', '{"metadata": {"a": [{"__proto__": 1}]}}'],
    ['deep nesting', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`],
    ['a deep list', '['.repeat(50_000)],
    ['invalid UTF-8', Uint8Array.of(0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d)],
    ['half a surrogate pair', Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)],
    ['UTF-16', new Uint8Array(Buffer.from('{}', 'utf16le'))],
    ['a NUL', '{"a\u0000": 1}'],
    ['more than 1 MiB', `{"a": "${'x'.repeat(1024 * 1024)}"}`],
    ['a form', 'percentage=5', 'application/x-www-form-urlencoded'],
    ['text', '{}', 'text/plain'],
    ['another charset', '{}', 'application/json; charset=utf-16'],
    ['an unknown field', '{"no_such_field": 1}'],
  ])('%s', async (name, body, type) => {
    const control = await openControl();
    const endpoints = (await endpointsOf(control)).filter(takesBody);
    expect(endpoints.length).toBeGreaterThan(7);
    for (const { method, path } of endpoints) {
      expectRefusal([method, path, name], await send(control, method, path, body, type));
    }
  });

  test.each<[string, unknown]>([
    ['null', null],
    ['a number', -1.2345],
    ['an empty text', ''],
    ['a long text', 'x'.repeat(5000)],
    ['control characters', 'a\u0000\u001b[31m'],
    ['a list', [[]]],
    ['an object', { a: { b: 1 } }],
    ['true', true],
  ])('%s in each of its fields, unless that is what the field takes', async (name, value) => {
    const control = await openControl();
    for (const { method, path, example, schema } of (await endpointsOf(control)).filter(takesBody)) {
      for (const field of Object.keys(schema.properties ?? {})) {
        if (isTaken(schema.properties[field], value)) continue;
        const body = JSON.stringify({ ...example, [field]: value });
        const answer = await send(control, method, path, body);
        expectRefusal([method, path, field, name], answer);
        const named = Object.keys(answer.body.details);
        expect([field, named.some((detail) => detail === field || detail.startsWith(`${field}[`))]).toEqual([
          field,
          true,
        ]);
      }
    }
  });
});

/** Whether a wrong value for most is a right one here. */
function isTaken(schema: Json, value: unknown): boolean {
  switch (typeof value) {
    case 'boolean':
      return schema.type === 'boolean';
    case 'string':
      // A reason may be empty or hold anything, and is only too long at some point.
      return schema.type === 'string' && schema.maxLength !== undefined && value.length <= schema.maxLength;
    case 'object':
      // Metadata is any object; the other object has fields of its own, and says so by their names.
      return value !== null && !Array.isArray(value) && schema.type === 'object';
    default:
      return false;
  }
}

test('every endpoint refuses a trailing slash, a doubled one and another case', async () => {
  const control = await openControl();
  for (const { method, path } of await endpointsOf(control)) {
    for (const wrong of [`${path}/`, path.replace('/api', '//api'), path.toUpperCase()]) {
      if (wrong === path) continue;
      const answer = await send(control, method, wrong);
      expectRefusal([method, wrong], answer);
      expect([wrong, answer.status]).toEqual([wrong, 404]);
    }
  }
});

test('every endpoint answers the methods that it has not with 405 and those that it has', async () => {
  const control = await openControl();
  const endpoints = await endpointsOf(control);
  for (const path of new Set(endpoints.map((endpoint) => endpoint.path))) {
    const has = endpoints.filter((endpoint) => endpoint.path === path).map(({ method }) => method);
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      if (has.includes(method)) continue;
      const answer = await send(control, method, path);
      expectRefusal([method, path], answer);
      expect([method, path, answer.status]).toEqual([method, path, 405]);
      const allowed = answer.headers.get('allow')!.split(', ');
      expect(allowed.filter((m) => m !== 'HEAD').toSorted()).toEqual([...has].toSorted());
    }
  }
});

test('every parameter of every query refuses what is not one', async () => {
  const control = await openControl();
  let refused = 0;
  for (const { method, path, query } of await endpointsOf(control)) {
    for (const name of query) {
      for (const value of ['', '%00', '%F0%9F%92%A9', 'a%20b', 'x'.repeat(5000), '1&'.concat(name, '=1')]) {
        expectRefusal([path, name, value], await send(control, method, `${path}?${name}=${value}`));
        refused++;
      }
    }
  }
  expect(refused).toBeGreaterThan(50);
});

const IDS = [
  '%00',
  '%zz',
  '%2e%2e',
  '..%2f..%2fetc',
  '%F0%9F%92%A9',
  '%c3%28',
  '__proto__',
  'constructor',
  'null',
  'undefined',
  '0',
  '-1',
  "' OR 1=1 --",
  'canary_',
  'canary_00000000-0000-0000-0000-000000000000',
  'x'.repeat(10_000),
];

test.each(IDS)('every endpoint with an id refuses one that nobody has: %.40j', async (id) => {
  const control = await openControl();
  const endpoints = (await endpointsOf(control)).filter(({ path }) =>
    /\/(?:deployments|workers)\//.test(path),
  );
  for (const { method, path, example } of endpoints) {
    const wrong = path.replace(/\/(deployments|workers)\/[^/]+/, (_, list) => `/${list}/${id}`);
    const body = example === undefined ? undefined : JSON.stringify(example);
    const answer = await send(control, method, wrong, body);
    expectRefusal([method, wrong.slice(0, 80)], answer);
    expect([method, wrong.slice(0, 80), answer.status]).toEqual([method, wrong.slice(0, 80), 404]);
  }
});

test('a worker may have an id that has to be percent-encoded', async () => {
  const control = await openControl();
  const id = 'rack/7:worker?#%1';
  const worker = { id, version: 'v1', queues: ['q'] };
  expect((await control.call('POST', '/workers', worker)).body.id).toBe(id);
  const path = `/workers/${encodeURIComponent(id)}`;
  const update = await control.call('PUT', `${path}/status`, { status: 'degraded' });
  expect(update.body.status).toBe('degraded');
  expect((await control.call('DELETE', path)).status).toBe(204);
});

test.each(['X-API-Key', 'Authorization', 'If-Match', 'Idempotency-Key', 'X-Request-Id', 'X-Tenant-Id'])(
  'a header of odd bytes or of many is no error of ours: %s',
  async (header) => {
    const control = await openControl();
    for (const value of ['\u00ff\u00fe', '\t', ',,,', 'a, b', '"', 'x'.repeat(100_000)]) {
      for (const [method, path] of [
        ['GET', '/deployments'],
        ['POST', '/deployments/x/promote'],
        ['PUT', '/deployments/x/percentage'],
      ] as const) {
        const answer = await control.fetch(`${BASE_PATH}${path}`, {
          method,
          headers: { 'x-api-key': SECRETS.operator, [header]: value },
        });
        expect([path, value.slice(0, 9), answer.status < 500]).toEqual([path, value.slice(0, 9), true]);
      }
    }
  },
);
