import { describe, expect, test } from 'vitest';
import { hashKey } from '../../src/core/hash.ts';
import { awaitedPool, chooseLane, decide, placeInLane, type CompiledRoute } from '../../src/core/decide.ts';
import { laneSeed, laneThreshold, type Lane } from '../../src/core/lane.ts';
import { BOUNDED_LOAD_DEFAULT, NONE_TRIED, type Pool } from '../../src/core/pool.ts';
import {
  KEY_SHAPES,
  keysOf,
  poolOf,
  randomOf,
  setInFlight,
  workerOf,
  type TestEndpoint,
} from './fixtures.ts';

type TestRoute = CompiledRoute<TestEndpoint>;

function pair(name: string): TestRoute['canary'] {
  return poolOf(workerOf(`${name}-1`), workerOf(`${name}-2`));
}

/** Two canary, two stable and two reserve workers, named after their lanes. */
function routeOf(percentage: number, over: Partial<TestRoute> = {}): TestRoute {
  return {
    queue: 'q',
    tenant: undefined,
    strategy: 'hash_ring',
    percentage,
    sticky: true,
    seed: laneSeed('canary_1'),
    threshold: laneThreshold(percentage),
    fallsBack: true,
    versions: { stable: 'v1', canary: 'v2' },
    retriesOnStable: false,
    step: 1,
    countsKeys: false,
    deploymentId: 'canary_1',
    boundedLoad: BOUNDED_LOAD_DEFAULT,
    canary: pair('canary'),
    stable: pair('stable'),
    reserve: pair('reserve'),
    ...over,
  };
}

function close(...pools: readonly TestRoute['canary'][]): void {
  for (const endpoint of pools.flatMap((pool) => pool.endpoints)) {
    endpoint.takesJobs = false;
    endpoint.usable = false;
  }
}

function eject(pool: Pool<TestEndpoint>, ...members: readonly number[]): void {
  for (const member of members) pool.endpoints[member]!.usable = false;
}

function fill(pool: Pool<TestEndpoint>, ...members: readonly number[]): void {
  for (const member of members) {
    const endpoint = pool.endpoints[member]!;
    endpoint.worker = { ...endpoint.worker, maxConcurrency: 1 };
    endpoint.inFlight = 1;
  }
}

function noRandom(): number {
  throw new Error('a sticky decision uses no randomness');
}

const KEYS = keysOf(KEY_SHAPES['user-<n>']!, 1000);

/** What became of every key: where it went and whether that counted as a fallback. */
function whereTo(route: TestRoute, lane?: Lane, random: () => number = noRandom): Set<string> {
  return new Set(
    KEYS.map((key) => {
      const placement = decide(route, hashKey(key), lane, random);
      if (placement === undefined) return 'nowhere';
      const name = placement.endpoint.worker.id.slice(0, -2);
      return `${name} as ${placement.lane}${placement.fallback ? ', fallback' : ''}`;
    }),
  );
}

describe('the lane of a job', () => {
  test('is that of its key, while routing is sticky', () => {
    const route = routeOf(25);
    const lanes = KEYS.map((key) => chooseLane(route, hashKey(key), noRandom));
    expect(KEYS.map((key) => chooseLane(route, hashKey(key), noRandom))).toEqual(lanes);
    expect(lanes.filter((lane) => lane === 'canary').length).toBeGreaterThan(200);
    expect(lanes.filter((lane) => lane === 'canary').length).toBeLessThan(300);
  });

  test('is drawn afresh for every dispatch without sticky routing', () => {
    const route = routeOf(25, { sticky: false });
    const random = randomOf(11);
    const lanes = KEYS.map(() => chooseLane(route, hashKey('always the same key'), random));
    expect(lanes.filter((lane) => lane === 'canary').length).toBeGreaterThan(200);
    expect(lanes.filter((lane) => lane === 'canary').length).toBeLessThan(300);
  });

  test('is stable for all at 0 % and canary for all at 100 %, sticky or not', () => {
    for (const sticky of [true, false]) {
      const random = randomOf(1);
      expect(whereTo(routeOf(0, { sticky }), undefined, random)).toEqual(new Set(['stable as stable']));
      expect(whereTo(routeOf(100, { sticky }), undefined, random)).toEqual(new Set(['canary as canary']));
    }
  });

  test('an override decides, whatever the percentage', () => {
    expect(whereTo(routeOf(0), 'canary')).toEqual(new Set(['canary as canary']));
    expect(whereTo(routeOf(100), 'stable')).toEqual(new Set(['stable as stable']));
  });
});

