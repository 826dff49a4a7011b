import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { parseJson } from '../../control/http/json.ts';
import { parseTokens } from '../../control/tokens.ts';
import { parseDuration } from '../../src/core/duration.ts';
import { IDENTIFIER, isNamed, QUEUE_NAME } from '../../src/core/names.ts';
import { canonicalAddress } from '../../src/runtime/addresses/canonical-address.ts';
import { created, openControl, SECRETS } from '../control/harness.ts';
import { Rig } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';

/**
 * Input that is meant to hurt: long enough that whatever needs more time than in proportion to it would not be done before
 * the time limit of a test, and names that every object of JavaScript has.
 */

const N = 1_000_000;
const LONG: readonly (readonly [string, string])[] = [
  ['letters', 'a'.repeat(N)],
  ['digits', '1'.repeat(N)],
  ['digits and units', '1h'.repeat(N / 2)],
  ['dots', '.'.repeat(N)],
  ['spaces', ' '.repeat(N)],
  ['spaces and an end', `a${' '.repeat(N)}a`],
  ['slashes', '/'.repeat(N)],
  ['commas', ','.repeat(N)],
  ['colons', ':'.repeat(N)],
  ['line breaks', '\n'.repeat(N)],
  ['percent signs', '%'.repeat(N)],
  ['quotes', '"'.repeat(N)],
  ['escapes', `"${'\\n'.repeat(N / 2)}`],
  ['backslashes', `"${'\\'.repeat(N)}`],
  ['brackets', '['.repeat(N)],
  ['minus signs', '-'.repeat(N)],
  ['exponents', `1${'e1'.repeat(N / 2)}`],
];

function outcomeOf(parse: (text: string) => unknown, text: string): string {
  try {
    return typeof parse(text);
  } catch {
    return 'refused';
  }
}

describe.each<[string, (text: string) => unknown]>([
  ['a name of a queue', (text) => isNamed(QUEUE_NAME, text)],
  ['an identifier', (text) => isNamed(IDENTIFIER, text)],
  ['a duration', parseDuration],
  ['JSON', parseJson],
  ['an address', canonicalAddress],
])('%s is read in time, and refused, where it is a million', (_what, parse) => {
  test.each(LONG)('%s', (_name, text) => {
    expect(['refused', 'undefined', 'boolean', 'string', 'number']).toContain(outcomeOf(parse, text));
  });
});

test.each(LONG)('so are tokens: %s', (_name, text) => {
  expect(() => parseTokens(text.slice(0, 100_000))).toThrow('is not name:role:secret');
});

test('headers of a call, as long as the server takes them', async () => {
  const control = await openControl();
  for (const [, text] of LONG) {
    const value = text.replaceAll(/[^\x20-\x7e]/g, ' ').slice(0, 16_000);
    for (const name of ['authorization', 'x-api-key', 'if-match', 'idempotency-key', 'x-request-id'])
      for (const prefix of ['', 'Bearer ', '"']) {
        const headers = { authorization: `Bearer ${SECRETS.viewer}`, [name]: prefix + value };
        const { status } = await control.fetch('/api/v1/canary/workers', { headers });
        expect([200, 400, 401]).toContain(status);
      }
  }
});

/** Names of what every object has, which an object that is used as a map would find. */
const INHERITED = ['constructor', 'toString', 'valueOf', 'hasOwnProperty', 'isPrototypeOf'] as const;

describe.each(INHERITED)('a queue that is called %s', (queue) => {
  test('is like any other to the control plane', async () => {
    const control = await openControl();
    const id = await created(control, { queue_name: queue, tenant_id: queue });
    expect((await control.call('GET', `/deployments/${id}`)).body).toMatchObject({ queue_name: queue });
    expect((await control.call('GET', `/deployments/${queue}`)).status).toBe(404);
    const unknown = { queue_name: 'other', stable_version: 'v1', canary_version: 'v2', profile: queue };
    expect((await control.call('POST', '/deployments', unknown)).status).toBe(400);
  });

  test('is like any other to the proxy', async () => {
    await using rig = await Rig.start();
    await using worker = await TestWorker.start('v1');
    expect((await rig.send(queue)).headers['x-canary-error']).toBe('NO_WORKER_AVAILABLE');
    await rig.register({ url: worker.url, queues: [queue] });
    expect((await rig.send(queue, { headers: { 'X-Tenant-Id': queue } })).status).toBe(200);
  });
});

describe('a __proto__ in', () => {
  const HOSTILE = '{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}';
  const isClean = (): boolean => !('polluted' in {}) && !('polluted' in Object.prototype);

  test('a call is refused', async () => {
    const control = await openControl();
    for (const body of [HOSTILE, `{"queue_name": "a", "metadata": ${HOSTILE}}`])
      expect((await control.call('POST', '/deployments', body)).status).toBe(400);
    expect(isClean()).toBe(true);
  });

  test('the configuration is refused', () => {
    const load = (text: string) => () =>
      loadConfig({ file: { path: 'a.yaml', text }, environment: {}, readFile: () => '' });
    for (const text of [HOSTILE, `queues: ${HOSTILE}`, `webhooks: ${HOSTILE}`, `profiles: ${HOSTILE}`])
      expect(load(text)).toThrow('The configuration has');
    expect(isClean()).toBe(true);
  });

  test('the body of a job is a job', async () => {
    await using rig = await Rig.start();
    await using worker = await TestWorker.start('v1');
    await rig.register({ url: worker.url });
    expect((await rig.send('jobs', { body: HOSTILE })).status).toBe(200);
    expect(worker.jobs[0]!.body).toBe(HOSTILE);
    expect(isClean()).toBe(true);
  });
});
