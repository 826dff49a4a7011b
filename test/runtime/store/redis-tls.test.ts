import { copyFile, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startFileWatch } from '../../../src/runtime/file-watch.ts';
import { createLog } from '../../../src/runtime/log.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { asLiveOptions, openClientTls } from '../../../src/runtime/tls/client-tls.ts';
import { useCertificates } from '../../helpers/certificates.ts';
import { until } from '../../helpers/patience.ts';
import { temporaryDirectory } from '../../helpers/process.ts';
import { startRedis, startRedisCluster, startRedisSentinel, tlsFlags } from '../../helpers/redis.ts';
import { listenUp } from './event-recorder.ts';
import { recordUp } from './recorder.ts';
import { openTestStore, withStore } from './redis-fixture.ts';
import { aDeployment, aWorker, create } from './samples.ts';

/** Real servers with a port for TLS, which all of them want a certificate on. */

const at = useCertificates();

const serverFiles = (asksClients = true) => ({
  cert: at('redis.pem'),
  key: at('redis.key'),
  ca: at('ca.pem'),
  asksClients,
});

async function material(name?: string, ca = 'ca') {
  const read = (file: string): Promise<string> => readFile(at(file), 'utf8');
  return {
    ca: await read(`${ca}.pem`),
    ...(name !== undefined && { cert: await read(`${name}.pem`), key: await read(`${name}.key`) }),
  };
}

/** Commands, scripts, what is published, and calls that wait: each has connections of its own. */
async function isWhole(store: Store): Promise<void> {
  const deployment = aDeployment();
  await using updates = await recordUp(store);
  await using events = await listenUp(store, deployment);
  expect(await create(store, deployment)).toMatchObject({ kind: 'saved' });
  expect(await store.saveWorker(aWorker(), 0)).toMatchObject({ kind: 'saved' });
  await until(() => updates.updates.length === 2 && events.told.length === 2);
  await store.ping();
}

async function startSecure(asksClients = true) {
  const { port, args } = await tlsFlags(serverFiles(asksClients));
  const redis = await startRedis({ args });
  onTestFinished(() => redis[Symbol.asyncDispose]());
  return { redis, port, url: `rediss://127.0.0.1:${port}` };
}

describe('rediss://', () => {
  it('is spoken to over TLS, with a certificate of ours', async () => {
    const { url } = await startSecure();
    await withStore(url, isWhole, await material('proxy'));
  });

  it.each([
    ['without a certificate of ours', undefined, 'ca'],
    ['with a certificate of a CA that the server does not know', 'stranger', 'ca'],
    ['whose CA we do not know', 'proxy', 'stranger-ca'],
  ])('%s is not available, and nothing goes there in plain', async (_what, name, ca) => {
    const { url, redis } = await startSecure();
    const lines: Record<string, unknown>[] = [];
    const store = openTestStore(url, lines, await material(name, ca));
    try {
      await expect(store.ping()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      await expect(store.saveWorker(aWorker(), 0)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect(await redis.client().dbsize()).toBe(0);
    } finally {
      await store.close();
    }
  });

  it('with a certificate for another host is not available', async () => {
    const { port, args } = await tlsFlags({
      ...serverFiles(false),
      cert: at('misnamed.pem'),
      key: at('misnamed.key'),
    });
    await using redis = await startRedis({ args });
    const store = openTestStore(`rediss://127.0.0.1:${port}`, [], await material());
    try {
      await expect(store.ping()).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        message: expect.stringContaining("does not match certificate's altnames"),
      });
      expect(await redis.client().dbsize()).toBe(0);
    } finally {
      await store.close();
    }
  });

  it('takes new certificates of ours at the next connection', async () => {
    const { redis, url } = await startSecure();
    const stack = new AsyncDisposableStack();
    onTestFinished(() => stack.disposeAsync());
    const directory = await temporaryDirectory(stack);
    const own = (name: string): string => join(directory, name);
    const install = async (name: string): Promise<void> => {
      for (const kind of ['pem', 'key']) {
        await copyFile(at(`${name}.${kind}`), own('next'));
        await rename(own('next'), own(`own.${kind}`));
      }
    };
    await install('stranger');
    const watch = startFileWatch(createLog('silent'), 5);
    stack.defer(() => watch.close());
    const files = { ca: at('ca.pem'), cert: own('own.pem'), key: own('own.key') };
    const tls = openClientTls('redis_tls', files, { watch });
    const store = openTestStore(url, [], asLiveOptions(tls));
    stack.defer(() => store.close());
    await expect(store.ping()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await install('proxy');
    // It goes on trying by itself.
    await until(() =>
      store.ping().then(
        () => true,
        () => false,
      ),
    );
    expect(await store.saveWorker(aWorker(), 0)).toMatchObject({ kind: 'saved' });
    expect(await redis.client().dbsize()).toBeGreaterThan(0);
  });
});

it('rediss+cluster:// is spoken to over TLS, on every node', async () => {
  await using cluster = await startRedisCluster(0, serverFiles());
  await withStore(cluster.url, isWhole, await material('proxy'));
  await withStore(
    cluster.url,
    async (store) => {
      await expect(store.ping()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    },
    await material('stranger'),
  );
});

it('rediss+sentinel:// is spoken to over TLS, Sentinels and master alike', async () => {
  const { port } = await startSecure();
  const { port: sentinelPort, args } = await tlsFlags(serverFiles());
  // What Sentinels themselves connect by is TLS as well.
  await using sentinel = await startRedisSentinel({ port }, 1, [...args, '--tls-replication', 'yes']);
  expect(sentinel.port).toBeGreaterThan(0);
  const url = `rediss+sentinel://127.0.0.1:${sentinelPort}/main`;
  await withStore(url, isWhole, await material('proxy'));
  await withStore(
    url,
    async (store) => {
      await expect(store.ping()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    },
    await material('stranger'),
  );
});
