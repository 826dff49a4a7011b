import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CompiledRoute } from '../../src/core/decide.ts';
import { ROUTING_STRATEGIES } from '../../src/core/deployment.ts';
import { laneSeed, LANES, laneThreshold } from '../../src/core/lane.ts';
import { membershipOf } from '../../src/core/membership.ts';
import { BOUNDED_LOAD_DEFAULT, type Pool } from '../../src/core/pool.ts';
import {
  effectiveRoute,
  openSplit,
  promoted,
  rolledBack,
  stampRoute,
  withPercentage,
  type Route,
} from '../../src/core/route.ts';
import {
  RoutingTable,
  type QueuePolicy,
  type RouteChange,
  type RouteSnapshot,
  type RouteUpdate,
} from '../../src/core/routing-table.ts';
import { WORKER_STATUSES, type RoutedWorker } from '../../src/core/worker.ts';
import { deploymentOf, endpointOf, workerOf, type TestEndpoint } from './fixtures.ts';

const EPOCH = 'epoch-1';

const POLICY: QueuePolicy = {
  strategy: undefined,
  strategyDefault: 'split_queue',
  laneOverride: false,
  boundedLoad: BOUNDED_LOAD_DEFAULT,
};

type Table = RoutingTable<TestEndpoint>;

/** A table with endpoints as the proxy keeps them: one for each id, version and url, told of every change. */
function createTable(policyOf: (queue: string) => QueuePolicy = () => POLICY): Table {
  const endpoints = new Map<string, TestEndpoint>();
  return new RoutingTable({
    policyOf,
    endpointOf(worker) {
      const key = JSON.stringify([worker.id, worker.version, worker.url]);
      const endpoint = endpoints.get(key) ?? endpointOf(worker);
      endpoint.worker = worker;
      endpoints.set(key, endpoint);
      return endpoint;
    },
  });
}

function snapshotOf(routes: readonly Route[], workers: readonly RoutedWorker[], revision = 1): RouteSnapshot {
  return { epoch: EPOCH, revision, routes, workers };
}

function tableOf(routes: readonly Route[], workers: readonly RoutedWorker[]): Table {
  const table = createTable();
  table.replace(snapshotOf(routes, workers));
  return table;
}

/** Applies the next change. */
function change(table: Table, next: RouteChange): void {
  table.apply([{ epoch: table.epoch, revision: table.revision + 1, change: next }]);
}

function putRoute(table: Table, route: Route): void {
  change(table, { kind: 'route', route: stampRoute(route, table.revision + 1) });
}

function idsOf(pool: Pool<TestEndpoint>): string[] {
  return pool.endpoints.map((e) => e.worker.id);
}

function pools(route: CompiledRoute<TestEndpoint>): Pool<TestEndpoint>[] {
  return [route.canary, route.stable, route.reserve];
}

/** A route as plain values, to compare by. */
function viewOfRoute(route: CompiledRoute<TestEndpoint>): unknown {
  const { canary, stable, reserve, ...rest } = route;
  const members = (pool: Pool<TestEndpoint>): unknown =>
    pool.endpoints.map((e, i) => ({ worker: e.worker, weight: pool.weights[i], size: pool.ring.size }));
  return { ...rest, canary: members(canary), stable: members(stable), reserve: members(reserve) };
}

function viewOf(table: Table): unknown {
  return {
    epoch: table.epoch,
    revision: table.revision,
    workers: new Map(table.workers),
    queues: new Map(
      [...table.queues].map(([queue, { route, tenants }]) => [
        queue,
        {
          route: viewOfRoute(route),
          tenants: new Map([...tenants].map(([tenant, r]) => [tenant, viewOfRoute(r)])),
        },
      ]),
    ),
  };
}

const OPEN = openSplit(undefined, deploymentOf({ currentPercent: 10 }));
const V1 = workerOf('one', { version: 'v1' });
const V2 = workerOf('two', { version: 'v2' });

// --- random histories

