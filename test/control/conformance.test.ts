import { expect, test } from 'vitest';
import { BASE_PATH } from '../../control/app.ts';
import { createConformance, type Conformance } from './conformance.ts';
import { created, openControl, type Answer, type Json } from './harness.ts';

/**
 * The check that every answer of the control plane's tests goes through, held against answers that are not as the
 * description says: it would be worth nothing if it let them pass.
 */

async function rig(): Promise<{ conformance: Conformance; answer: Answer; path: string }> {
  const control = await openControl();
  const { body: document } = await control.fetch('/openapi.json');
  const path = `/deployments/${await created(control)}`;
  const answer = await control.call('GET', path);
  return { conformance: createConformance(document), answer, path: `${BASE_PATH}${path}` };
}

const without = (headers: Headers, name: string): Headers => {
  const copy = new Headers(headers);
  copy.delete(name);
  return copy;
};

test('an answer as described passes', async () => {
  const { conformance, answer, path } = await rig();
  expect(() => conformance.check('GET', path, answer)).not.toThrow();
});

test.each<[string, (answer: Answer) => Partial<Answer>, RegExp]>([
  ['has a status that is not described', () => ({ status: 418 }), /418 is not described/],
  ['lacks a field', ({ body }) => ({ body: { ...body, id: undefined } }), /required property 'id'/],
  ['has a field that nobody knows', ({ body }) => ({ body: { ...body, x: 1 } }), /unevaluated properties/],
  [
    'has one deep inside',
    ({ body }) => ({ body: { ...body, config: { ...body.config, x: 1 } } }),
    /config must NOT have unevaluated properties/,
  ],
  [
    'has a field of another type',
    ({ body }) => ({ body: { ...body, status: 'odd' } }),
    /status must be equal/,
  ],
  ['lacks a header', ({ headers }) => ({ headers: without(headers, 'etag') }), /ETag is missing/],
  [
    'has a code that is not described there',
    () => ({ status: 404, body: { error: '', code: 'WORKER_NOT_FOUND', details: {} } }),
    /WORKER_NOT_FOUND is not described/,
  ],
])('an answer that %s does not', async (_name, change, message) => {
  const { conformance, answer, path } = await rig();
  const changed: Answer = { ...answer, ...change(answer) };
  expect(() => conformance.check('GET', path, changed)).toThrow(message);
});

test('a refusal where nothing is described must have the documented body', async () => {
  const { conformance, answer } = await rig();
  const refusal = (body: Json): Answer => ({ ...answer, status: 404, body });
  const good = { error: 'There is nothing', code: 'NOT_FOUND', details: {} };
  expect(() => conformance.check('GET', '/nothing', refusal(good))).not.toThrow();
  expect(() => conformance.check('GET', '/nothing', refusal('Not Found'))).toThrow(/must be object/);
});
