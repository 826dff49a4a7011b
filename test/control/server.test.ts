import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BASE_PATH } from '../../control/app.ts';
import { startControlServer, type ControlServer } from '../../control/server.ts';
import { MINIMAL, openControl, SECRETS } from './harness.ts';

const HEADERS = { authorization: `Bearer ${SECRETS.operator}`, 'content-type': 'application/json' };

async function start(host = '127.0.0.1'): Promise<ControlServer> {
  const { app } = await openControl();
  const server = await startControlServer({ app, host, port: 0 });
  onTestFinished(() => server.close(0));
  return server;
}

/** Sends bytes as they are and reads until the other side closes. */
async function raw(server: ControlServer, bytes: string | Buffer): Promise<string> {
  const socket = connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(bytes);
  return text(socket);
}

test('the API is served on a socket, on a free port for 0', async () => {
  const server = await start();
  expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
  const created = await fetch(`${server.url}${BASE_PATH}/deployments`, {
    method: 'POST',
    headers: HEADERS,
    body: JSON.stringify(MINIMAL),
  });
  expect(created.status).toBe(201);
  const listed = await fetch(`${server.url}${BASE_PATH}/deployments`, { headers: HEADERS });
  expect(await listed.json()).toMatchObject({ count: 1, deployments: [MINIMAL] });
});

test('a url of an IPv6 address can be called', async () => {
  const server = await start('::1');
  expect(server.url).toBe(`http://[::1]:${server.port}`);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
});

test('a rollback by curl -X POST with no body at all', async () => {
  const server = await start();
  const url = `${server.url}${BASE_PATH}/deployments`;
  const { id } = (await (
    await fetch(url, { method: 'POST', headers: HEADERS, body: JSON.stringify(MINIMAL) })
  ).json()) as { id: string };
  const answer = await raw(
    server,
    `POST ${BASE_PATH}/deployments/${id}/rollback HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${SECRETS.operator}\r\nConnection: close\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(answer).toContain('Manual rollback');
});

test('an old health check, HTTP/1.0 without a Host, is answered', async () => {
  const server = await start();
  expect(await raw(server, 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK/);
});

test('HEAD is answered like GET, without the body', async () => {
  const server = await start();
  const answer = await fetch(`${server.url}${BASE_PATH}/deployments`, { method: 'HEAD', headers: HEADERS });
  expect(answer.status).toBe(200);
  expect(await answer.text()).toBe('');
});

test('a body that grows beyond 1 MiB without having said so is refused', async () => {
  const server = await start();
  const chunk = `${(65_536).toString(16)}\r\n${'x'.repeat(65_536)}\r\n`;
  const answer = await raw(
    server,
    `POST ${BASE_PATH}/deployments HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${SECRETS.operator}\r\n` +
      `Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunk.repeat(17)}0\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(answer).toContain('"code":"PAYLOAD_TOO_LARGE"');
});

describe('what is not HTTP gets the documented body all the same:', () => {
  test.each([
    ['noise', 'hello\r\n\r\n', 400],
    ['a request without Host', 'GET /healthz HTTP/1.1\r\n\r\n', 400],
    ['a broken Host', 'GET /healthz HTTP/1.1\r\nHost: a b/c\r\nConnection: close\r\n\r\n', 400],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
    ['endless headers', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ])('%s', async (_name, bytes, status) => {
    const server = await start();
    const answer = await raw(server, bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head.toLowerCase()).toContain('content-type: application/json');
    expect(JSON.parse(body)).toMatchObject({ error: expect.any(String) as string, details: {} });
  });
});

test('a port in use is named, and the settings that change it', async () => {
  const server = await start();
  const { app } = await openControl();
  await expect(startControlServer({ app, host: '127.0.0.1', port: server.port })).rejects.toThrow(
    new RegExp(`127\\.0\\.0\\.1:${server.port}.*LANEWISE_CONTROL_HOST.*LANEWISE_CONTROL_PORT`),
  );
});

test('an address that this machine does not have is named', async () => {
  const { app } = await openControl();
  await expect(startControlServer({ app, host: '192.0.2.1', port: 0 })).rejects.toThrow(/192\.0\.2\.1/);
});

describe('closing', () => {
  /** A server with one request inside, which ends when told to. */
  async function withRequestInside() {
    const entered = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const app = {
      fetch: async () => {
        entered.resolve();
        await release.promise;
        return new Response('done');
      },
    };
    const server = await startControlServer({ app, host: '127.0.0.1', port: 0 });
    onTestFinished(() => server.close(0));
    const answer = fetch(server.url);
    await entered.promise;
    return { server, answer, release };
  }

  // With a grace of minutes, only the end of the request can let close() return within the test's time.
  test('lets the running request end, then takes no more', async () => {
    const { server, answer, release } = await withRequestInside();
    const closed = server.close(600_000);
    release.resolve();
    expect(await (await answer).text()).toBe('done');
    await closed;
    await expect(fetch(server.url)).rejects.toThrow('fetch failed');
  });

  test('breaks off what is left when the grace is over', async () => {
    const { server, answer, release } = await withRequestInside();
    const [broken] = await Promise.allSettled([answer, server.close(10)]);
    expect(broken).toMatchObject({ status: 'rejected' });
    release.resolve();
  });

  test('is not held up by connections that are kept alive', async () => {
    const server = await start();
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    await server.close(600_000);
    await expect(fetch(server.url)).rejects.toThrow('fetch failed');
  });

  test('twice is closing once', async () => {
    const server = await start();
    expect(server.close(0)).toBe(server.close(0));
    await server.close(0);
  });
});