const version = fc.constantFrom('v1', 'v2', 'v3', 'v4');
const queueName = fc.constantFrom('a', 'b', 'c');
const workerId = fc.constantFrom('w1', 'w2', 'w3', 'w4', 'w5');

const anyWorker: fc.Arbitrary<RoutedWorker> = fc.record({
  id: workerId,
  version,
  lane: fc.constantFrom(...LANES),
  queues: fc.uniqueArray(queueName, { maxLength: 3 }),
  weight: fc.constantFrom(0.01, 0.02),
  status: fc.constantFrom(...WORKER_STATUSES),
});

const anyRoute: fc.Arbitrary<Route> = fc
  .record({
    queue: queueName,
    tenant: fc.constantFrom(undefined, undefined, 't1', 't2'),
    strategy: fc.constantFrom(...ROUTING_STRATEGIES),
    stableVersion: version,
    superseded: fc.uniqueArray(version, { maxLength: 2 }),
    rejected: fc.uniqueArray(version, { maxLength: 2 }),
    split: fc.option(
      fc.record({
        deploymentId: fc.uuid(),
        canaryVersion: version,
        percentage: fc.nat(10_000).map((hundredths) => hundredths / 100),
        sticky: fc.boolean(),
        step: fc.nat(),
        retryOnStable: fc.boolean(),
        countsKeys: fc.boolean(),
        fallback: fc.constantFrom('stable' as const, 'none' as const),
      }),
      { nil: undefined },
    ),
    promotedAt: fc.nat(40),
    decidedAt: fc.nat(40),
  })
  .map(({ tenant, split, ...route }) => ({
    ...route,
    revision: 1,
    ...(tenant !== undefined && { tenant }),
    ...(split !== undefined && { split }),
  }));

const anyChange: fc.Arbitrary<RouteChange> = fc.oneof(
  anyRoute.map((route) => ({ kind: 'route' as const, route })),
  anyWorker.map((worker) => ({ kind: 'worker' as const, worker })),
  workerId.map((id) => ({ kind: 'worker_removed' as const, workerId: id })),
);

const anyChanges = fc.array(anyChange, { maxLength: 30 });

function updatesOf(changes: readonly RouteChange[]): RouteUpdate[] {
  return changes.map((next, i) => ({ epoch: EPOCH, revision: i + 1, change: next }));
}

/** What a history comes to, by the plainest of means. */
function outcomeOf(changes: readonly RouteChange[]): RouteSnapshot {
  const routes = new Map<string, Route>();
  const workers = new Map<string, RoutedWorker>();
  for (const next of changes) {
    if (next.kind === 'route') routes.set(JSON.stringify([next.route.queue, next.route.tenant]), next.route);
    else if (next.kind === 'worker') workers.set(next.worker.id, next.worker);
    else workers.delete(next.workerId);
  }
  return snapshotOf([...routes.values()], [...workers.values()], changes.length);
}

function emptyTable(): Table {
  const table = createTable();
  table.replace(snapshotOf([], [], 0));
  return table;
}

