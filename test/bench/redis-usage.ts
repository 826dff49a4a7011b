import type { Redis } from 'ioredis';

/** What a Redis server says it has used so far. */

export async function redisCpuSeconds(client: Redis): Promise<number> {
  return redisCpuIn(await client.info('cpu'));
}

function redisCpuIn(info: string): number {
  const field = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)![1]);
  return field('used_cpu_user') + field('used_cpu_sys');
}
