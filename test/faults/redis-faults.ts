import { setTimeout as delay } from 'node:timers/promises';
import type { Stage } from './inflict.ts';
import { comesToPass, mustComeToPass } from './patience.ts';
import type { FAULTS, PlannedFault } from './plan.ts';
import type { QueuedJob } from './queue-producers.ts';
import type { RedisGroup, RedisProcess } from './redis-group.ts';
import type { Relay, Weather } from './relay.ts';

/** Faults of Redis itself. Each is over when Redis is whole again: two at a time lose data, whoever uses it. */

type RedisFault = PlannedFault & { readonly kind: (typeof FAULTS)['redis'][number] };

/** What Redis itself has lost, and nothing of ours could keep. */
export class RedisLosses {
  readonly #flushes: number[] = [];
  readonly #crashes: number[] = [];

  flushed(): void {
    this.#flushes.push(performance.now());
  }

  crashed(): void {
    this.#crashes.push(performance.now());
  }

  flushesSince(from: number): number {
    return this.#flushes.filter((at) => at >= from).length;
  }

  /** Whether a job that nobody ran may have been lost: it was flushed, or had only just come as the process died. */
  mayHaveLost({ lastSentAt, acceptedAt }: QueuedJob): boolean {
    if (this.#flushes.some((at) => lastSentAt <= at)) return true;
    return this.#crashes.some((at) => lastSentAt <= at && at - (acceptedAt ?? at) <= UNWRITTEN_MS);
  }
}

/** With `appendfsync everysec` Redis puts writing off for so long while the disk is busy. */
const UNWRITTEN_MS = 2500;

export async function inflictOnRedis(fault: RedisFault, { scene, journal, losses }: Stage): Promise<void> {
  const { redis } = scene;
  await mustComeToPass('Redis is whole', () => redis.isWhole());
  const master = await redis.master();
  if (master === undefined) return;
  const replica = redis.servers.find((server) => server !== master)!;
  const end = journal.begin(fault.kind, ['redis']);
  await harm(fault, { redis, master, replica, losses });
  await mustComeToPass('Redis is whole', () => redis.isWhole());
  end();
}

interface Parts {
  readonly redis: RedisGroup;
  readonly master: RedisProcess;
  readonly replica: RedisProcess;
  readonly losses: RedisLosses;
}

async function harm({ kind, forMs, target }: RedisFault, { redis, master, replica, losses }: Parts) {
  switch (kind) {
    case 'kill the master':
      await master.kill();
      await mustComeToPass('a fail-over', async () => ![undefined, master].includes(await redis.master()));
      await delay(forMs);
      return master.start();
    case 'crash of the master, and back at once':
      losses.crashed();
      await master.kill();
      losses.crashed();
      return master.start();
    case 'shutdown of the master, and back':
      await master.stop();
      return master.start();
    case 'stop the master':
      return stopped([master], forMs);
    case 'planned fail-over': {
      const sentinel = redis.sentinels[0]!.client;
      const isBegun = await sentinel.call('SENTINEL', 'FAILOVER', 'main').catch(() => undefined);
      if (isBegun === undefined) return undefined;
      await comesToPass(async () => ![undefined, master].includes(await redis.master()));
      return delay(forMs);
    }
    case 'kill the replica':
      await replica.kill();
      await delay(forMs);
      return replica.start();
    case 'stop the replica':
      return stopped([replica], forMs);
    case 'kill a Sentinel': {
      const sentinel = redis.sentinels[target % redis.sentinels.length]!;
      await sentinel.kill();
      await delay(forMs);
      return sentinel.start();
    }
    // They begin a fail-over if it lasts, and then there are two masters until it is over.
    case 'cut the master off its peers':
      return during(redis.wireTo(master), 'cut', forMs);
    case 'half-open to the master from its peers':
      return during(redis.wireTo(master), 'hole', forMs);
    case 'one way to the master from its peers':
      return during(redis.wireTo(master), 'mute', forMs);
    case 'one way from the master to its peers':
      return during(redis.wireTo(master), 'deaf', forMs);
    case 'cut the replica off its peers':
      return during(redis.wireTo(replica), 'cut', forMs);
    case 'outage of all of Redis':
      await Promise.all(redis.servers.map((server) => server.stop()));
      await delay(forMs);
      await Promise.all(redis.servers.map((server) => server.start()));
      return undefined;
    case 'all of Redis hangs':
      return stopped(redis.servers, forMs);
    case 'flush':
      await master.client.flushall().catch(() => undefined);
      return losses.flushed();
    case 'slow commands':
      // Its own connection would wait for the answer.
      void master.client.call('DEBUG', 'SLEEP', String(forMs / 1000)).catch(() => undefined);
      return delay(forMs);
    default:
      return kind satisfies never;
  }
}

async function during(wire: Relay, weather: Weather, forMs: number): Promise<void> {
  await wire.set(weather);
  await delay(forMs);
  await wire.set('clear');
}

async function stopped(servers: readonly RedisProcess[], forMs: number): Promise<void> {
  for (const server of servers) server.signal('SIGSTOP');
  await delay(forMs);
  for (const server of servers) server.signal('SIGCONT');
}