describe('a routing table', () => {
  test('that applied changes one by one is as if it had read their outcome at once', () => {
    fc.assert(
      fc.property(anyChanges, (changes) => {
        const stepwise = emptyTable();
        for (const update of updatesOf(changes)) stepwise.apply([update]);
        const atOnce = createTable();
        atOnce.replace(outcomeOf(changes));
        expect(viewOf(stepwise)).toEqual(viewOf(atOnce));
      }),
    );
  });

  test('that applied them in one batch is too', () => {
    fc.assert(
      fc.property(anyChanges, (changes) => {
        const batched = emptyTable();
        batched.apply(updatesOf(changes));
        const atOnce = createTable();
        atOnce.replace(outcomeOf(changes));
        expect(viewOf(batched)).toEqual(viewOf(atOnce));
      }),
    );
  });

  test('keeps nothing of what a snapshot replaced', () => {
    fc.assert(
      fc.property(anyChanges, anyChanges, (before, after) => {
        const used = emptyTable();
        used.apply(updatesOf(before));
        used.replace(outcomeOf(after));
        const fresh = createTable();
        fresh.replace(outcomeOf(after));
        expect(viewOf(used)).toEqual(viewOf(fresh));
      }),
    );
  });

  test('gives a snapshot that makes an equal table', () => {
    fc.assert(
      fc.property(anyChanges, (changes) => {
        const table = emptyTable();
        table.apply(updatesOf(changes));
        const copy = createTable();
        copy.replace(table.snapshot());
        expect(viewOf(copy)).toEqual(viewOf(table));
      }),
    );
  });

  test('has in every route of every queue the workers that belong there, by id', () => {
    fc.assert(
      fc.property(anyChanges, (changes) => {
        const { routes, workers, ...rest } = outcomeOf(changes);
        const table = createTable();
        table.replace({ routes, workers, ...rest });
        for (const queue of ['a', 'b', 'c']) {
          const own = workers
            .filter((w) => w.queues.includes(queue))
            .toSorted((x, y) => (x.id < y.id ? -1 : 1));
          const queueRoute = routes.find((r) => r.queue === queue && r.tenant === undefined);
          for (const tenant of [undefined, 't1', 't2', 'never heard of']) {
            const tenantRoute = routes.find((r) => r.queue === queue && r.tenant === tenant);
            const route =
              tenant === undefined || tenantRoute === undefined
                ? queueRoute
                : effectiveRoute(queueRoute, tenantRoute);
            const members = (place: string): string[] =>
              own.filter((w) => membershipOf(w, route) === place).map((w) => w.id);
            const served = own.length > 0 || routes.some((r) => r.queue === queue);
            const compiled = table.routeFor(queue, tenant);
            expect(
              compiled && {
                percentage: compiled.percentage,
                strategy: compiled.strategy,
                members: pools(compiled).map(idsOf),
              },
            ).toEqual(
              served
                ? {
                    percentage: route?.split?.percentage ?? 0,
                    strategy: route?.strategy ?? 'split_queue',
                    members: [members('canary'), members('stable'), members('reserve')],
                  }
                : undefined,
            );
          }
        }
      }),
    );
  });
});

describe('an update', () => {
  test.each([
    ['after a gap', EPOCH, 3],
    ['that was applied already', EPOCH, 1],
    ['of another epoch', 'epoch-2', 2],
  ])('%s is refused and changes nothing', (_, epoch, revision) => {
    const table = tableOf([OPEN], [V1, V2]);
    const before = viewOf(table);
    const update: RouteUpdate = { epoch, revision, change: { kind: 'worker_removed', workerId: 'one' } };
    expect(() => table.apply([update])).toThrow(RangeError);
    expect(() => table.apply([update])).toThrow(`${epoch}/${revision} does not follow ${EPOCH}/1`);
    expect(viewOf(table)).toEqual(before);
  });

  // The updates before the gap counted as applied, while the queues that they touched were never compiled.
  test('before a gap in the same batch is not applied either', () => {
    const table = tableOf([OPEN], [V1, V2]);
    const before = viewOf(table);
    const removal = (revision: number, id: string): RouteUpdate => ({
      epoch: EPOCH,
      revision,
      change: { kind: 'worker_removed', workerId: id },
    });
    expect(() => table.apply([removal(2, 'one'), removal(4, 'two')])).toThrow(
      `${EPOCH}/4 does not follow ${EPOCH}/2`,
    );
    expect(viewOf(table)).toEqual(before);
    table.apply([removal(2, 'one'), removal(3, 'two')]);
    expect(table.revision).toBe(3);
    expect(pools(table.routeFor('q', undefined)!).flatMap(idsOf)).toEqual([]);
  });

  test('that is none changes nothing', () => {
    const table = tableOf([OPEN], [V1]);
    const before = table.routeFor('q', undefined);
    table.apply([]);
    expect(table.revision).toBe(1);
    expect(table.routeFor('q', undefined)).toBe(before);
  });

  test('a snapshot is taken whatever its revision and epoch are: the store may have been lost', () => {
    const table = createTable();
    table.replace({ epoch: 'old', revision: 900, routes: [OPEN], workers: [V1] });
    table.replace({ epoch: 'new', revision: 2, routes: [], workers: [V2] });
    expect([table.epoch, table.revision]).toEqual(['new', 2]);
    expect(table.snapshot()).toEqual({ epoch: 'new', revision: 2, routes: [], workers: [V2] });
  });
});

