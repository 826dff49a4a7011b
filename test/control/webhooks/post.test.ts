import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { URL_ALLOW_DEFAULT } from '../../../config/schema.ts';
import { createAddressAllow, type ResolveHost } from '../../../src/runtime/addresses/address-allow.ts';
import { createPoster, type Poster } from '../../../control/webhooks/post.ts';
import type { DeploymentEvent } from '../../../src/core/deployment.ts';
import { freePort } from '../../helpers/ports.ts';
import { startReceiver, webhookTo } from './receiver.ts';

const NOW = Date.parse('2025-09-14T12:45:00.700Z');

const EVENT: DeploymentEvent = {
  id: 'event_1',
  deploymentId: 'canary_1',
  type: 'deployment_promoted',
  message: 'Deployment promoted to 100%',
  timestamp: NOW,
  actor: 'ops',
};

const nowhere: ResolveHost = (host) => Promise.reject(new Error(`ENOTFOUND ${host}`));

function poster(resolve: ResolveHost = nowhere, timeoutMs = 60_000): Poster {
  const made = createPoster({
    allow: createAddressAllow({ allow: URL_ALLOW_DEFAULT, variable: 'ALLOW', subject: 'webhook' }),
    resolve,
    clock: { now: () => NOW, monotonic: () => 0 },
    version: '1.2.3',
    timeoutMs,
  });
  onTestFinished(() => made.close());
  return made;
}

const going = new AbortController().signal;

function post(url: string, resolve?: ResolveHost) {
  return poster(resolve).post(webhookTo(url), EVENT, going);
}

describe('a delivery', () => {
  test('is a signed POST of the event to the URL as it stands', async () => {
    const receiver = await startReceiver();
    expect(await post(`${receiver.url}/hooks/a?team=b%20c`)).toEqual({ kind: 'delivered' });
    const { method, path, headers, body } = receiver.received[0]!;
    expect({ method, path }).toEqual({ method: 'POST', path: '/hooks/a?team=b%20c' });
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'lanewise/1.2.3',
      'content-length': String(Buffer.byteLength(body)),
      'webhook-id': 'event_1',
      'webhook-timestamp': String(Math.floor(NOW / 1000)),
      'webhook-signature': expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/) as string,
    });
    expect(JSON.parse(body)).toMatchObject({ id: 'event_1', kind: 'promoted' });
  });

  test.each([200, 201, 202, 204, 299])('is over with %i', async (status) => {
    const receiver = await startReceiver((response) => response.writeHead(status).end());
    expect(await post(receiver.url)).toEqual({ kind: 'delivered' });
  });

  test.each([400, 404, 429, 500, 503])('has failed with %i', async (status) => {
    const receiver = await startReceiver((response) => response.writeHead(status).end('why'));
    expect(await post(receiver.url)).toEqual({ kind: 'failed', reason: `answered ${status}` });
  });

  test('has failed with a redirect, which is not followed', async () => {
    const elsewhere = await startReceiver();
    const receiver = await startReceiver((response) =>
      response.writeHead(307, { location: elsewhere.url }).end(),
    );
    expect(await post(receiver.url)).toEqual({
      kind: 'failed',
      reason: 'answered 307; redirects are not followed',
    });
    expect(elsewhere.connections).toBe(0);
  });

  test('has failed with a Retry-After, which is heard', async () => {
    const receiver = await startReceiver((response) =>
      response.writeHead(503, { 'retry-after': '90' }).end(),
    );
    expect(await post(receiver.url)).toMatchObject({ kind: 'failed', retryAfterMs: 90_000 });
  });

  test('is not wanted any more with 410', async () => {
    const receiver = await startReceiver((response) => response.writeHead(410).end());
    expect(await post(receiver.url)).toEqual({ kind: 'gone', reason: 'answered 410' });
  });

  test('has failed when the connection breaks, or what answers is not HTTP', async () => {
    const breaking = await startReceiver((response) => response.destroy());
    expect(await post(breaking.url)).toMatchObject({ kind: 'failed' });

    const babbling = createServer((socket) => socket.on('error', () => {}).end('220 smtp ready\r\n')).listen(
      0,
      '127.0.0.1',
    );
    await once(babbling, 'listening');
    onTestFinished(() => void babbling.close());
    const { port } = babbling.address() as { port: number };
    expect(await post(`http://127.0.0.1:${port}`)).toMatchObject({ kind: 'failed' });
  });

  test('has failed when nobody listens, and says where', async () => {
    const port = await freePort();
    expect(await post(`http://127.0.0.1:${port}`)).toEqual({
      kind: 'failed',
      reason: expect.stringContaining(`127.0.0.1:${port}`) as string,
    });
  });

  test('that is not answered has failed after its time', async () => {
    const receiver = await startReceiver(() => {});
    const answer = await poster(nowhere, 50).post(webhookTo(receiver.url), EVENT, going);
    expect(answer).toEqual({ kind: 'failed', reason: 'no answer in 50 ms' });
  });

  // Its status has said it all: a receiver that never ends its body must not make it fail, nor hold it up for ever.
  test('is over with its status, whatever comes after', async () => {
    const receiver = await startReceiver((response) => {
      response.writeHead(200);
      response.write('x'.repeat(100_000));
    });
    expect(await post(receiver.url)).toEqual({ kind: 'delivered' });
  });

  test('can be broken off', async () => {
    const receiver = await startReceiver(() => {});
    const stop = new AbortController();
    const answer = poster().post(webhookTo(receiver.url), EVENT, stop.signal);
    await receiver.came(1);
    stop.abort();
    expect(await answer).toMatchObject({ kind: 'failed' });
  });

  test('goes its own way past the proxies of the environment', async () => {
    const receiver = await startReceiver();
    const proxy = await startReceiver();
    for (const name of ['HTTP_PROXY', 'http_proxy', 'NODE_USE_ENV_PROXY']) vi.stubEnv(name, proxy.url);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(await post(receiver.url)).toEqual({ kind: 'delivered' });
    expect(proxy.connections).toBe(0);
  });
});

