import { deepStrictEqual } from 'node:assert';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { LanesTotals } from '../../src/core/lane-totals.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { telemetryKey } from '../../src/runtime/store/redis/keys.ts';
import { openRedisStore } from '../../src/runtime/store/redis/redis-store.ts';
import { BUCKET_MS } from '../../src/runtime/store/telemetry-store.ts';
import { startRedis } from '../helpers/redis.ts';
import { TelemetryProcess } from './telemetry-process.ts';
import { samples, totalOf, type TelemetryPart, type TelemetrySent } from './telemetry-load.ts';

/**
 * `npm run bench:telemetry`: what the telemetry of a fleet costs one Redis with an append-only file. Checks first that
 * all that was sent is there, exactly, in the window and in the step.
 */

const PROXIES = 1000;
const QUEUES = 20;
const PROCESSES = 2;
const STEP = 3;
const WARM_UP_SECONDS = 5;
const SECONDS = 20;

const print = (line = ''): void => void process.stdout.write(`${line}\n`);
const thousands = (value: number): string => Math.round(value).toLocaleString('en');

interface Usage {
  readonly at: number;
  readonly calls: number;
  readonly commands: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly cpuSeconds: number;
  readonly fileBytes: number;
}

async function usageOf(client: Redis): Promise<Usage> {
  const info = await client.info('everything');
  const field = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? 0);
  return {
    at: performance.now() / 1000,
    calls: Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(info)?.[1] ?? 0),
    commands: field('total_commands_processed'),
    bytesIn: field('total_net_input_bytes'),
    bytesOut: field('total_net_output_bytes'),
    cpuSeconds: field('used_cpu_user') + field('used_cpu_sys'),
    fileBytes: field('aof_current_size'),
  };
}

function perSecond(before: Usage, after: Usage): Usage {
  const rate = (name: keyof Usage): number => (after[name] - before[name]) / (after.at - before.at);
  return {
    at: after.at - before.at,
    calls: rate('calls'),
    commands: rate('commands'),
    bytesIn: rate('bytesIn'),
    bytesOut: rate('bytesOut'),
    cpuSeconds: rate('cpuSeconds'),
    fileBytes: rate('fileBytes'),
  };
}

/** Microseconds of the server's CPU. */
async function costOf(client: Redis, calls: number, call: (i: number) => Promise<unknown>): Promise<number> {
  const before = await usageOf(client);
  for (let i = 0; i < calls; i++) await call(i);
  const after = await usageOf(client);
  return ((after.cpuSeconds - before.cpuSeconds) / calls) * 1e6;
}

function compare(read: LanesTotals, expected: LanesTotals): void {
  for (const lane of ['stable', 'canary'] as const) {
    const { sum, max, ...latency } = read[lane].latency;
    const { sum: expectedSum, max: expectedMax, ...expectedLatency } = expected[lane].latency;
    deepStrictEqual({ ...read[lane], latency }, { ...expected[lane], latency: expectedLatency });
    for (const [a, b] of [
      [sum, expectedSum],
      [max, expectedMax],
    ] as const) {
      deepStrictEqual(Math.round(1000 * a), Math.round(1000 * b));
    }
  }
}

await using server = await startRedis({
  // Not rewritten, so that the growth of the file can be seen.
  args: '--appendonly yes --appendfsync everysec --auto-aof-rewrite-percentage 0'.split(' '),
});
const client = server.client();
const queues = Array.from({ length: QUEUES }, (_, i) => `canary_0191e0c5-7b1a-7000-8a3f-0000000000${i + 10}`);
const part: TelemetryPart = {
  url: server.url,
  proxies: PROXIES / PROCESSES,
  queues,
  step: STEP,
  seconds: WARM_UP_SECONDS + SECONDS + 1,
};
await using opened = new AsyncDisposableStack();
const store = openRedisStore({ url: server.url, clock: systemClock, log: createLog('silent') });
opened.defer(() => store.close());
// The server knows the script from then on.
await store.recordTelemetry('canary_of_nobody', STEP, samples()[0]!);
const loads = Array.from({ length: PROCESSES }, () => opened.use(new TelemetryProcess(part)));
await Promise.all(loads.map((load) => load.message<'started'>()));
const results = loads.map((load) => load.message<TelemetrySent>());
await delay(WARM_UP_SECONDS * 1000);
const before = await usageOf(client);
await delay(SECONDS * 1000);
const after = await usageOf(client);
const parts = await Promise.all(results);

const failures = parts.reduce((sum, { failures: n }) => sum + n, 0);
if (failures > 0) throw new Error(`${failures} deltas were not answered`);
const deltas = samples();
let total = 0;
for (const [i, queue] of queues.entries()) {
  const times = deltas.map((_, sample) => parts.reduce((sum, { sent }) => sum + sent[i]![sample]!, 0));
  total += times.reduce((sum, n) => sum + n, 0);
  const expected = totalOf(deltas, times);
  compare(await store.readTelemetry(queue, 3_600_000), expected);
  compare((await store.readStep(queue, STEP)).lanes, expected);
}
print(`${thousands(total)} deltas sent, and read back exactly, in windows and steps`);

const rates = perSecond(before, after);
const wanted = PROXIES * QUEUES;
print();
print(`${thousands(PROXIES)} proxies × ${QUEUES} queues, a delta each second, over ${rates.at.toFixed(0)} s`);
print(`  deltas a second             ${thousands(rates.calls).padStart(12)}  (${thousands(wanted)} wanted)`);
print(
  `  commands a second           ${thousands(rates.commands).padStart(12)}  (those within scripts included)`,
);
print(`  bytes in a second           ${thousands(rates.bytesIn).padStart(12)}`);
print(`  bytes out a second          ${thousands(rates.bytesOut).padStart(12)}`);
print(`  append-only file, bytes a s ${thousands(rates.fileBytes).padStart(12)}`);
print(`  Redis CPU, cores            ${rates.cpuSeconds.toFixed(2).padStart(12)}`);
print(`  Redis CPU a delta, µs       ${((rates.cpuSeconds / rates.calls) * 1e6).toFixed(1).padStart(12)}`);
print(
  `  Redis CPU at ${thousands(wanted)} a second  ${((rates.cpuSeconds / rates.calls) * wanted).toFixed(2).padStart(10)}`,
);

// A window of 5 minutes as full as it gets: the buckets of this run, over and over.
const prefix = telemetryKey(queues[0]!);
const current = Math.floor(Date.now() / BUCKET_MS);
const full = (await client.keys(`${prefix}[0-9]*`)).toSorted().at(-2)!;
for (let i = 0; i < 60; i++) {
  const bucket = `${prefix}${current - i}`;
  if (bucket !== full) await client.copy(full, bucket, 'REPLACE');
}
print();
print('What reading costs Redis, µs');
print(
  `  the totals of a step        ${(await costOf(client, 5000, (i) => store.readStep(queues[i % QUEUES]!, STEP))).toFixed(0).padStart(12)}`,
);
print(
  `  a window of 5 minutes       ${(await costOf(client, 500, () => store.readTelemetry(queues[0]!, 300_000))).toFixed(0).padStart(12)}`,
);
