import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLastGoodRoutes, type LastGoodRoutes } from '../../proxy/last-good-routes.ts';
import { RouteFollower } from '../../proxy/route-follower.ts';
import { BOUNDED_LOAD_DEFAULT, type Endpoint } from '../../src/core/pool.ts';
import { LanewiseError } from '../../src/core/errors.ts';
import { RoutingTable, type RouteSnapshot, type RouteUpdate } from '../../src/core/routing-table.ts';
import type { RoutedWorker } from '../../src/core/worker.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import type { ProxyReport, RouteListener, RouteStore } from '../../src/runtime/store/store.ts';

/**
 * What the follower does when the store misbehaves in ways that a real one is hard to talk into: holes, repeats,
 * late snapshots. The real stores are followed in test/integration.
 */
class ScriptedStore implements RouteStore {
  snapshot: RouteSnapshot;
  down = false;
  reads = 0;
  listener: RouteListener | undefined;
  readonly reports: ProxyReport[] = [];
  withdrawn: string[] = [];

  constructor(initial: RouteSnapshot) {
    this.snapshot = initial;
  }

  async readSnapshot(): Promise<RouteSnapshot> {
    this.reads++;
    if (this.down) throw new LanewiseError('STORE_UNAVAILABLE', 'down');
    return this.snapshot;
  }

  async readHead(): Promise<RouteSnapshot> {
    return this.readSnapshot();
  }

  subscribeRoutes(listener: RouteListener) {
    this.listener = listener;
    return { close: () => Promise.resolve() };
  }

  async reportApplied(report: ProxyReport): Promise<void> {
    if (this.down) throw new LanewiseError('STORE_UNAVAILABLE', 'down');
    this.reports.push(report);
  }

  async withdrawReport(proxyId: string): Promise<void> {
    this.withdrawn.push(proxyId);
  }

  listReports(): Promise<readonly ProxyReport[]> {
    return Promise.resolve(this.reports);
  }

  subscribeReports() {
    return { close: () => Promise.resolve() };
  }
}

function worker(id: string): RoutedWorker {
  return { id, version: 'v1', lane: 'stable', queues: ['jobs'], weight: 1, status: 'healthy' };
}

function at(revision: number, epoch = 'e1', workers: readonly RoutedWorker[] = [worker('a')]): RouteSnapshot {
  return { epoch, revision, routes: [], workers };
}

function update(revision: number, id: string, epoch = 'e1'): RouteUpdate {
  return { epoch, revision, change: { kind: 'worker', worker: worker(id) } };
}