describe('a change tells', () => {
  const other = openSplit(undefined, deploymentOf({ id: 'canary_2', queue: 'other' }));
  const elsewhere = workerOf('elsewhere', { queues: ['other'] });
  const told = (table: Table, ...changes: readonly RouteChange[]) => {
    const first = table.revision + 1;
    const { queues, gone } = table.apply(
      changes.map((next, i) => ({ epoch: EPOCH, revision: first + i, change: next })),
    );
    return [[...queues].toSorted(), gone];
  };

  test('which queues it touched, and which workers are gone', () => {
    const table = tableOf([OPEN, other], [V1, V2, elsewhere]);
    expect(told(table, { kind: 'route', route: OPEN })).toEqual([['q'], []]);
    expect(told(table, { kind: 'worker', worker: { ...elsewhere, queues: ['q'] } })).toEqual([
      ['other', 'q'],
      [],
    ]);
    expect(told(table, { kind: 'worker_removed', workerId: 'elsewhere' })).toEqual([['q'], ['elsewhere']]);
    expect(told(table, { kind: 'worker_removed', workerId: 'elsewhere' })).toEqual([[], ['elsewhere']]);
  });

  test('of a worker that came back at once nothing but its queues', () => {
    const table = tableOf([OPEN], [V1, V2]);
    const removed = { kind: 'worker_removed', workerId: V1.id } as const;
    expect(told(table, removed, { kind: 'worker', worker: V1 })).toEqual([['q'], []]);
  });

  test('of a snapshot all queues, those that it no longer has included', () => {
    const table = tableOf([OPEN, other], [V1, V2, elsewhere]);
    const { queues, gone } = table.replace(snapshotOf([OPEN], [V1], 2));
    expect([...queues].toSorted()).toEqual(['other', 'q']);
    expect(gone.toSorted()).toEqual(['elsewhere', V2.id].toSorted());
  });
});

