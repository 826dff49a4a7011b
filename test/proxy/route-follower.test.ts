import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLastGoodRoutes, type LastGoodRoutes } from '../../proxy/last-good-routes.ts';
import { RouteFollower } from '../../proxy/route-follower.ts';
import { BOUNDED_LOAD_DEFAULT, type Endpoint } from '../../src/core/pool.ts';
import type { Route } from '../../src/core/route.ts';
import { LanewiseError } from '../../src/core/errors.ts';
import { RoutingTable, type RouteSnapshot, type RouteUpdate } from '../../src/core/routing-table.ts';
import type { RoutedWorker } from '../../src/core/worker.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import type { ProxyReport, RouteListener, RouteStore } from '../../src/runtime/store/store.ts';
import { until } from '../helpers/patience.ts';

/**
 * What the follower does when the store misbehaves in ways that a real one is hard to talk into: holes, repeats,
 * late snapshots. The real stores are followed in test/integration.
 */
class ScriptedStore implements RouteStore {
  snapshot: RouteSnapshot;
  seedRoutes?: (remembered: RouteSnapshot) => Promise<void>;
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

function aRoute(): Route {
  const decided = { revision: 3, superseded: [], rejected: [], promotedAt: 0, decidedAt: 3 };
  const split = { deploymentId: 'd', canaryVersion: 'v2', percentage: 10, step: 1, sticky: true };
  return {
    queue: 'jobs',
    strategy: 'hash_ring',
    stableVersion: 'v1',
    ...decided,
    split: { ...split, fallback: 'stable', retryOnStable: false, countsKeys: false },
  };
}

function at(revision: number, epoch = 'e1', workers: readonly RoutedWorker[] = [worker('a')]): RouteSnapshot {
  return { epoch, revision, routes: [], workers };
}

function update(revision: number, id: string, epoch = 'e1'): RouteUpdate {
  return { epoch, revision, change: { kind: 'worker', worker: worker(id) } };
}

function newTable(): RoutingTable<Endpoint> {
  return new RoutingTable<Endpoint>({
    endpointOf: (routed) => ({ worker: routed, takesJobs: true, usable: true, share: 1, inFlight: 0 }),
    policyOf: () => ({
      strategy: undefined,
      strategyDefault: 'hash_ring',
      laneOverride: false,
      boundedLoad: BOUNDED_LOAD_DEFAULT,
    }),
  });
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
    table = newTable();
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

  describe('that sees its store come back without what it had', () => {
    /** Puts what is remembered beside what is there, under a revision above both. */
    function takesBack(): RouteSnapshot[] {
      const seeded: RouteSnapshot[] = [];
      store.seedRoutes = (remembered) => {
        seeded.push(remembered);
        const { epoch, revision, workers } = store.snapshot;
        const known = new Set(workers.map(({ id }) => id));
        const more = remembered.workers.filter(({ id }) => !known.has(id));
        store.snapshot = at(Math.max(revision, remembered.revision) + 1, epoch, [...workers, ...more]);
        return Promise.resolve();
      };
      return seeded;
    }

    it('gives it back first, so that the one worker that has registered does not get all jobs', async () => {
      const seeded = takesBack();
      await follow(1);
      store.snapshot = at(1, 'e2', [worker('n')]);
      await until(() => table.epoch === 'e2');
      expect([...table.workers.keys()].toSorted()).toEqual(['a', 'n']);
      expect(seeded).toEqual([at(5)]);
    });

    it('gives it back to an empty one', async () => {
      takesBack();
      await follow(1);
      store.snapshot = at(0, 'e2', []);
      await until(() => table.epoch === 'e2');
      expect([...table.workers.keys()]).toEqual(['a']);
    });

    it('keeps what it has while that fails', async () => {
      takesBack();
      const { seedRoutes } = store;
      let tries = 0;
      store.seedRoutes = () => Promise.reject(new LanewiseError('STORE_UNAVAILABLE', `down ${++tries}`));
      await follow(1);
      store.snapshot = at(1, 'e2', []);
      await until(() => tries > 1);
      expect([...table.workers.keys()]).toEqual(['a']);
      store.seedRoutes = seedRoutes!;
      await until(() => table.epoch === 'e2');
    });

    it('gives nothing to one that was only restarted', async () => {
      const seeded = takesBack();
      await follow(1);
      store.snapshot = at(4, 'e1.f', []);
      await until(() => table.epoch === 'e1.f');
      expect([...table.workers.keys()]).toEqual([]);
      expect(seeded).toEqual([]);
    });

    it('gives nothing of what it has from the disk alone: that may be of another store', async () => {
      const seeded = takesBack();
      await lastGood.save(at(8, 'e0', [worker('z')]));
      await follow();
      expect([...table.workers.keys()]).toEqual(['a']);
      expect(seeded).toEqual([]);
    });
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
    await until(async () => (await lastGood.load())?.revision === 5);
    store.down = true;
    table = newTable();
    const again = await follow();
    expect(again.hasRoutes).toBe(true);
    expect(again.lastSyncAt).toBeUndefined();
    expect([...table.workers.keys()]).toEqual(['a']);
  });

  it('writes the last good routes whole: no other file is left behind', async () => {
    await follow();
    store.listener!.onUpdate(update(6, 'b'));
    await until(async () => (await lastGood.load())?.revision === 6);
    expect(await readdir(join(dataDir, 'made'))).toEqual(['routes.json']);
    expect(await readFile(join(dataDir, 'made', 'routes.json'), 'utf8')).toContain('"revision":6');
  });

  it('saves the last good routes by itself once it can, and tells for how long it could not', async () => {
    await writeFile(join(dataDir, 'made'), 'in the way of the directory');
    const follower = await follow();
    await until(() => follower.unsavedMs! > 0);
    await rm(join(dataDir, 'made'));
    await until(() => follower.unsavedMs === 0);
    expect((await lastGood.load())?.revision).toBe(5);
  });

  it.each([
    { content: '', says: 'is damaged: it is not JSON, or was cut off' },
    { content: '{', says: 'is damaged: it is not JSON, or was cut off' },
    { content: '{"format": 99}', says: 'has format 99, of a newer release; this one reads up to 1' },
    { content: 'null', says: 'does not hold routes of format 1' },
    { content: '{"format":1,"snapshot":{}}', says: 'is damaged: ' },
    {
      content: '{"format":1,"snapshot":{"epoch":"e","revision":1,"routes":[{"queue":"jobs"}],"workers":[]}}',
      says: 'is damaged: ',
    },
    { content: Buffer.from([0, 159, 146, 150]), says: 'is damaged: it is not JSON, or was cut off' },
  ])(
    'starts without routes, and says so, where the file on disk holds $content',
    async ({ content, says }) => {
      lastGood = createLastGoodRoutes(dataDir, unreadable);
      await writeFile(join(dataDir, 'routes.json'), content);
      store.down = true;
      const follower = await follow();
      expect(follower.hasRoutes).toBe(false);
      expect(unreadable).toHaveBeenCalledExactlyOnceWith(expect.stringContaining(`routes.json ${says}`));
    },
  );

  it('does not start from a file in which a percentage was changed, and writes a good one when it can', async () => {
    store.snapshot = { ...at(5), routes: [aRoute()] };
    await (await follow()).stop();
    const path = join(dataDir, 'made', 'routes.json');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('"percentage":10', '"percentage":90'));
    expect(await lastGood.load()).toBeUndefined();
    table = newTable();
    expect(unreadable).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('its content is not what was written'),
    );
    await (await follow()).stop();
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('takes a file of a release that wrote no checksum, and of one that wrote more fields', async () => {
    lastGood = createLastGoodRoutes(dataDir, unreadable);
    const older = { format: 1, snapshot: { ...at(4), routes: [aRoute()] } };
    const newer = { ...older, snapshot: { ...older.snapshot, regions: ['eu'] }, written_by: '0.2.0' };
    for (const content of [older, newer]) {
      await writeFile(join(dataDir, 'routes.json'), JSON.stringify(content));
      expect(await lastGood.load()).toMatchObject({ revision: 4, routes: [{ queue: 'jobs' }] });
    }
  });

  describe('where part of the routes of the store can not be read', () => {
    const damaged = (scopes: string[], workers: string[] = []): RouteSnapshot => ({
      ...at(7, 'e1', [worker('b')]),
      unreadable: { scopes, workers },
    });

    it('keeps what it knows of that part, follows the rest, and takes that part when it is readable', async () => {
      store.snapshot = { ...at(5, 'e1', [worker('a'), worker('old')]), routes: [aRoute()] };
      await follow(1);
      store.snapshot = damaged(['jobs'], ['a']);
      await until(() => table.revision === 7);
      expect([...table.workers.keys()].toSorted()).toEqual(['a', 'b']);
      expect(table.snapshot().routes).toMatchObject([{ queue: 'jobs', stableVersion: 'v1' }]);
      await until(() => store.reports.at(-1)?.revision === 7);
      // Repaired by hand: the revision is what it was.
      store.snapshot = { ...at(7, 'e1', [worker('b')]), routes: [{ ...aRoute(), stableVersion: 'v2' }] };
      await until(() => table.snapshot().routes[0]?.stableVersion === 'v2');
      expect([...table.workers.keys()]).toEqual(['b']);
    });

    it('has no routes rather than some, where it knows nothing of that part', async () => {
      store.snapshot = damaged(['jobs']);
      const follower = await follow();
      expect(follower.hasRoutes).toBe(false);
      store.snapshot = at(7, 'e1', [worker('b')]);
      await until(() => table.revision === 7);
    });
  });

  it('withdraws its report when it stops', async () => {
    await (await follow()).stop();
    expect(store.withdrawn).toEqual(['p1']);
  });
});
