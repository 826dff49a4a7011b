import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { allDone, LaneProducers, LedgerWorker } from '../helpers/lane-ledger.ts';
import { nextPlace } from '../helpers/load.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { startRedisCluster, startWatchedRedis, type RedisServer } from '../helpers/redis.ts';
import { allApplied, enlist, Fleet, type ProxyFace } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

/**
 * The master of a Redis is killed under load and a replica takes over, with producers and workers of all three strategies
 * at work. Redis replicates after it has answered; `lanes.replicas_acknowledged` makes 202 wait for a replica, and
 * then no accepted job is lost.
 */

/** On a Cluster both, and what Lanewise itself keeps, are on the node that dies. */
const LISTS = '{b}';
const STREAMS = '{f}';
const DIRECT = '{direct}';
const CONCURRENCY = 5;
const SETTINGS = {
  LANEWISE_LANES_LEASE: '1s',
  LANEWISE_LANES_CONCURRENCY: String(CONCURRENCY),
  LANEWISE_LANES_REPLICAS_ACKNOWLEDGED: '1',
  LANEWISE_QUEUES: JSON.stringify({
    [LISTS]: { routing_strategy: 'split_queue', retry_delay: '10ms', retry_delay_max: '100ms' },
    [STREAMS]: { routing_strategy: 'stream_group', retry_delay: '10ms', retry_delay_max: '100ms' },
    [DIRECT]: { routing_strategy: 'hash_ring' },
  }),
};

interface Replicated extends AsyncDisposable {
  readonly url: string;
  readonly dying: RedisServer;
}

const REDISES: readonly (readonly [string, () => Promise<Replicated>])[] = [
  [
    'Sentinel',
    async () => {
      const redis = await startWatchedRedis();
      return { ...redis, dying: redis.master };
    },
  ],
  [
    'Cluster',
    async () => {
      const cluster = await startRedisCluster(2);
      return { ...cluster, dying: cluster.nodes[0]! };
    },
  ],
];

/** Dispatches that go straight to a worker, and readiness, which are nobody's business but the proxy's. */
class Bystander implements AsyncDisposable {
  readonly problems: string[] = [];
  answers = 0;
  readonly #proxies: readonly ProxyFace[];
  readonly #running: Promise<void>;
  #isStopped = false;

  constructor(proxies: readonly ProxyFace[]) {
    this.#proxies = proxies;
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      for (const proxy of this.#proxies) {
        const { status, body } = await proxy.send({}, DIRECT);
        if (status !== 200) this.problems.push(`${status} ${body}`);
        const readiness = await proxy.readiness();
        if (readiness !== 200) this.problems.push(`readyz ${readiness}`);
        this.answers++;
      }
      await turn();
    }
  }
}

describe.each(REDISES)('with %s', (_, startReplicated) => {
  it('a fail-over under load loses no accepted job, and nothing has to be started again', async () => {
    await using stack = new AsyncDisposableStack();
    const redis = stack.use(await startReplicated());
    const fleet = stack.use(await Fleet.start(2, SETTINGS, 1, redis.url));
    const lists = stack.use(await LedgerWorker.start(fleet, 'lists', 'v1', 3, LISTS));
    const canary = stack.use(await LedgerWorker.start(fleet, 'canary', 'v2', 3, LISTS));
    const streams = stack.use(await LedgerWorker.start(fleet, 'streams', 'v1', 3, STREAMS));
    const direct = stack.use(await TestWorker.start('v1'));
    await enlist(fleet, { id: 'direct', version: 'v1', url: direct.url, queue: DIRECT });
    const split = { queue_name: LISTS, routing_strategy: 'split_queue' };
    const id = await fleet.api.createDeployment('v1', 'v2', split);
    await fleet.api.setPercentage(id, 50);
    await allApplied(fleet.api, id, 2);

    const faces = (): readonly ProxyFace[] => fleet.proxies;
    const bystander = stack.use(new Bystander(fleet.proxies));
    const ofLists = stack.use(new LaneProducers(faces, 4, LISTS));
    const ofStreams = stack.use(new LaneProducers(faces, 4, STREAMS));
    await Promise.all([ofLists.puts(300), ofStreams.puts(300)]);
    await redis.dying.kill();
    const before = bystander.answers;
    // Stored by the new master.
    await Promise.all([ofLists.puts(300), ofStreams.puts(300)]);
    expect(bystander.answers).toBeGreaterThan(before);
    const flowsAgain = nextPlace();

    await vi.waitUntil(() => fleet.api.rollBack(id).then(isDone, isNot), PATIENCE);
    await vi.waitUntil(
      async () => (await fleet.api.done('GET', `/deployments/${id}`)).status === 'failed',
      PATIENCE,
    );
    await allApplied(fleet.api, id, 2);
    const rolledBack = nextPlace();
    await Promise.all([ofLists.puts(100), ofStreams.puts(100)]);
    await Promise.all([ofLists.stop(), ofStreams.stop()]);

    const twice = [
      ...(await allDone([lists, canary], ofLists.accepted)),
      ...(await allDone([streams], ofStreams.accepted)),
    ];
    // In hands as the master died, or done with the news of it not replicated.
    expect(twice.length).toBeLessThanOrEqual(2 * CONCURRENCY * fleet.proxies.length * 3);
    for (const { arrivals } of [lists, canary, streams]) {
      const times = Map.groupBy(arrivals, (arrival) => arrival.id);
      const late = [...times.values()].filter((all) => all.length > 1 && all[0]!.place > flowsAgain);
      expect(late).toEqual([]);
    }
    expect(canary.arrivals.filter(({ place }) => place > rolledBack)).toEqual([]);
    expect(bystander.problems).toEqual([]);
    expect([...ofLists.unexpected, ...ofStreams.unexpected]).toEqual([]);
  });
});

const isDone = (): boolean => true;
const isNot = (): boolean => false;