describe('a change leaves alone', () => {
  const other = openSplit(undefined, deploymentOf({ id: 'canary_2', queue: 'other' }));
  const elsewhere = workerOf('elsewhere', { queues: ['other'] });

  test('the queues that it does not touch: their compiled objects stay the same', () => {
    const table = tableOf([OPEN, other], [V1, V2, elsewhere]);
    const untouched = table.queues.get('other');
    putRoute(table, withPercentage(OPEN, 50, 2));
    change(table, { kind: 'worker', worker: { ...V1, status: 'degraded' } });
    change(table, { kind: 'worker_removed', workerId: 'two' });
    change(table, { kind: 'worker', worker: workerOf('three') });
    expect(table.queues.get('other')).toBe(untouched);
  });

  test('the state that a dispatch is looking at', () => {
    const table = tableOf([OPEN], [V1, V2]);
    const seen = table.routeFor('q', undefined)!;
    const before = viewOfRoute(seen);
    putRoute(table, promoted(OPEN));
    change(table, { kind: 'worker_removed', workerId: 'one' });
    expect(viewOfRoute(seen)).toEqual(before);
    expect(table.routeFor('q', undefined)).not.toBe(seen);
  });

  test('the pools, if it is a change of percentage: no ring is built', () => {
    const table = tableOf([OPEN], [V1, V2]);
    const before = table.routeFor('q', undefined)!;
    putRoute(table, withPercentage(OPEN, 50, 2));
    const after = table.routeFor('q', undefined)!;
    expect(after).toMatchObject({ percentage: 50, threshold: laneThreshold(50) });
    pools(after).forEach((pool, i) => expect(pool).toBe(pools(before)[i]));
  });

  test('the pool of a canary that becomes stable, and the load it counts', () => {
    const table = tableOf([OPEN], [V1, V2]);
    const before = table.routeFor('q', undefined)!;
    putRoute(table, promoted(OPEN));
    const after = table.routeFor('q', undefined)!;
    expect(after.stable).toBe(before.canary);
    expect(after.reserve).toBe(before.stable);
    expect(idsOf(after.canary)).toEqual([]);
  });

  test('the pools, if a worker is only unhealthy, but not if it is degraded, which halves its weight', () => {
    const table = tableOf([OPEN], [V1, V2]);
    const before = table.routeFor('q', undefined)!.stable;
    change(table, { kind: 'worker', worker: { ...V1, status: 'unhealthy' } });
    expect(table.routeFor('q', undefined)!.stable).toBe(before);
    expect(before.endpoints[0]!.worker.status).toBe('unhealthy');
    change(table, { kind: 'worker', worker: { ...V1, status: 'degraded' } });
    expect(table.routeFor('q', undefined)!.stable.weights).toEqual([0.5]);
  });

  test('the pools, if a snapshot says what is known already', () => {
    const table = tableOf([OPEN], [V1, V2]);
    const before = table.routeFor('q', undefined)!;
    table.replace(table.snapshot());
    pools(table.routeFor('q', undefined)!).forEach((pool, i) => expect(pool).toBe(pools(before)[i]));
  });
});

describe('the rings of a queue are built', () => {
  const two = [workerOf('a'), workerOf('b')];

  test('by its first job, and by changes from then on', () => {
    const table = tableOf([], two);
    expect(table.routeFor('q', undefined)!.stable.hasRing).toBe(false);
    change(table, { kind: 'worker', worker: workerOf('c') });
    expect(table.routeFor('q', undefined)!.stable.hasRing).toBe(false);
    expect(table.routeFor('q', undefined)!.stable.ring.size).toBe(3);
    change(table, { kind: 'worker_removed', workerId: 'c' });
    expect(table.routeFor('q', undefined)!.stable.hasRing).toBe(true);
  });

  test('of a canary too, before its first job, where stable has had some', () => {
    const table = tableOf([], [...two, workerOf('c', { version: 'v2' })]);
    expect(table.routeFor('q', undefined)!.stable.ring.size).toBe(3);
    putRoute(table, openSplit(undefined, deploymentOf({ canaryVersion: 'v2', stableVersion: 'v1' })));
    expect(table.routeFor('q', undefined)!.canary.hasRing).toBe(true);
  });
});

