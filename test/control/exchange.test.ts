import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { BASE_PATH } from '../../control/app.ts';
import { createLog } from '../../src/runtime/log.ts';
import { MINIMAL, openControl, SECRETS } from './harness.ts';
import { refusal } from './refusal.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('the id of a request', () => {
  test.each(['/healthz', '/nothing', '/openapi.json', `${BASE_PATH}/deployments`])(
    'is made where there is none: %s',
    async (path) => {
      const control = await openControl();
      const ids = [await control.fetch(path), await control.fetch(path)].map((a) =>
        a.headers.get('x-request-id'),
      );
      expect(ids).toEqual([expect.stringMatching(UUID), expect.stringMatching(UUID)]);
      expect(ids[0]).not.toBe(ids[1]);
    },
  );

  test.each(['7', 'req_01/abc:def', 'x'.repeat(128)])(
    "is the caller's own where it is sane: %.20s",
    async (id) => {
      const control = await openControl();
      const answer = await control.fetch('/healthz', { headers: { 'x-request-id': id } });
      expect(answer.headers.get('x-request-id')).toBe(id);
    },
  );

  test.each(['', 'two words', 'x'.repeat(129), 'ü'])('is made anew where it is not: %.20j', async (id) => {
    const control = await openControl();
    const answer = await control.fetch('/healthz', { headers: { 'x-request-id': id } });
    expect(answer.headers.get('x-request-id')).toMatch(UUID);
  });

  test('is in every line of the log that the request causes', async () => {
    const lines: string[] = [];
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(chunk.toString());
        done();
      },
    });
    const control = await openControl({ log: createLog('info', stream) });
    const send = (id: string, queue: string) =>
      control.fetch(`${BASE_PATH}/deployments`, {
        method: 'POST',
        headers: { 'x-api-key': SECRETS.operator, 'content-type': 'application/json', 'x-request-id': id },
        body: JSON.stringify({ ...MINIMAL, queue_name: queue }),
      });
    await Promise.all([send('one', 'queue-one'), send('two', 'queue-two')]);
    const entries = lines.map((line) => JSON.parse(line) as { queue: string; request_id: string });
    expect(entries).toHaveLength(2);
    for (const { queue, request_id: id } of entries) expect(queue).toBe(`queue-${id}`);
  });
});

describe('a web page of another origin', () => {
  const ORIGIN = 'https://ops.example.com';
  const preflight = {
    method: 'OPTIONS',
    headers: {
      origin: ORIGIN,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'authorization, content-type, if-match',
    },
  };

  test('may not call the API, unless it is configured to', async () => {
    const control = await openControl();
    const answer = await control.fetch(`${BASE_PATH}/deployments`, {
      headers: { 'x-api-key': SECRETS.viewer, origin: ORIGIN },
    });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    expect((await control.fetch(`${BASE_PATH}/deployments`, preflight)).status).toBe(401);
  });

  test('may where its origin is allowed, and read what the answer says', async () => {
    const control = await openControl({
      corsOrigins: [ORIGIN, 'http://localhost:5173'],
      rateLimit: { perMinute: 1, burst: 1 },
    });
    for (let i = 0; i < 3; i++) {
      const allowed = await control.fetch(`${BASE_PATH}/deployments/x/percentage`, preflight);
      expect(allowed.status).toBe(204);
      expect(allowed.headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(allowed.headers.get('access-control-allow-methods')).toContain('PUT');
      expect(allowed.headers.get('access-control-allow-headers')).toMatch(/authorization.*if-match/i);
    }
    const get = () =>
      control.fetch(`${BASE_PATH}/workers`, { headers: { 'x-api-key': SECRETS.viewer, origin: ORIGIN } });
    for (const status of [200, 429]) {
      const answer = await get();
      expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([status, ORIGIN]);
      expect(answer.headers.get('access-control-expose-headers')).toContain('X-RateLimit-Remaining');
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
      expect(answer.headers.get('vary')).toContain('Origin');
    }
  });

  test.each([
    'https://evil.example.com',
    'https://ops.example.com.evil.com',
    'http://ops.example.com',
    'null',
  ])('may not where its origin is %s', async (origin) => {
    const control = await openControl({ corsOrigins: [ORIGIN] });
    const answer = await control.fetch(`${BASE_PATH}/workers`, {
      headers: { 'x-api-key': SECRETS.viewer, origin },
    });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('on a Redis Cluster a queue', () => {
  test.each(['payments', 'pay{}ments', '{}payments', 'pay{ments'])(
    'without a hash tag is refused: %s',
    async (queue) => {
      const { store } = await openControl();
      const control = await openControl({ store: { ...store, needsHashTags: true } });
      const answer = await control.call('POST', '/deployments', { ...MINIMAL, queue_name: queue });
      expect(answer).toEqual(refusal(400, 'VALIDATION_FAILED', ['queue_name']));
      expect(answer.body.details.queue_name).toContain('call it {payments},');
      expect(await store.listDeployments()).toEqual([]);
    },
  );

  test.each(['{payments}', '{shop}.payments', 'eu-{payments}'])('with one is taken: %s', async (queue) => {
    const { store } = await openControl();
    const control = await openControl({ store: { ...store, needsHashTags: true } });
    expect((await control.call('POST', '/deployments', { ...MINIMAL, queue_name: queue })).status).toBe(201);
  });
});