describe('nobody home', () => {
  test('a job whose canary workers are out goes to stable and counts as a fallback', () => {
    const route = routeOf(50);
    close(route.canary);
    expect(whereTo(route)).toEqual(new Set(['stable as stable', 'stable as stable, fallback']));
    const fallbacks = KEYS.filter((key) => decide(route, hashKey(key), undefined, noRandom)!.fallback);
    expect(fallbacks).toEqual(KEYS.filter((key) => chooseLane(route, hashKey(key), noRandom) === 'canary'));
  });

  test('a lane without workers is a lane whose workers are out', () => {
    expect(whereTo(routeOf(100, { canary: poolOf() }))).toEqual(new Set(['stable as stable, fallback']));
  });

  test('with fallback none, it goes nowhere', () => {
    const route = routeOf(50, { fallsBack: false });
    close(route.canary);
    expect(whereTo(route)).toEqual(new Set(['stable as stable', 'nowhere']));
    expect(whereTo(route, 'canary')).toEqual(new Set(['nowhere']));
  });

  test('a stable job never goes to canary', () => {
    const route = routeOf(50);
    close(route.stable, route.reserve);
    expect(whereTo(route)).toEqual(new Set(['canary as canary', 'nowhere']));
    expect(whereTo(route, 'stable')).toEqual(new Set(['nowhere']));
  });

  test('workers of superseded versions are the last resort of the stable lane, and count as a fallback', () => {
    const route = routeOf(50);
    close(route.stable);
    expect(whereTo(route)).toEqual(new Set(['canary as canary', 'reserve as stable, fallback']));
    close(route.canary);
    expect(whereTo(route)).toEqual(new Set(['reserve as stable, fallback']));
    close(route.reserve);
    expect(whereTo(route)).toEqual(new Set(['nowhere']));
  });

  test('superseded versions serve nothing while one stable worker lives', () => {
    const route = routeOf(0);
    route.stable.endpoints[0]!.usable = false;
    setInFlight(route.stable, 1, 100_000);
    expect(whereTo(route)).toEqual(new Set(['stable as stable']));
  });
});

describe('a worker that is ejected', () => {
  test('is passed over for the others of its lane, never for another lane', () => {
    const route = routeOf(100);
    eject(route.canary, 0);
    expect(whereTo(route)).toEqual(new Set(['canary as canary']));
    const workers = KEYS.map((key) => decide(route, hashKey(key), undefined, noRandom)!.endpoint);
    expect(new Set(workers)).toEqual(new Set([route.canary.endpoints[1]]));
  });

  test('is taken where its lane has nobody else, so that what is bad fails where the judge sees it', () => {
    const route = routeOf(50);
    eject(route.canary, 0, 1);
    expect(whereTo(route)).toEqual(new Set(['stable as stable', 'canary as canary']));
    const { endpoints } = route.canary;
    expect(placeInLane(route, 'canary', hashKey('key'), noRandom, [endpoints[0]!])?.endpoint).toBe(
      endpoints[1],
    );
  });

  test('is not taken because the others are busy', () => {
    const route = routeOf(100);
    eject(route.canary, 0);
    fill(route.canary, 1);
    expect(whereTo(route)).toEqual(new Set(['nowhere']));
  });
});

