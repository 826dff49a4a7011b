import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { useCertificates } from '../helpers/certificates.ts';
import { Rig } from '../helpers/rig.ts';

/** Workers elsewhere than at `http://`. */

const at = useCertificates();

async function start(settings: Record<string, string> = {}): Promise<Rig> {
  const rig = await Rig.start({ settings });
  onTestFinished(() => rig[Symbol.asyncDispose]());
  return rig;
}

async function listenOn(
  server: Server,
  where: { path: string } | { port: number; host: string },
): Promise<void> {
  server.on('request', (request, response) => {
    request.resume();
    request.on('end', () => response.end(`${request.method} ${request.url} ${request.headers.host}`));
  });
  server.listen(where);
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
}

/** A body that is read first, and one that is streamed: they go two ways. */
const BODIES = ['small', 'x'.repeat(100_000)];

describe('a worker at https://', () => {
  async function listenTls(options: object = {}): Promise<number> {
    const [cert, key] = await Promise.all([readFile(at('worker.pem')), readFile(at('worker.key'))]);
    const server = createTlsServer({ cert, key, ...options });
    await listenOn(server, { port: 0, host: '127.0.0.1' });
    return (server.address() as AddressInfo).port;
  }

  it.each(['127.0.0.1', 'localhost'])('at %s is reached where its CA is trusted', async (host) => {
    const port = await listenTls();
    const rig = await start({ LANEWISE_PROXY_WORKER_TLS_CA: at('ca.pem') });
    await rig.register({ url: `https://${host}:${port}/base` });
    for (const body of BODIES)
      expect(await rig.send('jobs', { path: '/x', body })).toMatchObject({
        status: 200,
        body: `POST /base/x ${host}:${port}`,
      });
  });

  it('is not spoken to where it is not trusted', async () => {
    const port = await listenTls();
    const rig = await start();
    await rig.register({ url: `https://127.0.0.1:${port}` });
    for (const body of BODIES)
      expect((await rig.send('jobs', { body })).headers['x-canary-error']).toBe('WORKER_UNREACHABLE');
  });

  it('is shown the certificate of the proxy, where it wants one', async () => {
    const port = await listenTls({
      requestCert: true,
      rejectUnauthorized: true,
      ca: await readFile(at('ca.pem')),
    });
    const trusting = { LANEWISE_PROXY_WORKER_TLS_CA: at('ca.pem') };
    const known = await start({
      ...trusting,
      LANEWISE_PROXY_WORKER_TLS_CERT: at('proxy.pem'),
      LANEWISE_PROXY_WORKER_TLS_KEY: at('proxy.key'),
    });
    await known.register({ url: `https://127.0.0.1:${port}` });
    for (const body of BODIES) expect((await known.send('jobs', { body })).status).toBe(200);
    const unknown = await start(trusting);
    await unknown.register({ url: `https://127.0.0.1:${port}` });
    for (const body of BODIES)
      expect((await unknown.send('jobs', { body })).status).toBeGreaterThanOrEqual(502);
  });

  it.each(BODIES.map((body) => [body.length, body] as const))(
    'with a certificate for another host is unreachable, with a body of %i bytes',
    async (_length, body) => {
      const [cert, key] = await Promise.all([readFile(at('misnamed.pem')), readFile(at('misnamed.key'))]);
      const port = await listenTls({ cert, key });
      const rig = await start({ LANEWISE_PROXY_WORKER_TLS_CA: at('ca.pem') });
      await rig.register({ url: `https://127.0.0.1:${port}` });
      const answer = await rig.send('jobs', { body });
      expect(answer).toMatchObject({ status: 503, headers: { 'x-canary-error': 'WORKER_UNREACHABLE' } });
    },
  );

  it.each(BODIES.map((body) => [body.length, body] as const))(
    'that speaks plain HTTP gets no byte of a job of %i bytes',
    async (_length, body) => {
      let requests = 0;
      const plain = createServer();
      plain.on('request', () => requests++);
      await listenOn(plain, { port: 0, host: '127.0.0.1' });
      const rig = await start({ LANEWISE_PROXY_WORKER_TLS_CA: at('ca.pem') });
      await rig.register({ url: `https://127.0.0.1:${(plain.address() as AddressInfo).port}` });
      const answer = await rig.send('jobs', { body });
      expect(answer).toMatchObject({ status: 503, headers: { 'x-canary-error': 'WORKER_UNREACHABLE' } });
      expect(requests).toBe(0);
    },
  );

  it('needs files that are there', async () => {
    const starting = start({ LANEWISE_PROXY_WORKER_TLS_CA: '/nowhere.pem' });
    await expect(starting).rejects.toThrow('proxy.worker_tls.ca: cannot read /nowhere.pem');
  });
});

it('a worker on a Unix socket is reached at unix: and its path', async () => {
  const path = at('worker.sock');
  await listenOn(createServer(), { path });
  const rig = await start();
  await rig.register({ url: `unix:${path}` });
  for (const body of BODIES)
    expect(await rig.send('jobs', { path: '/x?y', body })).toMatchObject({
      status: 200,
      body: 'POST /x?y localhost',
    });
});

it('one that does not listen is unreachable', async () => {
  const rig = await start();
  await rig.register({ url: `unix:${at('nobody.sock')}` });
  for (const body of BODIES)
    expect((await rig.send('jobs', { body })).headers['x-canary-error']).toBe('WORKER_UNREACHABLE');
});
