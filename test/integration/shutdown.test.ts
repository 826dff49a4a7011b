import { once } from 'node:events';
import { connect } from 'node:net';
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { until } from '../helpers/patience.ts';
import { enlist, Fleet, Standalone, type ProxyFace, type System } from '../helpers/system.ts';
import type { Environment, LanewiseProcess } from '../helpers/process.ts';
import { TestWorker } from '../helpers/worker.ts';

/** A process that is told to stop finishes what it has begun, takes nothing new, and is gone. */

const SETTINGS = { LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring' } as const;

interface Scene extends AsyncDisposable {
  readonly system: System;
  readonly proxy: ProxyFace;
  /** Where the proxy runs. */
  readonly process: LanewiseProcess;
}

function sceneOf(system: System, proxy: ProxyFace, process: LanewiseProcess): Scene {
  return { system, proxy, process, [Symbol.asyncDispose]: () => system[Symbol.asyncDispose]() };
}

const SYSTEMS = [
  {
    name: 'standalone',
    start: async (settings: Environment = {}): Promise<Scene> => {
      const system = await Standalone.start({ ...SETTINGS, ...settings });
      return sceneOf(system, system.proxy, system.process);
    },
  },
  {
    name: 'a proxy',
    start: async (settings: Environment = {}): Promise<Scene> => {
      const system = await Fleet.start(1, { ...SETTINGS, ...settings });
      return sceneOf(system, system.proxies[0]!, system.members[0]!.process);
    },
  },
] as const;

interface Holder extends AsyncDisposable {
  readonly held: readonly ServerResponse[];
}

/** A worker that holds every job until it is told to go on. */
async function startHolder(system: System): Promise<Holder> {
  const held: ServerResponse[] = [];
  const worker = await TestWorker.start('v1', (_job, response) => void held.push(response));
  await enlist(system, { id: 'holder', version: 'v1', url: worker.url });
  return { held, [Symbol.asyncDispose]: () => worker.stop() };
}

async function isRefused(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}

describe.each(SYSTEMS)('$name', ({ start }) => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'at %s: what runs is finished, nothing new is taken',
    async (signal) => {
      await using scene = await start();
      const { system, proxy, process } = scene;
      await using holder = await startHolder(system);
      const { held } = holder;
      const running = Promise.all([proxy.send(), proxy.send(), proxy.send()]);
      await until(() => held.length === 3);

      process.signal(signal);
      await until(async () => (await proxy.readiness()) === 503);
      await until(() => isRefused(proxy.dispatchUrl));
      expect(process.hasExited).toBe(false);
      for (const response of held) response.end('finished after all');

      for (const answer of await running)
        expect(answer).toMatchObject({ status: 200, body: 'finished after all' });
      expect(await process.exited).toEqual({ code: 0, signal: null });
    },
  );

  test('what runs for longer than the shutdown timeout is ended and answered', async () => {
    await using scene = await start({ LANEWISE_SHUTDOWN_TIMEOUT: '300ms' });
    const { system, proxy, process } = scene;
    await using holder = await startHolder(system);
    const { held } = holder;
    const running = proxy.send();
    await until(() => held.length === 1);
    expect(await process.end('SIGTERM')).toEqual({ code: 0, signal: null });
    const answer = await running;
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({ 'x-canary-error': 'PROXY_OVERLOADED', 'retry-after': '1' });
  });

  test('a second signal ends it at once', async () => {
    await using scene = await start();
    const { system, proxy, process } = scene;
    await using holder = await startHolder(system);
    const { held } = holder;
    const running = proxy.send().catch((error: unknown) => error);
    await until(() => held.length === 1);
    process.signal('SIGTERM');
    await until(async () => (await proxy.readiness()) === 503);
    expect(await process.end('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' });
    expect(await running).toBeInstanceOf(Error);
  });

  test('idle connections of producers and operators do not hold it up', async () => {
    await using scene = await start();
    const { system, proxy, process } = scene;
    const urls = [system.api.url, proxy.dispatchUrl, proxy.adminUrl];
    const sockets = urls.map((url) => connect(Number(new URL(url).port), '127.0.0.1'));
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      await once(socket, 'connect');
    }
    // One that has asked before and keeps its connection, too.
    expect((await system.api.call('GET', '/deployments')).status).toBe(200);
    expect(await process.end('SIGTERM')).toEqual({ code: 0, signal: null });
    for (const socket of sockets) socket.destroy();
  });
});

test('the control plane ends at SIGTERM by itself', async () => {
  await using fleet = await Fleet.start(1);
  expect((await fleet.api.call('GET', '/deployments')).status).toBe(200);
  expect(await fleet.control.end('SIGTERM')).toEqual({ code: 0, signal: null });
});