describe('a lane whose workers are full', () => {
  test('keeps its jobs waiting: they go to no other lane and no other version', () => {
    const route = routeOf(50);
    fill(route.canary, 0, 1);
    fill(route.stable, 0, 1);
    expect(whereTo(route)).toEqual(new Set(['nowhere']));
    expect(awaitedPool(route, 'canary', NONE_TRIED)).toBe(route.canary);
    expect(awaitedPool(route, 'stable', NONE_TRIED)).toBe(route.stable);
  });

  test('is awaited only by those that may go there, and while anybody in it could take them', () => {
    const route = routeOf(50);
    fill(route.stable, 0, 1);
    close(route.canary);
    expect(awaitedPool(route, 'canary', NONE_TRIED)).toBe(route.stable);
    expect(awaitedPool({ ...route, fallsBack: false }, 'canary', NONE_TRIED)).toBeUndefined();
    expect(awaitedPool(route, 'stable', route.stable.endpoints)).toBe(route.reserve);
    close(route.stable, route.reserve);
    expect(awaitedPool(route, 'stable', NONE_TRIED)).toBeUndefined();
  });
});

describe('the worker of a job', () => {
  test('is the one its key names, while routing is sticky', () => {
    const route = routeOf(50);
    const workers = KEYS.map((key) => decide(route, hashKey(key), undefined, noRandom)!.endpoint.worker.id);
    expect(KEYS.map((key) => decide(route, hashKey(key), undefined, noRandom)!.endpoint.worker.id)).toEqual(
      workers,
    );
    expect(new Set(workers)).toEqual(new Set(['canary-1', 'canary-2', 'stable-1', 'stable-2']));
  });

  test('is the less loaded of two without sticky routing', () => {
    const route = routeOf(0, { sticky: false });
    setInFlight(route.stable, 0, 1);
    const workers = KEYS.map(
      (key) => decide(route, hashKey(key), undefined, randomOf(2))!.endpoint.worker.id,
    );
    expect(new Set(workers)).toEqual(new Set(['stable-2']));
  });

  test('is another one after its connection failed, then one of the lane to fall back on, then none', () => {
    const route = routeOf(100);
    const tried: TestEndpoint[] = [];
    const visited: string[] = [];
    for (;;) {
      const placement = placeInLane(route, 'canary', hashKey('key'), noRandom, tried);
      if (placement === undefined) break;
      tried.push(placement.endpoint);
      visited.push(`${placement.endpoint.worker.id.slice(0, -2)} ${placement.fallback}`);
    }
    expect(visited).toEqual([
      'canary false',
      'canary false',
      'stable true',
      'stable true',
      'reserve true',
      'reserve true',
    ]);
    expect(new Set(tried).size).toBe(6);
  });

  test('comes with the pool whose load it raises, and with whether the key spilled', () => {
    const route = routeOf(0);
    const first = decide(route, hashKey('hot'), undefined, noRandom)!;
    expect(first).toMatchObject({ pool: route.stable, spilled: false });
    expect(first.pool.endpoints[first.member]).toBe(first.endpoint);
    setInFlight(route.stable, first.member, 1000);
    const next = decide(route, hashKey('hot'), undefined, noRandom)!;
    expect(next).toMatchObject({
      pool: route.stable,
      member: 1 - first.member,
      spilled: true,
      fallback: false,
    });
  });

  test('is of the lane by a hash of its own: canary keys at 10 % reach every worker', () => {
    const ten = poolOf(...Array.from({ length: 10 }, (_, i) => workerOf(`canary-${i}`)));
    const route = routeOf(10, { canary: ten });
    const reached = KEYS.map((key) => decide(route, hashKey(key), undefined, noRandom)!)
      .filter(({ lane }) => lane === 'canary')
      .map(({ member }) => member);
    expect(new Set(reached).size).toBe(10);
  });
});
