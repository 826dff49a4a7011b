import { deepStrictEqual, ok } from 'node:assert';
import { setTimeout as delay } from 'node:timers/promises';
import { Registry } from 'prom-client';
import type { Redis } from 'ioredis';
import { DOCUMENTED_PROFILES } from '../../config/profiles.ts';
import { createControlPlane } from '../../control/app.ts';
import { createCredentialStore } from '../../control/credentials.ts';
import { createJudge } from '../../control/judge/judge.ts';
import { startJudgeLease } from '../../control/judge/lease.ts';
import { promoted } from '../../src/core/route.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { telemetryKey } from '../../src/runtime/store/redis/keys.ts';
import { openRedisStore } from '../../src/runtime/store/redis/redis-store.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import { BUCKET_MS } from '../../src/runtime/store/telemetry-store.ts';
import { startRedis } from '../helpers/redis.ts';
import { aDeployment, create } from '../runtime/store/samples.ts';
import { writeFigures } from './figures-file.ts';
import {
  judgeTickTables,
  renderJudgeTick,
  type JudgeTickFigures,
  type Spread,
} from './judge-tick-figures.ts';
import { measuredOn } from './measured-on.ts';
import { redisCpuSeconds } from './redis-usage.ts';
import { TelemetryProcess } from './telemetry-process.ts';
import { samples, type TelemetryPart, type TelemetrySent } from './telemetry-load.ts';

/**
 * `npm run bench:judge-tick`: what a tick of the judge costs, with a thousand active deployments (`D`) among ten thousand
 * (`E` ended ones) in a real Redis, to each of which 20 jobs are reported each second. They have been at their percentage
 * for an hour, and their metrics windows of five minutes are full. Checks that all are judged, by all their jobs. With
 * `-- --write` the figures go to `docs/performance-control-plane.md`.
 */

const DEPLOYMENTS = Number(process.env['D'] ?? 1000);
const ENDED = Number(process.env['E'] ?? 9000);
const TICKS = Number(process.env['T'] ?? 30);
/** Before that, code is compiled and judgements are read. */
const WARM_UP_TICKS = 5;
const HOUR = 3_600_000;

const print = (line = ''): void => void process.stdout.write(`${line}\n`);
const log = createLog('silent');

/** Counts the calls that go through it: each is one command, but for windows of more than 200 buckets. */
function counting(store: Store, calls: Map<string, number>): Store {
  return new Proxy(store, {
    get(target, name: keyof Store) {
      const member = target[name];
      if (typeof member !== 'function') return member;
      return (...args: readonly unknown[]) => {
        calls.set(name, (calls.get(name) ?? 0) + 1);
        return (member as (...rest: readonly unknown[]) => unknown)(...args);
      };
    },
  });
}

async function inTurn(count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 64 }, worker));
}

/** @returns ids of the active ones */
async function populate(store: Store): Promise<readonly string[]> {
  const open = async (i: number): Promise<string> => {
    const since = Date.now() - HOUR;
    const times = { startTime: since, lastUpdate: since, activeFrom: since, stepFrom: since };
    const id = `canary_${String(i).padStart(8, '0')}-7b1a-7000-8a3f-000000000000`;
    const given = { id, queue: `queue-${i}`, currentPercent: 10, ...times };
    const { config } = aDeployment();
    // So that there is the same to do in every tick.
    const deployment = aDeployment({ ...given, config: { ...config, autoRollback: false } });
    const result = await create(store, deployment, DEPLOYMENTS + ENDED);
    ok(result.kind === 'saved');
    if (i < DEPLOYMENTS) return id;
    const route = (await store.getRoute(deployment.queue))!;
    const ended = { ...deployment, version: 2, status: 'completed' as const };
    await store.saveDeployment({ deployment: ended, expectedVersion: 1, route: promoted(route), events: [] });
    return id;
  };
  const ids: string[] = [];
  await inTurn(DEPLOYMENTS + ENDED, async (i) => {
    const id = await open(i);
    if (i < DEPLOYMENTS) ids.push(id);
  });
  return ids;
}

/** As if the last five minutes had gone like the bucket that is full. */
async function fillWindows(client: Redis, ids: readonly string[]): Promise<void> {
  const current = Math.floor(Date.now() / BUCKET_MS);
  await inTurn(ids.length, async (i) => {
    const prefix = telemetryKey(ids[i]!);
    const pipeline = client.pipeline();
    for (let ago = 2; ago <= 60; ago++) pipeline.copy(`${prefix}${current - 1}`, `${prefix}${current - ago}`);
    await pipeline.exec();
  });
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
  return { median: at(0.5), p95: at(0.95), max: at(1) };
}

