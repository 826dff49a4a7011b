import type { Redis } from 'ioredis';
import type { PartProcess } from '../part-process.ts';
import { redisCpuSeconds } from '../redis-usage.ts';
import type { Rate } from './figures.ts';

export type Parts = Readonly<Record<string, PartProcess>>;

/**
 * What some work on so many jobs takes, and what it costs the parts and Redis.
 * @param work says how many seconds it took, if that isn't the time until it has ended
 */
export async function measureRate(
  jobs: number,
  parts: Parts,
  client: Redis,
  work: () => Promise<number | void>,
): Promise<Rate> {
  const before = await usage(parts, client);
  const start = performance.now();
  const seconds = (await work()) ?? (performance.now() - start) / 1000;
  const after = await usage(parts, client);
  const cpuPerJob = Object.fromEntries(
    Object.keys(after).map((name) => [name, ((after[name]! - before[name]!) / jobs) * 1e6]),
  );
  return { jobsPerSecond: jobs / seconds, cpuPerJob };
}

async function usage(parts: Parts, client: Redis): Promise<Readonly<Record<string, number>>> {
  const ofParts = Object.entries(parts).map(([name, { cpuSeconds }]) => [name, cpuSeconds]);
  return { ...Object.fromEntries(ofParts), redis: await redisCpuSeconds(client) };
}
