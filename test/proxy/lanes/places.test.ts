import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WorkerEndpoint, type HealthRules } from '../../../proxy/endpoint.ts';
import { Places, type Claim } from '../../../proxy/lanes/places.ts';
import { workerOf } from '../../core/fixtures.ts';

const RULES: HealthRules = {
  policy: { failures: 0, time: 1, timeMax: 1, shareMax: 0 },
  probing: { unhealthyAfter: 1, healthyAfter: 1 },
  now: () => 0,
  canSpare: () => false,
  onEjected: () => undefined,
  onReturned: () => undefined,
  onProbesTurned: () => undefined,
  onJoined: () => undefined,
  onOpen: () => undefined,
};

const NEVER = new AbortController().signal;

function endpoint(id: string, maxConcurrency?: number): WorkerEndpoint {
  const url = 'http://127.0.0.1:1';
  return new WorkerEndpoint(
    workerOf(id, { url, ...(maxConcurrency !== undefined && { maxConcurrency }) }),
    undefined,
    RULES,
  );
}

function placesOf(concurrency: number, monotonic = (): number => 0): Places {
  return new Places({ concurrency, isOwn: () => true, monotonic, random: () => 0 });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** As a dispatch does. */
function begin(places: Places, worker: WorkerEndpoint): void {
  worker.inFlight++;
  places.begin(worker);
}

function end(places: Places, worker: WorkerEndpoint): void {
  worker.inFlight--;
  places.end(worker);
}

describe('places', () => {
  it('are as many as a worker says, or as are configured', async () => {
    const places = placesOf(10);
    const [says, silent] = [endpoint('says', 3), endpoint('silent')];
    expect((await places.claim([says, silent], 100, NEVER)).count).toBe(13);
    places.close();
  });

  it('of a worker that says how many are shared with what else it is sent', async () => {
    const places = placesOf(10);
    const [says, silent] = [endpoint('says', 3), endpoint('silent')];
    says.inFlight = 2;
    silent.inFlight = 7;
    expect((await places.claim([says], 100, NEVER)).count).toBe(1);
    expect((await places.claim([silent], 100, NEVER)).count).toBe(10);
    places.close();
  });

  it('go in turns to those who wait, all that became free in a turn at once', async () => {
    const places = placesOf(4);
    const worker = endpoint('w');
    (await places.claim([worker], 4, NEVER)).release();
    for (let i = 0; i < 4; i++) begin(places, worker);
    const got: string[] = [];
    const wait = async (name: string): Promise<Claim> => {
      const claim = await places.claim([worker], 10, NEVER);
      got.push(`${name}${claim.count}`);
      return claim;
    };
    const waiting = ['a', 'b', 'c'].map(wait);
    for (let i = 0; i < 4; i++) end(places, worker);
    const claims = await Promise.all(waiting);
    expect(got).toEqual(['a2', 'b1', 'c1']);
    // Those that come meanwhile are behind those that wait.
    const late = [wait('d'), wait('e')];
    claims[0]?.release();
    await late[0];
    claims[1]?.release();
    await Promise.all(late);
    expect(got.slice(3)).toEqual(['d1', 'e1']);
    places.close();
  });

  it('are not waited for any longer when nobody wants them', async () => {
    const places = placesOf(1);
    const worker = endpoint('w');
    begin(places, worker);
    const stop = new AbortController();
    const waiting = places.claim([worker], 1, stop.signal);
    stop.abort();
    expect((await waiting).count).toBe(0);
    end(places, worker);
    expect((await places.claim([worker], 1, NEVER)).count).toBe(1);
    places.close();
  });

  it('of a worker that refuses connections are none until it has had its rest', async () => {
    let now = 0;
    const places = placesOf(2, () => now);
    const [worker, other] = [endpoint('w'), endpoint('other')];
    places.noteRefused(worker);
    expect((await places.claim([worker, other], 10, NEVER)).count).toBe(2);
    expect(places.isReachable(worker)).toBe(false);
    now = 15_000;
    expect((await places.claim([worker], 10, NEVER)).count).toBe(2);
    places.close();
  });

  it('that others give back are found without being told of', async () => {
    const places = placesOf(1);
    const worker = endpoint('w', 1);
    worker.inFlight = 1;
    const waiting = places.claim([worker], 1, NEVER);
    await turn();
    // A dispatch that came over HTTP ends.
    worker.inFlight = 0;
    expect((await waiting).count).toBe(1);
    places.close();
  });

  it('are never more than there are, and nobody waits while one is free', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ who: fc.nat({ max: 4 }), max: fc.integer({ min: 1, max: 5 }) }), {
          maxLength: 30,
        }),
        async (claims) => {
          const places = placesOf(3);
          const workers = [endpoint('a'), endpoint('b'), endpoint('c', 2)];
          const sets = [[0], [0, 1], [1, 2], [2], [0, 1, 2]].map((set) => set.map((i) => workers[i]!));
          let out = 0;
          const use = async ({ who, max }: { who: number; max: number }): Promise<void> => {
            const claim = await places.claim(sets[who]!, max, NEVER);
            out += claim.count;
            expect(claim.count).toBeLessThanOrEqual(max);
            expect(out).toBeLessThanOrEqual(8);
            await turn();
            out -= claim.count;
            claim.release();
          };
          await Promise.all(claims.map(use));
          expect(out).toBe(0);
          places.close();
        },
      ),
      { numRuns: 50 },
    );
  });
});
