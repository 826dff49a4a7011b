import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createPropagationWatch, propagationOf } from '../../control/propagation.ts';
import { createLog } from '../../src/runtime/log.ts';
import type { ProxyReport, Store } from '../../src/runtime/store/store.ts';
import { created, openControl, type Control } from './harness.ts';

const LEASE_MS = 60_000;

/** A proxy that applies every routing change as soon as it hears of it, and says so. */
async function obedientProxy(store: Store, proxyId: string): Promise<void> {
  const report = async (): Promise<void> =>
    store.reportApplied({ ...(await store.readHead()), proxyId }, LEASE_MS);
  await report();
  store.subscribeRoutes({ onUp: () => {}, onUpdate: () => void report(), onDown: () => {} });
}

/** A proxy that applied the routes once and heard of nothing since. */
async function deafProxy(store: Store, proxyId: string): Promise<void> {
  await store.reportApplied({ ...(await store.readHead()), proxyId }, LEASE_MS);
}

async function rolledBack(control: Control): Promise<{ proxies: number; applied: number }> {
  const id = await created(control);
  const answer = await control.call('POST', `/deployments/${id}/rollback`);
  expect(answer.status).toBe(200);
  return answer.body.routing as { proxies: number; applied: number };
}

// With this much time to wait, a test that did wait would run into its own limit: hints must wake the answer.
const FOREVER_MS = 1_000_000;

describe('an answer that changed the routing', () => {
  test('waits until every proxy has applied it', async () => {
    const control = await openControl({ propagationWaitMs: FOREVER_MS });
    for (let i = 0; i < 3; i++) await obedientProxy(control.store, `proxy-${i}`);

    const create = await control.call('POST', '/deployments', {
      queue_name: 'q',
      stable_version: 'v1',
      canary_version: 'v2',
    });
    expect(create.body.routing).toMatchObject({ proxies: 3, applied: 3 });
    const id = create.body.id as string;
    const percentage = await control.call('PUT', `/deployments/${id}/percentage`, { percentage: 50 });
    expect(percentage.body.routing).toEqual({
      revision: create.body.routing.revision + 1,
      proxies: 3,
      applied: 3,
    });
    const promote = await control.call('POST', `/deployments/${id}/promote`);
    expect(promote.body.routing).toMatchObject({ proxies: 3, applied: 3 });
    const get = await control.call('GET', `/deployments/${id}`);
    expect(get.body.routing).toEqual(promote.body.routing);
  });

  test('waits for a proxy that reports late', async () => {
    const control = await openControl({ propagationWaitMs: FOREVER_MS });
    const { store } = control;
    const id = await created(control);
    await deafProxy(store, 'late');

    const { promise: stored, resolve } = Promise.withResolvers<void>();
    store.subscribeRoutes({ onUp: () => {}, onUpdate: () => resolve(), onDown: () => {} });
    let answered = false;
    const answer = control
      .call('PUT', `/deployments/${id}/percentage`, { percentage: 50 })
      .finally(() => (answered = true));
    await stored;
    // Another proxy's report wakes the waiter, who must go back to waiting.
    await store.reportApplied({ ...(await store.readHead()), proxyId: 'early' }, LEASE_MS);
    expect(answered).toBe(false);
    await deafProxy(store, 'late');
    expect((await answer).body.routing).toEqual({ revision: 2, proxies: 2, applied: 2 });
  });

  test('does not wait for ever for a proxy that hangs, and says how many have it', async () => {
    const control = await openControl({ propagationWaitMs: 20 });
    await obedientProxy(control.store, 'well');
    await deafProxy(control.store, 'hung');
    expect(await rolledBack(control)).toMatchObject({ proxies: 2, applied: 1 });
  });

  test('does not wait for a proxy that is gone', async () => {
    const control = await openControl({ propagationWaitMs: FOREVER_MS });
    const { store } = control;
    await obedientProxy(store, 'well');
    await deafProxy(store, 'going');
    const told = Promise.withResolvers<void>();
    store.subscribeRoutes({ onUp: () => {}, onUpdate: () => told.resolve(), onDown: () => {} });
    const answer = control.call('POST', '/deployments', {
      queue_name: 'q',
      stable_version: 'v1',
      canary_version: 'v2',
    });
    await told.promise;
    // Nobody announces it.
    await store.withdrawReport('going');
    expect((await answer).body.routing).toMatchObject({ proxies: 1, applied: 1 });
  });

  test('does not wait at all where there is no proxy', async () => {
    const control = await openControl({ propagationWaitMs: FOREVER_MS });
    expect(await rolledBack(control)).toMatchObject({ proxies: 0, applied: 0 });
  });

  test('serves many at once', async () => {
    const control = await openControl({ propagationWaitMs: FOREVER_MS });
    for (let i = 0; i < 5; i++) await obedientProxy(control.store, `proxy-${i}`);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        control.call('POST', '/deployments', {
          queue_name: `q${i}`,
          stable_version: 'v1',
          canary_version: 'v2',
        }),
      ),
    );
    for (const { body } of answers) expect(body.routing).toMatchObject({ proxies: 5, applied: 5 });
  });

  test('is a success even if the store cannot say afterwards who has applied it', async () => {
    const base = await openControl();
    const broken: Store = {
      ...base.store,
      listReports: () => Promise.reject(new Error('the connection is gone')),
    };
    const control = await openControl({ store: broken, propagationWaitMs: 20 });
    const id = await created(control);
    const answer = await control.call('POST', `/deployments/${id}/rollback`);
    expect(answer).toMatchObject({ status: 200, body: { success: true, routing: { revision: 2 } } });
    expect(answer.body.routing).toMatchObject({ proxies: null, applied: null });
    expect((await base.store.getDeployment(id))?.status).toBe('failed');
  });
});

