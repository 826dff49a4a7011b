import { laneSettingsOf } from '../../config/lane-queues.ts';
import type { Config } from '../../config/load.ts';
import { isOfBullmq } from '../core/lane-keys.ts';
import type { Logger } from '../runtime/log.ts';
import { systemClock } from '../runtime/clock.ts';
import type { BullmqConfig } from '../runtime/store/bullmq/bullmq-lanes.ts';
import type { Store } from '../runtime/store/store.ts';
import type { FileKeeping } from '../runtime/tls/file-keeping.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import { asLiveOptions, openClientTls } from '../runtime/tls/client-tls.ts';
import type { TlsMaterial } from '../runtime/tls/pem-files.ts';

/** Redis where one is configured, else the embedded store. Each is loaded only where it is used. */
export async function openStore(config: Config, log: Logger, files?: FileKeeping): Promise<Store> {
  if (config.redis_url !== undefined) return openRedis(config.redis_url, config, log, files);
  refuseBullmq(config);
  refuseReplicas(config);
  const { openEmbeddedStore } = await import('../runtime/store/sqlite/embedded-store.ts');
  return openEmbeddedStore({ dataDir: config.data_dir, clock: systemClock, log });
}

/** For the commands that run one plane: the other one is in another process, so they must share a Redis. */
export async function openSharedStore(
  config: Config,
  log: Logger,
  command: string,
  files?: FileKeeping,
): Promise<Store> {
  if (config.redis_url === undefined) {
    throw new OperatorError(
      `REDIS_URL is not set. "${command}" runs one plane and shares its state through Redis; set REDIS_URL to ` +
        'redis://host:6379 (or redis+sentinel://, redis+cluster://), or run both planes in one process: lanewise standalone',
    );
  }
  return openRedis(config.redis_url, config, log, files);
}

async function openRedis(
  url: string,
  config: Config,
  log: Logger,
  files: FileKeeping | undefined,
): Promise<Store> {
  const { openRedisStore } = await import('../runtime/store/redis/redis-store.ts');
  const tls = redisTls(url, config, files);
  const bullmq = await bullmqOf(config);
  const replicasAcknowledged = config.lanes.replicas_acknowledged;
  return openRedisStore({
    url,
    clock: systemClock,
    log,
    ...(tls !== undefined && { tls }),
    bullmq,
    replicasAcknowledged,
  });
}

/** @throws OperatorError also for certificates that no connection would use: whoever set them means them */
function redisTls(
  url: string,
  { redis_tls }: Config,
  files: FileKeeping | undefined,
): TlsMaterial | undefined {
  if (redis_tls.ca === undefined && redis_tls.cert === undefined) return undefined;
  if (!/^\s*rediss/i.test(url)) {
    throw new OperatorError(
      'redis_tls is set, but REDIS_URL does not ask for TLS: it must begin with rediss:// (or rediss+sentinel://, rediss+cluster://)',
    );
  }
  return asLiveOptions(openClientTls('redis_tls', redis_tls, files));
}

/** Imported only where a queue needs it: the package is an optional peer. */
async function bullmqOf(config: Config): Promise<BullmqConfig | undefined> {
  const queue = bullmqQueue(config);
  if (queue === undefined) return undefined;
  try {
    const module = await import('bullmq');
    return { module, settingsOf: (name) => laneSettingsOf(config.queues, name) };
  } catch (error) {
    throw new OperatorError(
      `queues.${queue}.envelope is bullmq, but the package bullmq can't be loaded: npm install bullmq`,
      { cause: error },
    );
  }
}

function refuseBullmq(config: Config): void {
  const queue = bullmqQueue(config);
  if (queue === undefined) return;
  throw new OperatorError(
    `queues.${queue}.envelope is bullmq, which needs Redis: set REDIS_URL to the Redis that the BullMQ workers use`,
  );
}

/** Who asks for a second copy must not be told that there is one. */
function refuseReplicas({ lanes }: Config): void {
  if (lanes.replicas_acknowledged === 0) return;
  throw new OperatorError(
    `lanes.replicas_acknowledged is ${lanes.replicas_acknowledged}, but the embedded store has no replicas: set REDIS_URL, or make it 0`,
  );
}

/** The first queue whose workers are BullMQ's. */
function bullmqQueue({ queues }: Config): string | undefined {
  return Object.keys(queues).find((name) => isOfBullmq(queues[name]!));
}
