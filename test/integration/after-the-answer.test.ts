import { describe, expect, test } from 'vitest';
import { QUEUE, type Api } from '../helpers/api.ts';
import { Load, NotingWorker, nextPlace } from '../helpers/load.ts';
import { applied, enlist, Fleet, Standalone, type System } from '../helpers/system.ts';

/**
 * The promise that an operator acts on: once a rollback or a promotion is answered, the version that is out gets
 * nothing more. Not "soon": nothing. Whoever reads the answer may stop that version's workers.
 */

const REPETITIONS = 100;

/** Fewer would leave gaps in the load, more only heat the machine. */
const PRODUCERS = 12;

interface Scene {
  readonly api: Api;
  readonly load: Load;
  readonly proxies: number;
  readonly one: NotingWorker;
  readonly other: NotingWorker;
}

async function withScene(system: System, act: (scene: Scene) => Promise<void>): Promise<void> {
  await using one = await NotingWorker.start('v1');
  await using other = await NotingWorker.start('v2');
  await enlist(system, { id: 'one', version: 'v1', url: one.url });
  await enlist(system, { id: 'other', version: 'v2', url: other.url, lane: 'canary' });
  const proxies = system.proxies.length;
  await using load = new Load(system.proxies, Math.ceil(PRODUCERS / proxies));
  await act({ api: system.api, load, proxies, one, other });
  await load.stop();
  expect(load.failed.slice(0, 3)).toEqual([]);
}

/** From an answer on, `out` gets nothing, whatever else is done, until the check is called. */
async function closeTo(out: NotingWorker, load: Load, answeredAt: number): Promise<() => Promise<void>> {
  const marked = await out.mark();
  return async () => {
    await load.goOn(20);
    expect(load.startedAfter(answeredAt).filter((job) => job.version === out.version)).toEqual([]);
    expect(out.arrivals.filter((arrival) => arrival.startedAt > answeredAt)).toEqual([]);
    expect(out.arrivedAfter(marked)).toEqual([]);
    out.arrivals.length = 0;
    load.sent.splice(0, load.sent.length, ...load.failed);
  };
}

function splitOf(repetition: number): number {
  return 50 + (repetition % 51);
}

async function rollBackAgainAndAgain({ api, load, proxies, one, other }: Scene): Promise<void> {
  for (let i = 0; i < REPETITIONS; i++) {
    const id = await api.createDeployment('v1', 'v2');
    await api.setPercentage(id, splitOf(i));
    await other.gets(5);
    await applied(api, id, await api.rollBack(id), proxies);
    const answeredAt = nextPlace();
    const nothingCame = await closeTo(other, load, answeredAt);
    await load.goOn(20);
    await api.done('DELETE', `/deployments/${id}`);
    await nothingCame();
    expect(one.arrivals.length).toBeGreaterThan(0);
    one.arrivals.length = 0;
  }
}

/** The two versions take turns: what was promoted is the stable version of the next deployment. */
async function promoteAgainAndAgain({ api, load, proxies, one, other }: Scene): Promise<void> {
  for (let i = 0; i < REPETITIONS; i++) {
    const [from, to] = i % 2 === 0 ? [one, other] : [other, one];
    const id = await api.createDeployment(from.version, to.version);
    await api.setPercentage(id, splitOf(i) / 2);
    await Promise.all([to.gets(3), from.gets(3)]);
    await applied(api, id, await api.promote(id), proxies);
    const answeredAt = nextPlace();
    const nothingCame = await closeTo(from, load, answeredAt);
    await load.goOn(20);
    await api.done('DELETE', `/deployments/${id}`);
    await nothingCame();
    expect(to.arrivals.length).toBeGreaterThan(0);
    to.arrivals.length = 0;
  }
}

/** The load begins before the first deployment names a strategy. */
const SETTINGS = { LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring' } as const;

const SYSTEMS = [
  { name: 'one process with the embedded store', start: () => Standalone.start(SETTINGS) },
  { name: 'a control plane and three proxies on Redis', start: () => Fleet.start(3, SETTINGS) },
] as const;

describe.each(SYSTEMS)('under load, $name', ({ start }) => {
  test(`after ${REPETITIONS} answers to a rollback not one job reached the canary`, async () => {
    await using system: System = await start();
    await withScene(system, rollBackAgainAndAgain);
  });

  test(`after ${REPETITIONS} answers to a promotion not one job reached the old version`, async () => {
    await using system: System = await start();
    await withScene(system, promoteAgainAndAgain);
    expect((await system.proxies[0]!.routes()).queues.map(({ queue }) => queue)).toEqual([QUEUE]);
  });
});