await using server = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });
await using opened = new AsyncDisposableStack();
const client = server.client();
const calls = new Map<string, number>();
const inner = openRedisStore({ url: server.url, clock: systemClock, log });
opened.defer(() => inner.close());
await inner.ping();
const ids = await populate(inner);
await inner.recordTelemetry('canary_of_nobody', 1, samples()[0]!);
const seconds = 2 * (BUCKET_MS / 1000) + 2 + 2 * (WARM_UP_TICKS + TICKS);
// One more of them, which nobody has: the samples come in another order each second.
const queues = [...ids, 'canary_of_nobody'];
const part: TelemetryPart = { url: server.url, proxies: 1, queues, step: 1, seconds };
const load = opened.use(new TelemetryProcess(part));
await load.message<'started'>();
const sending = load.message<TelemetrySent>();
// Until a bucket has been filled from its beginning to its end.
await delay(BUCKET_MS - (Date.now() % BUCKET_MS));
const baseFrom = { cpu: await redisCpuSeconds(client), at: performance.now() };
await delay(BUCKET_MS + 200);
const base = (await redisCpuSeconds(client)) - baseFrom.cpu;
const baseShare = base / ((performance.now() - baseFrom.at) / 1000);
await fillWindows(client, ids);

const store = counting(inner, calls);
const { deployments } = createControlPlane({
  store,
  clock: systemClock,
  log,
  registry: new Registry(),
  credentials: createCredentialStore([{ name: 'ops', role: 'admin', secret: 'secret' }]),
  maxActiveDeployments: DEPLOYMENTS + ENDED,
  propagationWaitMs: 0,
  workerUrlAllow: [],
  strategyOf: () => undefined,
  profiles: DOCUMENTED_PROFILES,
  judgeAlpha: 0.05,
  version: '0.0.0-bench',
});
const lease = startJudgeLease({ store: inner, clock: systemClock, log, holder: 'bench' });
opened.defer(() => lease.stop());
await lease.claim();
const judge = createJudge({
  store,
  deployments,
  lease,
  clock: systemClock,
  log,
  random: Math.random,
  alpha: 0.05,
  webhooks: [],
});

const durations: number[] = [];
const cpus: number[] = [];
let redisFrom = { cpu: 0, at: 0 };
for (let tick = -WARM_UP_TICKS; tick < TICKS; tick++) {
  if (tick === 0) {
    calls.clear();
    redisFrom = { cpu: await redisCpuSeconds(client), at: performance.now() };
  }
  const cpu = process.cpuUsage();
  const start = performance.now();
  await judge.tick();
  await judge.settled();
  const { user, system } = process.cpuUsage(cpu);
  const duration = performance.now() - start;
  if (tick >= 0) {
    durations.push(duration);
    cpus.push((user + system) / 1000);
  }
  await delay(Math.max(0, 1000 - duration));
}
const callsOfTicks = [...calls];
const elapsed = (performance.now() - redisFrom.at) / 1000;
const redisShare = ((await redisCpuSeconds(client)) - redisFrom.cpu) / elapsed;

deepStrictEqual([...judge.latest()].map(([{ id }]) => id).toSorted(), ids.toSorted());
const { failures } = await sending;
deepStrictEqual(failures, 0);
await judge.tick();
for (const [{ id }, { evidence }] of judge.latest()) {
  const { lanes } = await inner.readStep(id, 1);
  // Stable's may be more: a look at which the canary has nothing new waits.
  deepStrictEqual(evidence.seen.canary.routed, lanes.canary.routed);
  deepStrictEqual(evidence.seen.canary.latency.counts, lanes.canary.latency.counts);
}
print(`${ids.length} deployments are judged, each by all of its jobs; ${ENDED} more have ended`);
print();
const figures: JudgeTickFigures = {
  ...measuredOn(),
  active: ids.length,
  ended: ENDED,
  ticks: TICKS,
  cpuMs: spreadOf(cpus),
  durationMs: spreadOf(durations),
  calls: Object.fromEntries(callsOfTicks.map(([name, count]) => [name, count / TICKS])),
  redisCores: { without: baseShare, with: redisShare },
};
print(judgeTickTables(figures));
if (process.argv.includes('--write')) await writeFigures('judge-tick', figures, renderJudgeTick);
