import { Registry } from 'prom-client';
import { hashKey } from '../../../src/core/hash.ts';
import { createJudge, type Judge } from '../../../control/judge/judge.ts';
import { createJudgeLease, type JudgeLease } from '../../../control/judge/lease.ts';
import { addJudgeMetrics } from '../../../control/judge/metrics.ts';
import type { Clock } from '../../../src/core/clock.ts';
import type { Deployment, DeploymentEvent } from '../../../src/core/deployment.ts';
import { countKey } from '../../../src/core/distinct-keys.ts';
import { record } from '../../../src/core/histogram.ts';
import { createLanesTotals, type LanesTotals } from '../../../src/core/lane-totals.ts';
import { OUTCOME_INDEX } from '../../../src/core/outcome.ts';
import { createLog } from '../../../src/runtime/log.ts';
import { openRedisStore } from '../../../src/runtime/store/redis/redis-store.ts';
import { openEmbeddedStore } from '../../../src/runtime/store/sqlite/embedded-store.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { randomOf } from '../../core/fixtures.ts';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import { created, openControl, temporaryDirectory, type Control } from '../harness.ts';
import { until } from '../../helpers/patience.ts';

/** A control plane over a real store, and judges of it that look when the test says so, at the time that it says. */

export class TestClock implements Clock {
  #now: number;

  constructor(now = Date.UTC(2026, 0)) {
    this.#now = now;
  }

  readonly now = (): number => this.#now;
  readonly monotonic = (): number => this.#now;

  pass(ms: number): void {
    this.#now += ms;
  }
}

/** What becomes of some jobs of a lane. */
export interface Jobs {
  readonly jobs: number;
  readonly failed?: number;
  /** Of the jobs, those that never answer. */
  readonly hanging?: number;
  readonly ms?: number;
  /** Sticky keys that they have; if left out, nobody counts them. */
  readonly keys?: readonly string[];
}

export interface Traffic {
  readonly stable?: Jobs;
  readonly canary?: Jobs;
}

/** A hundred jobs at 10 %, none of which fails. */
export const GOOD: Traffic = { stable: { jobs: 90, failed: 0 }, canary: { jobs: 10, failed: 0 } };
/** The same with a canary that fails half of them. */
export const BAD: Traffic = { ...GOOD, canary: { jobs: 10, failed: 5 } };

function totalsOf({ stable, canary }: Traffic): LanesTotals {
  const totals = createLanesTotals();
  for (const [lane, given] of Object.entries({ stable, canary })) {
    const { jobs, failed = 0, hanging = 0, ms = 20, keys = [] } = given ?? { jobs: 0 };
    const sum = totals[lane as 'stable' | 'canary'];
    sum.routed += jobs;
    sum.outcomes[OUTCOME_INDEX.failure]! += failed;
    sum.outcomes[OUTCOME_INDEX.success]! += jobs - failed - hanging;
    for (let i = 0; i < jobs - hanging; i++) record(sum.latency, ms);
    for (const key of keys) countKey(sum.keys, hashKey(key));
  }
  return totals;
}

export interface Court {
  readonly control: Control;
  readonly clock: TestClock;
  readonly store: Store;
  /** Another control plane on the same store, whose calls nothing disturbs. */
  readonly elsewhere: Control;
  readonly judge: Judge;
  readonly lease: JudgeLease;
  /** What is logged, parsed. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  /** Another instance of the control plane over the same store, with a clock of its own if it gets one. */
  another(clock?: Clock): Instance;
  /** Jobs of a deployment's present step. */
  work(id: string, traffic: Traffic): Promise<void>;
  /** So many seconds, with these jobs and a look in each. */
  pass(seconds: number, traffic?: Readonly<Record<string, Traffic>>): Promise<void>;
  deployment(id: string): Promise<Deployment>;
  /** Oldest first. */
  events(id: string): Promise<readonly DeploymentEvent[]>;
  metric(name: string): Promise<readonly string[]>;
}

export interface Instance {
  readonly judge: Judge;
  readonly lease: JudgeLease;
}

/** What tests do between a call of the store and the call before it. */
export type Disturb = (store: Store) => Partial<Store>;

export async function openCourt(
  openStore: (clock: Clock) => Promise<Store>,
  disturb: Disturb = () => ({}),
): Promise<Court> {
  const clock = new TestClock();
  const inner = await openStore(clock);
  const store: Store = { ...inner, ...disturb(inner) };
  const registry = new Registry();
  const lines: Record<string, unknown>[] = [];
  const log = createLog('debug', { write: (line) => void lines.push(JSON.parse(line)) });
  const control = await openControl({ store, clock, log, registry, propagationWaitMs: 0 });
  const elsewhere = await openControl({ store: inner, clock, propagationWaitMs: 0 });

  let instances = 0;
  const open = (own: Clock): Instance => {
    const lease = createJudgeLease({ store, clock: own, log, holder: `instance-${++instances}` });
    const { deployments } = control;
    const options = { store, deployments, lease, clock: own, log, random: randomOf(instances) };
    return { lease, judge: createJudge({ ...options, alpha: 0.05, webhooks: [] }) };
  };
  const { judge, lease } = open(clock);
  addJudgeMetrics(registry, judge);

  const deployment = async (id: string): Promise<Deployment> => (await inner.getDeployment(id))!;
  const work: Court['work'] = async (id, traffic) => {
    await inner.recordTelemetry(id, (await deployment(id)).step, totalsOf(traffic));
  };
  return {
    control,
    clock,
    store,
    elsewhere,
    judge,
    lease,
    lines,
    another: (own = clock) => open(own),
    work,
    async pass(seconds, traffic = {}) {
      for (let i = 0; i < seconds; i++) {
        clock.pass(1000);
        for (const [id, each] of Object.entries(traffic)) await work(id, each);
        await lease.claim();
        await judge.tick();
        await judge.settled();
      }
    },
    deployment,
    events: async (id) => (await inner.listEvents(id)).toReversed(),
    async metric(name) {
      const text = await registry.metrics();
      return text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    },
  };
}

export const embedded = async (clock: Clock): Promise<Store> =>
  openEmbeddedStore({ dataDir: await temporaryDirectory(), clock });

let redis: Promise<RedisServer> | undefined;

/** One server for the tests of a file; each gets it empty. */
export async function redisServer(): Promise<RedisServer> {
  redis ??= startRedis();
  return redis;
}

export async function closeRedis(): Promise<void> {
  await (await redis)?.[Symbol.asyncDispose]();
}

export const onRedis = async (clock: Clock): Promise<Store> => {
  const server = await redisServer();
  await server.client().flushall();
  const store = openRedisStore({ url: server.url, clock, log: createLog('silent') });
  await until(() =>
    store.ping().then(
      () => true,
      () => false,
    ),
  );
  return store;
};

export const STORES: readonly (readonly [string, (clock: Clock) => Promise<Store>])[] = [
  ['embedded', embedded],
  ['redis', onRedis],
];

/** A deployment of an own queue at 10 %, unless the test says otherwise. @returns its id */
export function deploy({ control }: Court, body: object = {}): Promise<string> {
  // Without lanes, which the judge has nothing to do with.
  return created(control, { initial_percentage: 10, routing_strategy: 'hash_ring', ...body });
}

export function typesOf(events: readonly DeploymentEvent[]): readonly string[] {
  return events.map(({ type }) => type);
}
