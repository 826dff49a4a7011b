import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashKey } from '../../src/core/hash.ts';
import {
  BOUNDED_LOAD_DEFAULT,
  chooseByKey,
  chooseByLoad,
  occupy,
  vacate,
  createPool,
  holdsSame,
  NONE_TRIED,
  type Pool,
} from '../../src/core/pool.ts';
import { KeyCounts } from '../../src/core/key-counts.ts';
import { candidates } from '../../src/core/ring.ts';
import {
  endpointOf,
  KEY_SHAPES,
  keysOf,
  poolOf,
  randomOf,
  setInFlight,
  workerOf,
  type TestEndpoint,
} from './fixtures.ts';

const BOUND = BOUNDED_LOAD_DEFAULT;
const KEYS = keysOf(KEY_SHAPES['user-<n>']!, 2000);

function poolOfSize(size: number): Pool<TestEndpoint> {
  return poolOf(...Array.from({ length: size }, (_, i) => workerOf(`worker-${i}`)));
}

function preferencesOf(pool: Pool<TestEndpoint>, key: string): number[] {
  return [...candidates(pool.ring, hashKey(key))];
}

function memberFor(pool: Pool<TestEndpoint>, key: string, tried: readonly TestEndpoint[] = []) {
  return chooseByKey(pool, hashKey(key), BOUND, tried)?.member;
}

/** A pool whose mean in-flight is 100, and a key with its first two candidates. */
function loaded(): { pool: Pool<TestEndpoint>; first: number; second: number } {
  const pool = poolOfSize(10);
  for (let m = 0; m < 10; m++) setInFlight(pool, m, 100);
  const [first, second] = preferencesOf(pool, 'hot');
  return { pool, first: first!, second: second! };
}

/** How often each member is drawn. */
function counts(pool: Pool<TestEndpoint>, draws: number): number[] {
  const random = randomOf(3);
  const chosen = pool.endpoints.map(() => 0);
  for (let i = 0; i < draws; i++) chosen[chooseByLoad(pool, random, NONE_TRIED)!.member]! += 1;
  return chosen;
}

describe('chooseByKey', () => {
  test('takes the first candidate of the key when nothing speaks against it', () => {
    const pool = poolOfSize(5);
    for (const key of KEYS.slice(0, 200)) {
      const choice = chooseByKey(pool, hashKey(key), BOUND, NONE_TRIED)!;
      expect(choice.member).toBe(preferencesOf(pool, key)[0]);
      expect(choice.endpoint).toBe(pool.endpoints[choice.member]);
      expect(choice.pool).toBe(pool);
      expect(choice.spilled).toBe(false);
    }
  });

  test('skips workers that are unusable, full, or were tried already, in the order of the ring', () => {
    const obstacle = fc.constantFrom('none', 'unusable', 'full', 'tried');
    fc.assert(
      fc.property(fc.array(obstacle, { minLength: 6, maxLength: 6 }), fc.string(), (obstacles, key) => {
        const pool = poolOfSize(6);
        const tried: TestEndpoint[] = [];
        obstacles.forEach((what, m) => {
          const endpoint = pool.endpoints[m]!;
          if (what === 'unusable') endpoint.usable = false;
          if (what === 'full') {
            endpoint.worker = { ...endpoint.worker, maxConcurrency: 3 };
            endpoint.inFlight = 3;
          }
          if (what === 'tried') tried.push(endpoint);
        });
        const open = preferencesOf(pool, key).find((m) => obstacles[m] === 'none');
        expect(memberFor(pool, key, tried)).toBe(open);
      }),
    );
  });

  test('gives a worker back its keys as soon as it is usable again', () => {
    const pool = poolOfSize(5);
    const before = KEYS.map((key) => memberFor(pool, key));
    pool.endpoints[2]!.usable = false;
    expect(KEYS.map((key) => memberFor(pool, key))).not.toContain(2);
    pool.endpoints[2]!.usable = true;
    expect(KEYS.map((key) => memberFor(pool, key))).toEqual(before);
  });

  test('sends a worker up to its max_concurrency and no more', () => {
    const pool = poolOf(workerOf('only', { maxConcurrency: 2 }));
    pool.endpoints[0]!.inFlight = 1;
    expect(memberFor(pool, 'key')).toBe(0);
    pool.endpoints[0]!.inFlight = 2;
    expect(memberFor(pool, 'key')).toBeUndefined();
  });

  test('finds nobody in an empty pool, nor in one where all are out', () => {
    expect(memberFor(createPool<TestEndpoint>([]), 'key')).toBeUndefined();
    const pool = poolOfSize(3);
    for (const endpoint of pool.endpoints) endpoint.usable = false;
    expect(memberFor(pool, 'key')).toBeUndefined();
  });

  // A 32-bit mark of who was seen stops matching its 53-bit counter after 2^32 choices, half a day at 100,000 a
  // second; from then on the walk would count one worker's points as workers and give up too early.
  test('still finds the last open worker after more than 2^32 choices', () => {
    const pool = poolOfSize(5);
    pool.walk = 2 ** 32 + 7;
    pool.endpoints.forEach((endpoint, m) => (endpoint.usable = m === 3));
    expect(KEYS.every((key) => memberFor(pool, key) === 3)).toBe(true);
    expect(KEYS.every(() => chooseByLoad(pool, () => 0.5, NONE_TRIED)?.member === 3)).toBe(true);
  });
});