describe('a route follower', () => {
  let store: ScriptedStore;
  let table: RoutingTable<Endpoint>;
  let dataDir: string;
  let lastGood: LastGoodRoutes;
  const followers: RouteFollower[] = [];
  const unreadable = vi.fn<(reason: string) => void>();

  beforeEach(async () => {
    store = new ScriptedStore(at(5));
    table = new RoutingTable<Endpoint>({
      endpointOf: (routed) => ({ worker: routed, takesJobs: true, usable: true, share: 1, inFlight: 0 }),
      policyOf: () => ({
        strategy: undefined,
        strategyDefault: 'hash_ring',
        laneOverride: false,
        boundedLoad: BOUNDED_LOAD_DEFAULT,
      }),
    });
    dataDir = await mkdtemp(join(tmpdir(), 'lanewise-follower-'));
    lastGood = createLastGoodRoutes(join(dataDir, 'made'), unreadable);
  });
  afterEach(async () => {
    await Promise.all(followers.splice(0).map((follower) => follower.stop()));
    unreadable.mockClear();
    await rm(dataDir, { recursive: true });
  });

  async function follow(poll = 3_600_000): Promise<RouteFollower> {
    const follower = new RouteFollower({
      proxyId: 'p1',
      store,
      table,
      clock: systemClock,
      log: createLog('silent'),
      random: () => 0.5,
      lastGood,
      onChanged: () => {},
      timing: { poll, retry: 1, save: 1 },
    });
    await follower.start();
    followers.push(follower);
    return follower;
  }

  const until = (condition: () => boolean) => vi.waitUntil(condition, { interval: 1 });

  it('reads the snapshot before anything else, and reports it', async () => {
    await follow();
    expect(table.revision).toBe(5);
    await until(() => store.reports.length > 0);
    expect(store.reports).toEqual([{ proxyId: 'p1', epoch: 'e1', revision: 5 }]);
  });

  it('applies updates that follow, in one go, without asking the store', async () => {
    await follow();
    const { reads } = store;
    store.listener!.onUpdate(update(6, 'b'));
    store.listener!.onUpdate(update(7, 'c'));
    await until(() => table.revision === 7);
    expect([...table.workers.keys()]).toEqual(['a', 'b', 'c']);
    expect(store.reads).toBe(reads);
    await until(() => store.reports.at(-1)?.revision === 7);
  });

  it('ignores what it has already', async () => {
    await follow();
    store.listener!.onUpdate(update(5, 'old'));
    store.listener!.onUpdate(update(6, 'b'));
    await until(() => table.revision === 6);
    expect([...table.workers.keys()]).toEqual(['a', 'b']);
  });

  it('reads the snapshot when there is a hole', async () => {
    await follow();
    store.snapshot = at(8, 'e1', [worker('z')]);
    store.listener!.onUpdate(update(8, 'c'));
    await until(() => table.revision === 8);
    expect([...table.workers.keys()]).toEqual(['z']);
  });

  it('reads the snapshot when the subscription stands again', async () => {
    await follow();
    store.snapshot = at(9);
    store.listener!.onDown();
    store.listener!.onUp();
    await until(() => table.revision === 9);
  });

  it('finds by polling what no message told of', async () => {
    await follow(1);
    store.snapshot = at(6);
    await until(() => table.revision === 6);
  });

  it('follows a store that was replaced, although its revision is lower', async () => {
    await follow(1);
    store.snapshot = at(2, 'e2', [worker('n')]);
    await until(() => table.epoch === 'e2');
    expect(table.revision).toBe(2);
    expect([...table.workers.keys()]).toEqual(['n']);
  });

  it('follows a store that went back, as after a fail-over that lost writes', async () => {
    await follow();
    store.snapshot = at(3, 'e1', []);
    store.listener!.onUp();
    await until(() => table.revision === 3);
  });

  it('keeps what it has when the store comes back empty', async () => {
    await follow(1);
    store.snapshot = at(0, 'e2', []);
    const { reads } = store;
    await until(() => store.reads > reads + 3);
    expect([...table.workers.keys()]).toEqual(['a']);
    expect(table.epoch).toBe('e1');
  });

  it('does not let a snapshot that was read slowly undo a newer update', async () => {
    await follow();
    let answer = (_snapshot: RouteSnapshot): void => {};
    store.readSnapshot = () => new Promise((resolve) => (answer = resolve));
    store.listener!.onUp();
    store.listener!.onUpdate(update(6, 'b'));
    await new Promise((resolve) => setImmediate(resolve));
    answer(at(5));
    await until(() => table.revision === 6);
    expect([...table.workers.keys()]).toEqual(['a', 'b']);
  });

  it('goes on while the store is down, and catches up when it is back', async () => {
    const follower = await follow();
    store.down = true;
    store.listener!.onDown();
    store.listener!.onUp();
    expect(follower.hasRoutes).toBe(true);
    store.snapshot = at(12);
    store.down = false;
    await until(() => table.revision === 12);
  });

  it('keeps the last good routes on disk and starts from them with everything else down', async () => {
    await follow();
    await until(() => table.revision === 5);
    await vi.waitUntil(async () => (await lastGood.load())?.revision === 5, { interval: 1 });
    store.down = true;
    table = new RoutingTable<Endpoint>({
      endpointOf: (routed) => ({ worker: routed, takesJobs: true, usable: true, share: 1, inFlight: 0 }),
      policyOf: () => ({
        strategy: undefined,
        strategyDefault: 'hash_ring',
        laneOverride: false,
        boundedLoad: BOUNDED_LOAD_DEFAULT,
      }),
    });
    const again = await follow();
    expect(again.hasRoutes).toBe(true);
    expect(again.lastSyncAt).toBeUndefined();
    expect([...table.workers.keys()]).toEqual(['a']);
  });

  it('writes the last good routes whole: no other file is left behind', async () => {
    await follow();
    store.listener!.onUpdate(update(6, 'b'));
    await vi.waitUntil(async () => (await lastGood.load())?.revision === 6, { interval: 1 });
    expect(await readdir(join(dataDir, 'made'))).toEqual(['routes.json']);
    expect(await readFile(join(dataDir, 'made', 'routes.json'), 'utf8')).toContain('"revision":6');
  });

  it.each(['', '{', '{"format": 99}', 'null', '{"format":1,"snapshot":{}}'])(
    'starts without routes, and says so, where the file on disk holds %j',
    async (content) => {
      lastGood = createLastGoodRoutes(dataDir, unreadable);
      await writeFile(join(dataDir, 'routes.json'), content);
      store.down = true;
      const follower = await follow();
      expect(follower.hasRoutes).toBe(false);
      expect(unreadable).toHaveBeenCalledOnce();
    },
  );

  it('withdraws its report when it stops', async () => {
    await (await follow()).stop();
    expect(store.withdrawn).toEqual(['p1']);
  });
});
