import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BASE_PATH } from '../../../control/app.ts';
import { createCredentialStore } from '../../../control/credentials.ts';
import { created, SECRETS, type Json } from '../harness.ts';
import {
  eventually,
  HEADERS,
  percentages,
  refused,
  setPercentage,
  startPlane,
  streamUrl,
  subscribe,
  type Plane,
} from './clients.ts';

const UNKNOWN = 'canary_123e4567-e89b-12d3-a456-426614174000';

/** As a browser would: no headers, only subprotocols. */
async function browse(plane: Plane, id: string, protocols: string[]): Promise<WebSocket> {
  const socket = new WebSocket(streamUrl(plane, id), protocols);
  onTestFinished(() => socket.close());
  await once(socket, 'open');
  return socket;
}

/** Sends bytes as they are and reads until the other side closes. */
async function raw(plane: Plane, bytes: string): Promise<string> {
  const socket = connect(plane.server.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(bytes);
  return text(socket);
}

function handshake(plane: Plane, id: string, headers: string): string {
  return (
    `GET ${new URL(streamUrl(plane, id)).pathname} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n` +
    `Upgrade: websocket\r\nX-API-Key: ${SECRETS.viewer}\r\n${headers}\r\n`
  );
}

describe('a stream is opened', () => {
  test.each([
    ['Authorization: Bearer', { authorization: `Bearer ${SECRETS.viewer}` }],
    ['X-API-Key', { 'x-api-key': SECRETS.operator }],
  ])('by %s', async (_name, headers) => {
    const plane = await startPlane();
    const id = await created(plane);
    const client = await subscribe(plane, id, '', { headers });
    expect(client.socket.protocol).toBe('');
    await setPercentage(plane, id, 5);
    expect(percentages(await client.kept(1))).toEqual([5]);
  });

  test.each([
    ['alone, which is selected', [`bearer.${SECRETS.viewer}`], `bearer.${SECRETS.viewer}`],
    ['beside lanewise.v1, which is selected', ['lanewise.v1', `bearer.${SECRETS.viewer}`], 'lanewise.v1'],
    ['before lanewise.v1', [`bearer.${SECRETS.viewer}`, 'lanewise.v1'], 'lanewise.v1'],
  ])('by a browser with its token as a subprotocol %s', async (_name, protocols, selected) => {
    const plane = await startPlane();
    const id = await created(plane);
    const socket = await browse(plane, id, protocols);
    expect(socket.protocol).toBe(selected);
    const frames: Json[] = [];
    socket.addEventListener('message', ({ data }) => void frames.push(JSON.parse(data as string)));
    await setPercentage(plane, id, 5);
    await eventually(() => percentages(frames).length === 1);
  });

  test('by a browser whose token has characters that a subprotocol lacks, percent-encoded', async () => {
    const secret = 'a/b=c@d%e';
    const plane = await startPlane({
      credentials: createCredentialStore([{ name: 'root', role: 'admin', secret }]),
    });
    const answer = await plane.fetch(`${BASE_PATH}/deployments`, {
      method: 'POST',
      headers: { 'x-api-key': secret, 'content-type': 'application/json' },
      body: JSON.stringify({ queue_name: 'q', stable_version: 'v1', canary_version: 'v2' }),
    });
    const protocols = ['lanewise.v1', `bearer.${encodeURIComponent(secret)}`];
    expect((await browse(plane, answer.body.id as string, protocols)).protocol).toBe('lanewise.v1');
  });

  test('by the tenant whose deployment it is', async () => {
    const plane = await startPlane();
    const id = await created(plane, { tenant_id: 'acme' });
    const client = await subscribe(plane, id, '', { headers: { 'x-api-key': SECRETS.acme } });
    expect(client.socket.readyState).toBe(client.socket.OPEN);
  });
});

describe('a stream is refused as plain HTTP, with the documented body,', () => {
  test.each([
    ['without a token', {}, [], 401, 'UNAUTHORIZED'],
    ['with an unknown token', { authorization: 'Bearer guess' }, [], 401, 'UNAUTHORIZED'],
    ['with an unknown token as a subprotocol', {}, ['bearer.guess'], 401, 'UNAUTHORIZED'],
    ['with an empty token as a subprotocol', {}, ['bearer.'], 401, 'UNAUTHORIZED'],
    ['with broken percent-encoding', {}, ['bearer.%zz'], 401, 'UNAUTHORIZED'],
    [
      'with a wrong header beside a right subprotocol',
      { authorization: 'Bearer guess' },
      [`bearer.${SECRETS.admin}`],
      401,
      'UNAUTHORIZED',
    ],
    ['to a worker', { 'x-api-key': SECRETS.worker }, [], 403, 'FORBIDDEN'],
    ['to another tenant', { 'x-api-key': SECRETS.acme }, [], 404, 'DEPLOYMENT_NOT_FOUND'],
  ] as const)('%s', async (_name, headers, protocols, status, code) => {
    const plane = await startPlane();
    const id = await created(plane, { tenant_id: 'umbrella' });
    const answer = await refused(plane, id, { headers, protocols: [...protocols] });
    expect(answer).toMatchObject({ status, body: { code, error: expect.any(String) as string } });
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    if (status === 401) expect(answer.headers['www-authenticate']).toBe('Bearer realm="lanewise"');
  });

  test.each([UNKNOWN, 'x', '%c3%a4'])('for a deployment that does not exist: %s', async (id) => {
    const plane = await startPlane();
    const answer = await refused(plane, id, { headers: HEADERS });
    expect(answer).toMatchObject({ status: 404, body: { code: 'DEPLOYMENT_NOT_FOUND' } });
  });

  test.each([
    ['?since=', 'since'],
    ['?since=yesterday', 'since'],
    ['?since=event_1&since=event_2%20', 'since'],
    [`?since=event_${'x'.repeat(100)}`, 'since'],
    ['?from=event_1', 'from'],
    ['?page=1', 'page'],
  ])('with a bad query: %s', async (query, field) => {
    const plane = await startPlane();
    const id = await created(plane);
    const answer = await refused(plane, id, { query, headers: HEADERS });
    expect(answer).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
    expect(Object.keys(answer.body.details as object)).toEqual([field]);
  });

  test('when the instance has as many as it may, until one leaves', async () => {
    const plane = await startPlane({ eventStream: { connectionsMax: 2 } });
    const id = await created(plane);
    const first = await subscribe(plane, id);
    await subscribe(plane, id);
    const answer = await refused(plane, id, { headers: HEADERS });
    expect(answer).toMatchObject({
      status: 503,
      headers: { 'retry-after': '5' },
      body: { code: 'CONNECTION_LIMIT', details: { connections: expect.stringContaining('at most 2') } },
    });
    first.socket.close();
    await first.closed;
    await eventually(async () => {
      const client = await subscribe(plane, id).catch(() => undefined);
      return client !== undefined;
    });
  });

  test.each([
    ['no key', 'Sec-WebSocket-Version: 13\r\n'],
    ['a bad key', 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n'],
    ['another version', 'Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'],
    [
      'no list of subprotocols',
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: a b\r\n',
    ],
  ])('with %s in the handshake, and leaves its place to others', async (_name, headers) => {
    const plane = await startPlane({ eventStream: { connectionsMax: 1 } });
    const id = await created(plane);
    const answer = await raw(plane, handshake(plane, id, headers));
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toMatchObject({
      code: 'VALIDATION_FAILED',
      details: { handshake: expect.any(String) as string },
    });
    await subscribe(plane, id);
  });
});

describe('on the same path', () => {
  test('a plain GET is the list of events', async () => {
    const plane = await startPlane();
    const id = await created(plane);
    const url = streamUrl(plane, id).replace('ws', 'http');
    const answer = await fetch(url, { headers: HEADERS });
    expect(await answer.json()).toMatchObject({ count: 1, events: [{ type: 'deployment_created' }] });
  });

  // A client of HTTP/2 asks so with every request in the clear.
  test.each(['h2c', 'foo'])('a GET that asks for %s is the list of events', async (protocol) => {
    const plane = await startPlane();
    const id = await created(plane);
    const answer = await raw(
      plane,
      handshake(plane, id, 'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n')
        .replace('Upgrade: websocket', `Upgrade: ${protocol}`)
        .replace('Connection: Upgrade', 'Connection: Upgrade, close'),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain('deployment_created');
  });

  test('a change that asks for a WebSocket is made and answered', async () => {
    const plane = await startPlane();
    const id = await created(plane);
    const answer = await raw(
      plane,
      `POST ${BASE_PATH}/deployments/${id}/pause HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\n` +
        `Upgrade: websocket\r\nX-API-Key: ${SECRETS.operator}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(await plane.store.getDeployment(id)).toMatchObject({ status: 'paused' });
  });
});

test('where there is no stream, a request for one is answered as if it had not asked', async () => {
  const plane = await startPlane();
  for (const [path, status] of [
    ['/healthz', 200],
    ['/nowhere', 404],
  ] as const) {
    const answer = await raw(
      plane,
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toBeTypeOf('object');
  }
});
