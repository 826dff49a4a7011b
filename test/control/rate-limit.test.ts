import { describe, expect, test } from 'vitest';
import { BASE_PATH } from '../../control/app.ts';
import { networkOf } from '../../src/runtime/addresses/canonical-address.ts';
import type { ControlDeps } from '../../control/deps.ts';
import { LanewiseError } from '../../src/core/errors.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import { MINIMAL, openControl, SECRETS, type Answer, type Control } from './harness.ts';
import { refusal } from './refusal.ts';

/** No token comes back while a test runs. */
const THREE: ControlDeps['rateLimit'] = { perMinute: 1, burst: 3 };

function limitsOf({ headers }: Answer) {
  return ['limit', 'remaining', 'reset'].map((name) => headers.get(`x-ratelimit-${name}`));
}

/** A call from an address, as the socket tells it. */
async function callFrom(control: Control, address: string, secret?: string): Promise<Answer> {
  const headers = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
  const env = { incoming: { socket: { remoteAddress: address } } };
  const answer = await control.app.request(`${BASE_PATH}/config/profiles`, { headers }, env);
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

describe('the rate limit', () => {
  test('is told in every answer, also where something is wrong', async () => {
    const control = await openControl({ rateLimit: { perMinute: 1, burst: 20 } });
    const answers = [
      await control.call('GET', '/deployments'),
      await control.call('POST', '/deployments', MINIMAL),
      await control.call('POST', '/deployments', '{broken'),
      await control.call('GET', '/deployments/nonsense'),
      await control.call('PATCH', '/deployments'),
      await control.call('GET', '/nothing'),
      await control.call('DELETE', '/workers/nobody'),
    ];
    expect(answers.map((a) => a.status)).toEqual([200, 201, 400, 404, 405, 404, 404]);
    const now = Date.now() / 1000;
    for (const [i, answer] of answers.entries()) {
      const [limit, remaining, reset] = limitsOf(answer);
      expect([limit, remaining]).toEqual(['1', String(19 - i)]);
      // Each token taken is a minute more until the bucket is full again.
      expect(Number(reset)).toBeGreaterThanOrEqual(Math.floor(now + 60 * i));
      expect(Number(reset)).toBeLessThanOrEqual(Math.ceil(now + 60 * (i + 1)) + 1);
    }
  });

  test('refuses what is too much, says when to come back, and lets others go on', async () => {
    const control = await openControl({ rateLimit: THREE });
    for (let i = 0; i < 3; i++) expect((await control.call('GET', '/workers')).status).toBe(200);
    const answer = await control.call('POST', '/deployments', MINIMAL);
    expect(answer).toEqual(refusal(429, 'RATE_LIMITED', ['rate_limit']));
    expect(limitsOf(answer).slice(0, 2)).toEqual(['1', '0']);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(55);
    expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect((await control.store.listDeployments()).length).toBe(0);
    expect((await control.call('GET', '/workers', undefined, 'viewer')).status).toBe(200);
  });

  test('counts a token on all instances together, and by either header', async () => {
    const first = await openControl({ rateLimit: THREE });
    const second = await openControl({ rateLimit: THREE, store: first.store });
    await first.call('GET', '/workers');
    await second.call('GET', '/workers');
    const byKey = await second.fetch(`${BASE_PATH}/workers`, { headers: { 'x-api-key': SECRETS.operator } });
    expect(limitsOf(byKey)[1]).toBe('0');
    expect((await first.call('GET', '/workers')).status).toBe(429);
  });

  test('is off at a rate of 0, and outside of the base path', async () => {
    const control = await openControl({ rateLimit: { perMinute: 0, burst: 1 } });
    for (let i = 0; i < 5; i++) {
      const answer = await control.call('GET', '/workers');
      expect([answer.status, ...limitsOf(answer)]).toEqual([200, null, null, null]);
    }
    const limited = await openControl({ rateLimit: THREE });
    for (let i = 0; i < 5; i++) expect((await limited.fetch('/healthz')).status).toBe(200);
  });

  test.each([
    ['rejects', async () => Promise.reject(new LanewiseError('STORE_UNAVAILABLE', 'gone'))],
    ['hangs', () => new Promise<never>(() => {})],
  ])('limits nobody while the store %s', async (_name, takeToken) => {
    const { store } = await openControl();
    const away: Store = { ...store, takeToken };
    const control = await openControl({ rateLimit: THREE, store: away });
    for (let i = 0; i < 5; i++) {
      const answer = await control.call('GET', '/config/profiles');
      expect([answer.status, ...limitsOf(answer)]).toEqual([200, null, null, null]);
    }
  });
});

describe('those without a known token', () => {
  test('share the bucket of their address', async () => {
    const control = await openControl({ rateLimit: THREE });
    for (let i = 0; i < 3; i++) {
      const answer = await callFrom(control, '203.0.113.7', i === 0 ? undefined : `guess-${i}`);
      expect([answer.status, answer.body.code]).toEqual([401, 'UNAUTHORIZED']);
      expect(limitsOf(answer)[1]).toBe(String(2 - i));
    }
    expect(await callFrom(control, '203.0.113.7')).toEqual(refusal(429, 'RATE_LIMITED', ['rate_limit']));
    expect((await callFrom(control, '203.0.113.8')).status).toBe(401);
  });

  test('take nothing from a token that is guessed at', async () => {
    const control = await openControl({ rateLimit: { perMinute: 3, burst: 3 } });
    expect(limitsOf(await callFrom(control, '203.0.113.7', SECRETS.operator))[1]).toBe('2');
    for (let i = 0; i < 5; i++) await callFrom(control, '203.0.113.8', `${SECRETS.operator}${i}`);
    expect((await callFrom(control, '203.0.113.8', `${SECRETS.operator}5`)).status).toBe(429);
    const after = await callFrom(control, '203.0.113.7', SECRETS.operator);
    expect([after.status, limitsOf(after)[1]]).toEqual([200, '1']);
  });

  test('are not told whether a guess was right, once they have made too many', async () => {
    const control = await openControl({ rateLimit: THREE });
    for (let i = 0; i < 4; i++) await callFrom(control, '203.0.113.7', `guess-${i}`);
    expect((await callFrom(control, '203.0.113.7', SECRETS.admin)).status).toBe(429);
    expect((await callFrom(control, '203.0.113.8', SECRETS.admin)).status).toBe(200);
  });

  test('do not keep out who was there before them', async () => {
    const control = await openControl({ rateLimit: THREE });
    expect((await callFrom(control, '127.0.0.1', SECRETS.operator)).status).toBe(200);
    for (let i = 0; i < 9; i++) await callFrom(control, '127.0.0.1', `guess-${i}`);
    expect((await callFrom(control, '127.0.0.1', 'guess')).status).toBe(429);
    expect((await callFrom(control, '127.0.0.1', SECRETS.operator)).status).toBe(200);
  });
});

test.each([
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['::1', '0:0:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::5:6', '2001:db8:0:0::/64'],
  ['2001:DB8:0:0:1::', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['unknown', 'unknown'],
])('%s belongs to %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
