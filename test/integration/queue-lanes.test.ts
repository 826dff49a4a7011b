import { describe, expect, it, vi } from 'vitest';
import { QUEUE, type Api } from '../helpers/api.ts';
import { allDone, LaneProducers, LedgerWorker, putBatches } from '../helpers/lane-ledger.ts';
import { nextPlace } from '../helpers/load.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { Fleet, Standalone, type System } from '../helpers/system.ts';

/**
 * Queue lanes of whole installations while each of their processes is killed under load. Producers send a job by the
 * same id until it is accepted; every accepted one is done, and what is done twice was under way around a kill.
 */

const CONCURRENCY = 5;
const SETTINGS = {
  LANEWISE_LANES_LEASE: '1s',
  LANEWISE_LANES_CONCURRENCY: String(CONCURRENCY),
  LANEWISE_QUEUES: JSON.stringify({ [QUEUE]: { retry_delay: '10ms', retry_delay_max: '100ms' } }),
};
/** Waiting when a canary is rolled back, in both lanes. */
const WAITING = 20_000;

async function someWorkers(stack: AsyncDisposableStack, system: System): Promise<readonly LedgerWorker[]> {
  const workers: LedgerWorker[] = [];
  for (const id of ['a', 'b']) workers.push(stack.use(await LedgerWorker.start(system, id, 'v1')));
  return workers;
}

async function ended(api: Api, id: string): Promise<void> {
  await vi.waitUntil(async () => (await api.done('GET', `/deployments/${id}`)).status === 'failed', PATIENCE);
}

describe.each(['split_queue', 'stream_group'])('with %s', (strategy) => {
  const settings = { ...SETTINGS, LANEWISE_DEFAULT_ROUTING_STRATEGY: strategy };

  it('a proxy that is killed while it takes jobs loses none', async () => {
    await using stack = new AsyncDisposableStack();
    const fleet = stack.use(await Fleet.start(2, settings));
    const workers = await someWorkers(stack, fleet);
    const [first, second] = fleet.members;
    const producers = stack.use(new LaneProducers(() => [second!.face]));
    await producers.puts(300);
    await first!.process.end('SIGKILL');
    await producers.puts(300);
    await producers.stop();
    const twice = await allDone(workers, producers.accepted);
    expect(twice.length).toBeLessThanOrEqual(CONCURRENCY * workers.length);
    expect(producers.unexpected).toEqual([]);
  });

  it('a proxy that is killed while it puts jobs in loses none that it accepted, and none is put in twice', async () => {
    await using stack = new AsyncDisposableStack();
    const fleet = stack.use(await Fleet.start(1, settings));
    const workers = await someWorkers(stack, fleet);
    const enqueuing = [0, 1].map(() => fleet.newProxy({ LANEWISE_LANES_CONSUME: 'false' }));
    await Promise.all(enqueuing.map((proxy) => proxy.start()));
    const producers = stack.use(new LaneProducers(() => enqueuing.map(({ face }) => face), 16));
    await producers.puts(300);
    await enqueuing[0]!.process.end('SIGKILL');
    await producers.puts(300);
    await producers.stop();
    expect(await allDone(workers, producers.accepted)).toEqual([]);
    expect(producers.repeats).toBeGreaterThan(0);
    expect(producers.unexpected).toEqual([]);
  });

  it('jobs of a worker that dies are done by another one', async () => {
    await using stack = new AsyncDisposableStack();
    const fleet = stack.use(await Fleet.start(2, settings));
    const workers = await someWorkers(stack, fleet);
    const [dying] = workers;
    const producers = stack.use(new LaneProducers(() => fleet.proxies));
    await producers.puts(200);
    dying!.isStuck = true;
    const arrived = dying!.arrivals.length;
    await vi.waitUntil(() => dying!.arrivals.length > arrived, PATIENCE);
    await dying!.kill();
    await producers.puts(200);
    await producers.stop();
    expect(await allDone(workers, producers.accepted)).toEqual([]);
    expect(producers.unexpected).toEqual([]);
  });

  it('a Redis that is killed and comes back from its file has every job that was accepted', async () => {
    await using stack = new AsyncDisposableStack();
    const fleet = stack.use(await Fleet.start(2, settings));
    const workers = await someWorkers(stack, fleet);
    const producers = stack.use(new LaneProducers(() => fleet.proxies));
    await producers.puts(300);
    await fleet.redis.kill();
    const { repeats } = producers;
    await vi.waitUntil(() => producers.repeats > repeats, PATIENCE);
    await fleet.redis.start();
    await producers.puts(300);
    await producers.stop();
    const twice = await allDone(workers, producers.accepted);
    expect(twice.length).toBeLessThanOrEqual(CONCURRENCY * workers.length * fleet.proxies.length);
    expect(producers.unexpected).toEqual([]);
  });

  it('a rollback under load: no canary worker gets a job once the deployment has failed, and all are done', async () => {
    await using stack = new AsyncDisposableStack();
    const fleet = stack.use(await Fleet.start(2, settings));
    const stable = await someWorkers(stack, fleet);
    const canary = stack.use(await LedgerWorker.start(fleet, 'c', 'v2', 50));
    // The canary is slow, so that its lane stays long; the judge must leave that to us.
    const id = await fleet.api.createDeployment('v1', 'v2', {
      routing_strategy: strategy,
      auto_rollback: false,
    });
    await fleet.api.setPercentage(id, 50);
    const waiting = await putBatches(fleet.proxies[0]!, WAITING);
    const producers = stack.use(new LaneProducers(() => fleet.proxies));
    await producers.puts(200);
    expect(waiting.canary.length).toBeGreaterThan(WAITING * 0.45);
    expect(canary.done.length).toBeLessThan(waiting.canary.length / 2);
    await fleet.api.rollBack(id);
    await ended(fleet.api, id);
    const place = nextPlace();
    await producers.puts(200);
    await producers.stop();
    const twice = await allDone(
      [...stable, canary],
      [...producers.accepted, ...waiting.canary, ...waiting.stable],
    );
    expect(twice).toEqual([]);
    expect(canary.arrivals.filter((arrival) => arrival.place > place)).toEqual([]);
    expect(producers.unexpected).toEqual([]);
    const drained = (await fleet.api.events(id)).find(({ type }) => type === 'lane_drained');
    expect(drained).toMatchObject({ data: { remaining: 0, drain_incomplete: false } });
    expect(drained!.data.drained).toBeGreaterThan(0);
  });
});

it('a standalone process that is killed loses nothing that it accepted', async () => {
  await using stack = new AsyncDisposableStack();
  const settings = { ...SETTINGS, LANEWISE_DEFAULT_ROUTING_STRATEGY: 'split_queue' };
  const system = stack.use(await Standalone.start(settings));
  const workers = await someWorkers(stack, system);
  const waiting = await putBatches(system.proxy, 1000);
  const producers = stack.use(new LaneProducers(() => system.proxies));
  await producers.puts(200);
  await system.restart('SIGKILL');
  await producers.puts(200);
  await producers.stop();
  const twice = await allDone(workers, [...producers.accepted, ...waiting.stable]);
  expect(twice.length).toBeLessThanOrEqual(CONCURRENCY * workers.length);
  expect(producers.unexpected).toEqual([]);
});