describe('bounded load', () => {
  test('keeps a key on its worker up to 1.25 times the mean and spills to the next candidate above', () => {
    const { pool, first, second } = loaded();
    // With this job 1,029 are under way on ten workers: the bound is 1.25 × 102.9, rounded up, 129.
    setInFlight(pool, first, 128);
    expect(chooseByKey(pool, hashKey('hot'), BOUND, NONE_TRIED)).toMatchObject({
      member: first,
      spilled: false,
    });
    // Of 1,030 it is 128.75, rounded up 129 again.
    setInFlight(pool, first, 129);
    expect(chooseByKey(pool, hashKey('hot'), BOUND, NONE_TRIED)).toMatchObject({
      member: second,
      spilled: true,
    });
  });

  test('a hot key fills its candidates one after the other, never one above the bound', () => {
    const pool = poolOfSize(10);
    const order = preferencesOf(pool, 'hot');
    for (let job = 0; job < 1000; job++) {
      const { member, spilled } = chooseByKey(pool, hashKey('hot'), BOUND, NONE_TRIED)!;
      const limit = Math.max(BOUND.floor, Math.ceil((BOUND.factor * (pool.inFlightTotal + 1)) / 10));
      expect(pool.inFlight[member]!).toBeLessThan(limit);
      // Everyone whom the key likes better is at the bound.
      const better = order.slice(0, order.indexOf(member));
      for (const m of better) expect(pool.inFlight[m]!).toBeGreaterThanOrEqual(limit);
      expect(spilled).toBe(better.length > 0);
      setInFlight(pool, member, pool.inFlight[member]! + 1);
    }
    expect(Math.max(...pool.inFlight)).toBeLessThanOrEqual(126);
  });

  test('never passes over a worker that holds less than the floor, however uneven that is', () => {
    const pool = poolOfSize(10);
    const [first] = preferencesOf(pool, 'hot');
    setInFlight(pool, first!, BOUND.floor - 1);
    expect(chooseByKey(pool, hashKey('hot'), BOUND, NONE_TRIED)).toMatchObject({
      member: first,
      spilled: false,
    });
    setInFlight(pool, first!, BOUND.floor);
    expect(chooseByKey(pool, hashKey('hot'), BOUND, NONE_TRIED)?.spilled).toBe(true);
  });

  // 64 jobs under way on ten workers put 17 and more on one of them every few thousand jobs; that moved keys that had
  // nothing else under way off their worker.
  test('is for keys that have jobs under way: any other stays with its worker, however full that is', () => {
    const { pool, first, second } = loaded();
    setInFlight(pool, first, 500);
    Object.assign(pool, { keysInFlight: new KeyCounts() });
    const alone = chooseByKey(pool, hashKey('hot'), BOUND, NONE_TRIED)!;
    expect(alone).toMatchObject({ member: first, spilled: false });
    occupy(alone);
    expect(chooseByKey(pool, hashKey('hot'), BOUND, NONE_TRIED)).toMatchObject({
      member: second,
      spilled: true,
    });
    vacate(alone);
    expect(chooseByKey(pool, hashKey('hot'), BOUND, NONE_TRIED)).toEqual(alone);
  });

  test('counts what begins and ends: everything is as before once all dispatches are over', () => {
    const pool = poolOfSize(5);
    const random = randomOf(3);
    const choices = KEYS.slice(0, 500).map((key, i) => {
      const choice =
        i % 3 === 0
          ? chooseByLoad(pool, random, NONE_TRIED)!
          : chooseByKey(pool, hashKey(key), BOUND, NONE_TRIED)!;
      occupy(choice);
      return choice;
    });
    expect(pool.inFlightTotal).toBe(500);
    expect(pool.inFlight.reduce((a, b) => a + b)).toBe(500);
    expect(pool.keysInFlight.size).toBe(333);
    choices.forEach(vacate);
    expect([pool.inFlightTotal, ...pool.inFlight]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(pool.keysInFlight.size).toBe(0);
    expect(pool.endpoints.every(({ inFlight }) => inFlight === 0)).toBe(true);
  });

  test('lets a worker of weight 2 hold twice as much', () => {
    const pool = poolOf(workerOf('a', { weight: 2 }), workerOf('b'), workerOf('c'));
    const key = KEYS.find((k) => preferencesOf(pool, k)[0] === 0)!;
    // 400 under way, mean 100 a weight.
    for (const [m, n] of [225, 90, 85].entries()) setInFlight(pool, m, n);
    expect(chooseByKey(pool, hashKey(key), BOUND, NONE_TRIED)).toMatchObject({ member: 0, spilled: false });
    for (const [m, n] of [260, 70, 70].entries()) setInFlight(pool, m, n);
    expect(chooseByKey(pool, hashKey(key), BOUND, NONE_TRIED)?.spilled).toBe(true);
  });

  test('spills past unusable workers', () => {
    const { pool, first, second } = loaded();
    setInFlight(pool, first, 200);
    pool.endpoints[second]!.usable = false;
    const third = preferencesOf(pool, 'hot')[2];
    expect(chooseByKey(pool, hashKey('hot'), BOUND, NONE_TRIED)).toMatchObject({
      member: third,
      spilled: true,
    });
  });

  test('has no say when one worker is left', () => {
    const { pool, first } = loaded();
    pool.endpoints.forEach((endpoint, m) => (endpoint.usable = m === first));
    setInFlight(pool, first, 100_000);
    expect(chooseByKey(pool, hashKey('hot'), BOUND, NONE_TRIED)).toMatchObject({
      member: first,
      spilled: false,
    });
  });

  // With two of ten workers out, 1.25 times the mean over ten is the mean over the eight that carry the load: half of
  // them are above it at any time, and nearly every job was moved off its sticky worker to whoever was below.
  test.each([0, 1, 2, 3, 5, 8])('does not make the keys spill because %i of ten workers are out', (out) => {
    const pool = poolOfSize(10);
    for (let m = 0; m < out; m++) pool.endpoints[m]!.usable = false;
    const random = randomOf(17);
    const underWay: number[] = [];
    const JOBS = 10_000;
    let spilled = 0;
    for (let job = 0; job < JOBS; job++) {
      if (underWay.length === 1000) {
        const [done] = underWay.splice(Math.floor(random() * 1000), 1);
        setInFlight(pool, done!, pool.inFlight[done!]! - 1);
      }
      const choice = chooseByKey(pool, hashKey(`user-${job}`), BOUND, NONE_TRIED)!;
      if (choice.spilled) spilled++;
      underWay.push(choice.member);
      setInFlight(pool, choice.member, pool.inFlight[choice.member]! + 1);
    }
    expect(spilled / JOBS).toBeLessThan(0.05);
  });

  test('always finds room for one more on some open worker', () => {
    const worker = fc.record({
      weight: fc.constantFrom(0.5, 1, 2, 10),
      usable: fc.boolean(),
      inFlight: fc.nat(500),
    });
    fc.assert(
      fc.property(fc.array(worker, { minLength: 1, maxLength: 6 }), fc.string(), (workers, key) => {
        const pool = poolOf(...workers.map(({ weight }, i) => workerOf(`w${i}`, { weight })));
        workers.forEach(({ usable, inFlight }, m) => {
          pool.endpoints[m]!.usable = usable;
          setInFlight(pool, m, inFlight);
        });
        const choice = chooseByKey(pool, hashKey(key), { factor: 1.01, floor: 0 }, NONE_TRIED);
        expect(choice?.endpoint.usable).toBe(workers.some((w) => w.usable) ? true : undefined);
      }),
    );
  });
});

describe('chooseByLoad', () => {
  test('takes the less loaded of two workers', () => {
    const pool = poolOfSize(2);
    setInFlight(pool, 0, 5);
    setInFlight(pool, 1, 4);
    expect(counts(pool, 500)).toEqual([0, 500]);
  });

  test('never takes the most loaded worker while there is another', () => {
    const pool = poolOfSize(5);
    setInFlight(pool, 3, 1);
    const chosen = counts(pool, 2000);
    expect(chosen[3]).toBe(0);
    expect(chosen.filter((n) => n === 0)).toHaveLength(1);
  });

  test('never takes one that is unusable, full or tried', () => {
    const open = fc.array(fc.constantFrom('open', 'unusable', 'full', 'tried'), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(open, fc.integer(), (states, seed) => {
        const pool = poolOfSize(states.length);
        const tried = pool.endpoints.filter((_, m) => states[m] === 'tried');
        pool.endpoints.forEach((endpoint, m) => {
          endpoint.usable = states[m] !== 'unusable';
          if (states[m] === 'full') endpoint.worker = { ...endpoint.worker, maxConcurrency: 0 };
        });
        const choice = chooseByLoad(pool, randomOf(seed), tried);
        expect(choice && states[choice.member]).toBe(states.includes('open') ? 'open' : undefined);
      }),
    );
  });

  test('counts load by weight: a worker of weight 2 with 3 jobs is less loaded than one of weight 1 with 2', () => {
    const pool = poolOf(workerOf('double', { weight: 2 }), workerOf('single'));
    setInFlight(pool, 0, 3);
    setInFlight(pool, 1, 2);
    expect(counts(pool, 200)).toEqual([200, 0]);
  });

  test('draws by weight where the loads are equal', () => {
    const chosen = counts(poolOf(workerOf('double', { weight: 2 }), workerOf('b'), workerOf('c')), 20_000);
    // The first of the two draws wins a tie, and it falls on a worker by its weight.
    expect(chosen.map((n) => Math.round(n / 1000))).toEqual([10, 5, 5]);
  });

  test('counts what a worker does for other queues too', () => {
    const pool = poolOfSize(2);
    pool.endpoints[0]!.inFlight = 9;
    expect(counts(pool, 200)).toEqual([0, 200]);
  });

  test('keeps the loads even without any key', () => {
    const pool = poolOfSize(10);
    const random = randomOf(5);
    for (let i = 0; i < 1000; i++) {
      const { member } = chooseByLoad(pool, random, NONE_TRIED)!;
      setInFlight(pool, member, pool.inFlight[member]! + 1);
    }
    expect(Math.max(...pool.inFlight) - Math.min(...pool.inFlight)).toBeLessThan(8);
  });

  test('finds nobody in an empty pool and the only one in a pool of one', () => {
    expect(chooseByLoad(createPool<TestEndpoint>([]), Math.random, NONE_TRIED)).toBeUndefined();
    expect(counts(poolOfSize(1), 10)).toEqual([10]);
  });

  test('never counts as a spill', () => {
    const pool = poolOfSize(2);
    setInFlight(pool, 0, 5000);
    expect(chooseByLoad(pool, randomOf(1), NONE_TRIED)?.spilled).toBe(false);
  });
});

describe('a pool serves again for the same endpoints', () => {
  const endpoints = [endpointOf(workerOf('a')), endpointOf(workerOf('b'))];
  const pool = createPool(endpoints);

  test('with the same weights in the same order', () => {
    expect(holdsSame(pool, [...endpoints])).toBe(true);
    expect(holdsSame(pool, endpoints.toReversed())).toBe(false);
    expect(holdsSame(pool, endpoints.slice(0, 1))).toBe(false);
    expect(holdsSame(pool, [...endpoints, endpointOf(workerOf('c'))])).toBe(false);
    expect(holdsSame(pool, [endpoints[0]!, endpointOf(workerOf('b'))])).toBe(false);
  });

  test('but not once one of them is degraded, which halves its weight', () => {
    const [a, b] = [endpointOf(workerOf('a')), endpointOf(workerOf('b'))];
    const before = createPool([a, b]);
    b.worker = { ...b.worker, status: 'degraded' };
    expect(holdsSame(before, [a, b])).toBe(false);
    const after = createPool([a, b]);
    expect(after.weights).toEqual([1, 0.5]);
    expect(after.weightTotal).toBe(1.5);
    expect(after.ring.points).toHaveLength(before.ring.points.length * 0.75);
  });
});