describe('the address of a delivery', () => {
  test('is the one that was checked, and nobody is asked twice', async () => {
    const receiver = await startReceiver();
    const resolve = vi.fn<ResolveHost>(async () => ['127.0.0.1']);
    expect(await post(`http://hooks.test:${receiver.port}`, resolve)).toEqual({ kind: 'delivered' });
    expect(resolve.mock.calls).toEqual([['hooks.test']]);
    expect(receiver.received[0]!.headers.host).toBe(`hooks.test:${receiver.port}`);
  });

  // DNS rebinding: the name was harmless when the operator wrote it down, and when the delivery before was made.
  test('is checked anew for each delivery', async () => {
    const receiver = await startReceiver();
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    const made = poster(async () => answers.shift()!);
    const webhook = webhookTo(`http://hooks.test:${receiver.port}`);
    expect(await made.post(webhook, EVENT, going)).toEqual({ kind: 'delivered' });
    expect(await made.post(webhook, EVENT, going)).toEqual({
      kind: 'failed',
      reason: 'points to 169.254.169.254, which no webhook may have',
    });
    expect(receiver.connections).toBe(1);
  });

  test('is refused if any that the name has is refused', async () => {
    const receiver = await startReceiver();
    const answer = await post(`http://hooks.test:${receiver.port}`, async () => ['127.0.0.1', '8.8.8.8']);
    expect(answer).toMatchObject({ kind: 'failed', reason: expect.stringContaining('8.8.8.8') as string });
    expect(receiver.connections).toBe(0);
  });

  test.each([
    'http://8.8.8.8',
    'https://8.8.8.8',
    'http://[fe80::1]',
    'http://2852039166',
    'http://[::ffff:8.8.8.8]',
  ])('is refused where it is the URL itself: %s', async (url) => {
    expect(await post(url)).toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(/^points to /) as string,
    });
  });

  test('is tried over each that the name has', async () => {
    const receiver = await startReceiver();
    const answer = await post(`http://hooks.test:${receiver.port}`, async () => ['::1', '127.0.0.1']);
    expect(answer).toEqual({ kind: 'delivered' });
  });

  test('that the name does not have any more is a failed delivery', async () => {
    expect(await post('http://gone.test')).toEqual({ kind: 'failed', reason: 'ENOTFOUND gone.test' });
    expect(await post('http://empty.test', async () => [])).toEqual({
      kind: 'failed',
      reason: 'empty.test has no address',
    });
  });
});
