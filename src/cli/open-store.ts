import type { Config } from '../../config/load.ts';
import type { Logger } from '../runtime/log.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Store } from '../runtime/store/store.ts';
import { OperatorError } from '../runtime/operator-error.ts';

/** Redis where one is configured, else the embedded store. Each is loaded only where it is used. */
export async function openStore(config: Config, log: Logger): Promise<Store> {
  if (config.redis_url !== undefined) return openRedis(config.redis_url, log);
  const { openEmbeddedStore } = await import('../runtime/store/sqlite/embedded-store.ts');
  return openEmbeddedStore({ dataDir: config.data_dir, clock: systemClock });
}

/** For the commands that run one plane: the other one is in another process, so they must share a Redis. */
export async function openSharedStore(config: Config, log: Logger, command: string): Promise<Store> {
  if (config.redis_url === undefined) {
    throw new OperatorError(
      `REDIS_URL is not set. "${command}" runs one plane and shares its state through Redis; set REDIS_URL to ` +
        'redis://host:6379 (or redis+sentinel://, redis+cluster://), or run both planes in one process: lanewise standalone',
    );
  }
  return openRedis(config.redis_url, log);
}

async function openRedis(url: string, log: Logger): Promise<Store> {
  const { openRedisStore } = await import('../runtime/store/redis/redis-store.ts');
  return openRedisStore({ url, clock: systemClock, log });
}