describe('queues', () => {
  test('with the same workers share their pools, and so their rings', () => {
    const queues = ['a', 'b', 'c'];
    const table = tableOf([], [workerOf('one', { queues }), workerOf('two', { queues })]);
    const [a, b, c] = queues.map((queue) => table.routeFor(queue, undefined)!.stable);
    expect(idsOf(a!)).toEqual(['one', 'two']);
    expect(b).toBe(a);
    expect(c).toBe(a);
  });

  test('that share still do after one of their workers left or was degraded', () => {
    const queues = ['a', 'b'];
    const one = workerOf('one', { queues });
    const table = tableOf([], [one, workerOf('two', { queues })]);
    change(table, { kind: 'worker', worker: { ...one, status: 'degraded' } });
    expect(table.routeFor('a', undefined)!.stable).toBe(table.routeFor('b', undefined)!.stable);
    change(table, { kind: 'worker_removed', workerId: 'one' });
    expect(table.routeFor('a', undefined)!.stable).toBe(table.routeFor('b', undefined)!.stable);
    expect(idsOf(table.routeFor('a', undefined)!.stable)).toEqual(['two']);
  });

  test('that each opened a deployment of their own still share, one after the other', () => {
    const queues = ['a', 'b', 'c'];
    const table = tableOf([], [workerOf('one', { queues }), workerOf('two', { version: 'v2', queues })]);
    for (const queue of queues)
      putRoute(table, openSplit(undefined, deploymentOf({ id: `canary_${queue}`, queue })));
    const [a, b, c] = queues.map((queue) => pools(table.routeFor(queue, undefined)!));
    expect(a!.map(idsOf)).toEqual([['two'], ['one'], []]);
    for (const place of [0, 1, 2]) {
      expect(b![place]).toBe(a![place]);
      expect(c![place]).toBe(a![place]);
    }
  });

  test('with other workers do not', () => {
    const table = tableOf([], [workerOf('one', { queues: ['a'] }), workerOf('two', { queues: ['a', 'b'] })]);
    expect(table.routeFor('a', undefined)!.stable).not.toBe(table.routeFor('b', undefined)!.stable);
  });

  test('are those that have a worker or a route', () => {
    const table = tableOf([OPEN], [workerOf('one', { queues: ['a', 'b'] })]);
    expect([...table.queues.keys()].toSorted()).toEqual(['a', 'b', 'q']);
    change(table, { kind: 'worker', worker: workerOf('one', { queues: ['b', 'c'] }) });
    expect([...table.queues.keys()].toSorted()).toEqual(['b', 'c', 'q']);
    change(table, { kind: 'worker_removed', workerId: 'one' });
    expect([...table.queues.keys()]).toEqual(['q']);
    expect(table.routeFor('b', undefined)).toBeUndefined();
  });

  test('without a deployment use the lane that each worker registered with, and route all to stable', () => {
    const table = tableOf([], [V1, workerOf('two', { lane: 'canary' })]);
    expect(table.routeFor('q', undefined)).toMatchObject({ threshold: 0, percentage: 0, sticky: true });
    expect(pools(table.routeFor('q', undefined)!).map(idsOf)).toEqual([['two'], ['one'], []]);
  });
});

describe('a compiled route', () => {
  test('carries the deployment’s id, its salt, its step, and what may be done with its jobs', () => {
    const { config } = deploymentOf();
    const open = openSplit(
      undefined,
      deploymentOf({
        id: 'canary_9',
        currentPercent: 12.34,
        step: 3,
        config: { ...config, fallback: 'none', stickyRouting: false, retryOnStable: true, requiredKeys: 20 },
      }),
    );
    expect(tableOf([open], []).routeFor('q', undefined)).toMatchObject({
      queue: 'q',
      tenant: undefined,
      deploymentId: 'canary_9',
      seed: laneSeed('canary_9'),
      percentage: 12.34,
      threshold: laneThreshold(12.34),
      sticky: false,
      fallsBack: false,
      retriesOnStable: true,
      step: 3,
      countsKeys: true,
    });
  });

  test('has after a rollback no split and nobody of the rejected version', () => {
    const table = tableOf([OPEN], [V1, V2]);
    putRoute(table, rolledBack(OPEN));
    const route = table.routeFor('q', undefined)!;
    expect(route).toMatchObject({ threshold: 0, deploymentId: undefined, retriesOnStable: false });
    expect(pools(route).map(idsOf)).toEqual([[], ['one'], []]);
  });

  test('has the strategy of the configuration, else of the latest deployment, else the default', () => {
    const configured = createTable(() => ({ ...POLICY, strategy: 'stream_group' }));
    configured.replace(snapshotOf([OPEN], [V1]));
    expect(configured.routeFor('q', undefined)!.strategy).toBe('stream_group');
    expect(tableOf([OPEN], [V1]).routeFor('q', undefined)!.strategy).toBe('hash_ring');
    expect(tableOf([promoted(OPEN)], [V1]).routeFor('q', undefined)!.strategy).toBe('hash_ring');
    expect(tableOf([], [V1]).routeFor('q', undefined)!.strategy).toBe('split_queue');
  });

  test('has the policy of its own queue', () => {
    const table = createTable((queue) => ({ ...POLICY, laneOverride: queue === 'a' }));
    table.replace(snapshotOf([], [workerOf('one', { queues: ['a', 'b'] })]));
    expect(table.queues.get('a')!.policy.laneOverride).toBe(true);
    expect(table.queues.get('b')!.policy.laneOverride).toBe(false);
  });
});

