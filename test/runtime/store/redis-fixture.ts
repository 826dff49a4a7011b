import type { ConnectionOptions } from 'node:tls';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createLog } from '../../../src/runtime/log.ts';
import { openRedisStore } from '../../../src/runtime/store/redis/redis-store.ts';
import type { Store } from '../../../src/runtime/store/store.ts';

/** Writes its log lines to `lines`, parsed. */
export function openTestStore(
  url: string,
  lines: Record<string, unknown>[] = [],
  tls?: ConnectionOptions,
): Store {
  const log = createLog('info', { write: (line) => void lines.push(JSON.parse(line)) });
  return openRedisStore({ url, clock: systemClock, log, ...(tls !== undefined && { tls }) });
}

export async function withStore<T>(
  url: string,
  work: (store: Store) => Promise<T>,
  tls?: ConnectionOptions,
): Promise<T> {
  const store = openTestStore(url, [], tls);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
