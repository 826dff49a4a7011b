import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLog } from '../../src/runtime/log.ts';
import { until } from '../helpers/patience.ts';
import { Rig } from '../helpers/rig.ts';

/**
 * A registry must not become a way to send requests anywhere. What a name leads to is up to the owner of its zone, who may
 * change it once the worker is registered: here from a worker at 127.0.0.1 to a service at 127.0.0.2 that no worker may
 * have the address of, as it might be 169.254.169.254.
 */

const ALLOWED = { LANEWISE_WORKER_URL_ALLOW: '127.0.0.1/32' };

/** Closes each connection with its answer, so that the next job needs a new one. */
async function listen(host: string, port: number): Promise<{ server: Server; connections: () => number }> {
  let connections = 0;
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.writeHead(200, { connection: 'close' }).end(host));
  });
  server.on('connection', () => connections++);
  server.listen(port, host);
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, connections: () => connections };
}

async function start(settings: Record<string, string> = {}) {
  const worker = await listen('127.0.0.1', 0);
  const { port } = worker.server.address() as AddressInfo;
  const secret = await listen('127.0.0.2', port);
  const lines: { msg: string; host?: string; problem?: string }[] = [];
  const leadsTo = { addresses: ['127.0.0.1'] };
  const rig = await Rig.start({
    settings: { ...ALLOWED, ...settings },
    resolveHost: async () => leadsTo.addresses,
    log: createLog('warn', { write: (line) => void lines.push(JSON.parse(line)) }),
  });
  onTestFinished(() => rig[Symbol.asyncDispose]());
  return { rig, port, leadsTo, secret, worker, lines };
}

const UNREACHABLE = { status: 503, headers: { 'x-canary-error': 'WORKER_UNREACHABLE' } };

/** One that is read first, and one that is streamed: they go two ways. */
describe.each([
  ['small', 'x'],
  ['streamed', 'x'.repeat(100_000)],
])('with a %s body', (_kind, body) => {
  it('a name that leads elsewhere by now is not followed there', async () => {
    const { rig, port, leadsTo, secret, lines } = await start();
    await rig.register({ url: `http://worker.test:${port}` });
    expect(await rig.send('jobs', { body })).toMatchObject({ status: 200, body: '127.0.0.1' });
    leadsTo.addresses = ['127.0.0.2'];
    for (let i = 0; i < 2; i++) expect(await rig.send('jobs', { body })).toMatchObject(UNREACHABLE);
    expect(secret.connections()).toBe(0);
    // Once, not for each job.
    expect(lines.filter(({ host }) => host === 'worker.test')).toEqual([
      expect.objectContaining({ problem: expect.stringContaining('points to 127.0.0.2') as string }),
    ]);
    leadsTo.addresses = ['127.0.0.1'];
    expect((await rig.send('jobs', { body })).status).toBe(200);
  });

  it('a name with one address that is not allowed is not connected to at all', async () => {
    const { rig, port, leadsTo, secret, worker } = await start();
    leadsTo.addresses = ['127.0.0.1', '127.0.0.2'];
    await rig.register({ url: `http://worker.test:${port}` });
    expect(await rig.send('jobs', { body })).toMatchObject(UNREACHABLE);
    expect([worker.connections(), secret.connections()]).toEqual([0, 0]);
  });

  it.each(['127.0.0.2', '[::ffff:127.0.0.2]'])(
    'the address %s itself is not connected to, whoever has registered it',
    async (host) => {
      const { rig, port, secret } = await start();
      await rig.register({ url: `http://${host}:${port}` });
      expect(await rig.send('jobs', { body })).toMatchObject(UNREACHABLE);
      expect(secret.connections()).toBe(0);
    },
  );

  it('TLS is no way round', async () => {
    const { rig, port, leadsTo, secret } = await start();
    leadsTo.addresses = ['127.0.0.2'];
    await rig.register({ url: `https://worker.test:${port}` });
    expect(await rig.send('jobs', { body })).toMatchObject(UNREACHABLE);
    expect(secret.connections()).toBe(0);
  });

  it("a redirect is the producer's to follow", async () => {
    const { rig, worker, port, secret } = await start();
    worker.server.removeAllListeners('request');
    worker.server.on('request', (request, response) => {
      request.resume();
      response.writeHead(307, { location: `http://127.0.0.2:${port}/` }).end();
    });
    await rig.register({ url: `http://127.0.0.1:${port}` });
    expect(await rig.send('jobs', { body })).toMatchObject({
      status: 307,
      headers: { location: `http://127.0.0.2:${port}/` },
    });
    expect(secret.connections()).toBe(0);
  });
});

it.each([undefined, '/healthz'])(
  'probes go no further than jobs do (health path: %s)',
  async (healthPath) => {
    const settings = { LANEWISE_WORKER_TIMEOUT: '300ms', LANEWISE_HEALTH_CHECK_INTERVAL: '100ms' };
    const { rig, port, leadsTo, secret, lines } = await start(settings);
    leadsTo.addresses = ['127.0.0.2'];
    const health = healthPath === undefined ? {} : { healthPath };
    await rig.register({ id: 'by-name', url: `http://worker.test:${port}`, ...health });
    await rig.register({ id: 'by-address', url: `http://127.0.0.2:${port}`, ...health });
    const told = (): Set<unknown> =>
      new Set(lines.map(({ host }) => host).filter((host) => host !== undefined));
    await until(() => told().size === 2);
    expect(secret.connections()).toBe(0);
    expect((await rig.store.listActivity()).size).toBe(0);
  },
);