describe('a worker', () => {
  test('keeps its endpoint when its weight, lane, status or queues change', () => {
    const table = tableOf([], [V1]);
    const [endpoint] = table.routeFor('q', undefined)!.stable.endpoints;
    change(table, { kind: 'worker', worker: { ...V1, weight: 2, queues: ['q', 'r'] } });
    for (const queue of ['q', 'r']) {
      expect(table.routeFor(queue, undefined)!.stable.endpoints).toEqual([endpoint]);
      expect(table.routeFor(queue, undefined)!.stable.endpoints[0]).toBe(endpoint);
    }
    expect(table.routeFor('q', undefined)!.stable.weights).toEqual([2]);
  });

  test('that comes back with another version changes its lane', () => {
    const table = tableOf([OPEN], [V1, V2]);
    change(table, { kind: 'worker', worker: { ...V1, version: 'v2' } });
    expect(pools(table.routeFor('q', undefined)!).map(idsOf)).toEqual([['one', 'two'], [], []]);
  });

  test('whose id holds a bar is not taken for two', () => {
    const alone = workerOf('x|y', { queues: ['a'] });
    const two = [workerOf('x', { queues: ['b'] }), workerOf('y', { queues: ['b'] })];
    const table = tableOf([], [alone, ...two]);
    expect(idsOf(table.routeFor('a', undefined)!.stable)).toEqual(['x|y']);
    expect(idsOf(table.routeFor('b', undefined)!.stable)).toEqual(['x', 'y']);
  });
});

describe('the jobs of a tenant', () => {
  const tenantOpen = openSplit(
    undefined,
    deploymentOf({ id: 'canary_t', tenant: 'acme', currentPercent: 100, canaryVersion: 'v3' }),
  );

  test('follow its own deployment while one is open; those of others follow the queue', () => {
    const table = tableOf([OPEN, tenantOpen], [V1, V2]);
    expect(table.routeFor('q', 'acme')).toMatchObject({ tenant: 'acme', deploymentId: 'canary_t' });
    expect(table.routeFor('q', 'other')).toBe(table.routeFor('q', undefined));
    expect(table.routeFor('q', undefined)).toMatchObject({ tenant: undefined, deploymentId: 'canary_1' });
  });

  test('follow the queue again once the queue decides something after the tenant’s rollback', () => {
    const table = tableOf([stampRoute(tenantOpen, 1)], [V1, V2]);
    putRoute(table, rolledBack(stampRoute(tenantOpen, 1)));
    expect(table.routeFor('q', 'acme')!.tenant).toBe('acme');
    putRoute(table, OPEN);
    expect(table.routeFor('q', 'acme')).toMatchObject({ tenant: undefined, deploymentId: 'canary_1' });
  });

  test('share the pools of the queue where the members are the same', () => {
    const table = tableOf([OPEN, tenantOpen], [V1]);
    expect(table.routeFor('q', 'acme')!.stable).toBe(table.routeFor('q', undefined)!.stable);
  });

  test('find the workers of a queue that has no route but theirs', () => {
    const table = tableOf([promoted(stampRoute(tenantOpen, 1))], [V1, workerOf('three', { version: 'v3' })]);
    expect(pools(table.routeFor('q', 'acme')!).map(idsOf)).toEqual([[], ['three'], ['one']]);
    expect(pools(table.routeFor('q', undefined)!).map(idsOf)).toEqual([[], ['one', 'three'], []]);
  });
});