test('reports that could not be read once are read again', async () => {
  const base = await openControl();
  let failures = 1;
  const shaky: Store = {
    ...base.store,
    listReports: () =>
      failures-- > 0 ? Promise.reject(new Error('the connection is gone')) : base.store.listReports(),
  };
  await obedientProxy(base.store, 'proxy');
  const watch = createPropagationWatch(shaky, createLog('silent'));
  onTestFinished(() => watch.close());
  const { revision } = await base.store.readHead();
  expect(await watch.wait(revision, FOREVER_MS)).toEqual({ revision, proxies: 1, applied: 1 });
});

test('reports are not read before as many have come as were missing', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const proxies = 100;
  let reads = 0;
  let applied = 0;
  let announce = (): void => {};
  const watch = createPropagationWatch(
    {
      readHead: async () => ({ epoch: 'now', revision: 7 }),
      async listReports() {
        reads++;
        return Array.from({ length: proxies }, (_, i) => ({
          proxyId: `p${i}`,
          epoch: 'now',
          revision: i < applied ? 7 : 6,
        }));
      },
      subscribeReports(onReport) {
        announce = onReport;
        return { close: async () => {} };
      },
    },
    createLog('silent'),
  );
  const waiting = watch.wait(7, FOREVER_MS);
  await turn();
  expect(reads).toBe(1);
  for (; applied < proxies - 1; applied++) announce();
  await turn();
  expect(reads).toBe(1);
  // Somebody's renewal: then it is worth a look, which says that one is missing.
  announce();
  await turn();
  expect(reads).toBe(2);
  applied = proxies;
  announce();
  expect(await waiting).toEqual({ revision: 7, proxies, applied: proxies });
  expect(reads).toBe(3);
  await watch.close();
});

test('the routing of a deployment shows live what the proxies report', async () => {
  const control = await openControl({ propagationWaitMs: 0 });
  const id = await created(control);
  await deafProxy(control.store, 'p1');
  const routingNow = async (): Promise<unknown> =>
    (await control.call('GET', `/deployments/${id}`)).body.routing;
  expect(await routingNow()).toEqual({ revision: 1, proxies: 1, applied: 1 });
  await control.call('PUT', `/deployments/${id}/percentage`, { percentage: 1 });
  expect(await routingNow()).toEqual({ revision: 2, proxies: 1, applied: 0 });
  await deafProxy(control.store, 'p1');
  expect(await routingNow()).toEqual({ revision: 2, proxies: 1, applied: 1 });
  await control.store.withdrawReport('p1');
  expect(await routingNow()).toEqual({ revision: 2, proxies: 0, applied: 0 });
});

test('a report of another epoch, or of an older revision, is not an application', () => {
  const report = (epoch: string, revision: number): ProxyReport => ({ proxyId: 'p', epoch, revision });
  const reports = [report('now', 7), report('now', 8), report('now', 6), report('before', 99)];
  expect(propagationOf({ epoch: 'now', revision: 7 }, reports)).toEqual({
    revision: 7,
    proxies: 4,
    applied: 2,
  });
});
