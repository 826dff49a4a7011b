import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { ConnectionOptions } from 'node:tls';
import { SCRIPTS, type ScriptName } from './scripts.ts';
import type { RedisAddress, RedisTarget } from './url.ts';

/**
 * How ioredis is set up. Its defaults suit a cache: queue commands while the server is away, send unanswered ones again.
 * Here a call is answered within two seconds, and nothing is ever sent twice: a compare-and-set that had got through
 * would then be told that it came too late.
 */

/** No answer for this long: the server is stalled, or the way to it is. Includes connecting. */
export const CALL_TIMEOUT_MS = 2_000;

const CONNECT_TIMEOUT_MS = 1_500;

/** Capped at a second: a proxy should hear of changes soon after its Redis is back, and 1,000 of them are no storm. */
export function reconnectDelayMs(attempt: number): number {
  return Math.min(1_000, 50 * 2 ** Math.min(attempt, 5)) * (0.75 + Math.random() / 4);
}

export type CommandClient = Redis | Cluster;

/** What defining the scripts adds to a client. */
export type Scripted = Record<
  ScriptName | `${ScriptName}Buffer`,
  (...args: readonly (string | Buffer)[]) => Promise<unknown>
>;

const COMMON = {
  connectTimeout: CONNECT_TIMEOUT_MS,
  commandTimeout: CALL_TIMEOUT_MS,
  disconnectTimeout: 200,
  maxLoadingRetryTime: 500,
  // Fails what was under way when the connection broke, at once.
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  enableOfflineQueue: false,
} as const satisfies RedisOptions & { disconnectTimeout: number };

export function createCommandClient(target: RedisTarget, tls?: ConnectionOptions): CommandClient {
  const options = {
    ...COMMON,
    ...credentialsOf(target, tls),
    // Finds out about connections that are dead without having been closed.
    socketTimeout: CALL_TIMEOUT_MS,
  };
  if (target.kind === 'cluster') {
    // A Cluster connects to a node by sending it the first command, so its nodes need their queues.
    const { enableOfflineQueue: _, ...redisOptions } = options;
    return new Cluster([...target.nodes], {
      redisOptions,
      scripts: SCRIPTS,
      clusterRetryStrategy: reconnectDelayMs,
      slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
      slotsRefreshInterval: 5_000,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      maxRedirections: 5,
    });
  }
  return new Redis({
    ...options,
    ...placeOf(target),
    scripts: SCRIPTS,
    // A replica answers this after a fail-over: the master is elsewhere by now.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    retryStrategy: reconnectDelayMs,
    sentinelRetryStrategy: reconnectDelayMs,
    failoverDetector: true,
  });
}

/** ioredis infers reply types from the field left out. */
type Options = Omit<RedisOptions, 'replyMapping'>;

/** One connection of its own, one attempt. On a Cluster any node will do: PUBLISH reaches all of them. */
export function createSubscriberClient(
  target: RedisTarget,
  node: RedisAddress | undefined,
  tls?: ConnectionOptions,
): Redis {
  return new Redis({
    ...COMMON,
    ...credentialsOf(target, tls),
    ...(target.kind === 'cluster' ? (node ?? target.nodes[0]) : placeOf(target)),
    lazyConnect: true,
    retryStrategy: null,
    sentinelRetryStrategy: () => null,
  });
}

/** Like a subscriber's, but for commands that may take as long as they were told to. */
export function createBlockingClient(
  target: RedisTarget,
  node: RedisAddress | undefined,
  tls?: ConnectionOptions,
): Redis {
  const { commandTimeout: _, ...common } = COMMON;
  return new Redis({
    ...common,
    ...credentialsOf(target, tls),
    ...(target.kind === 'cluster' ? (node ?? target.nodes[0]) : placeOf(target)),
    lazyConnect: true,
    retryStrategy: null,
    sentinelRetryStrategy: () => null,
  });
}

function placeOf(target: Exclude<RedisTarget, { kind: 'cluster' }>): Options {
  if (target.kind === 'single') return { ...target.address, db: target.db };
  return {
    sentinels: [...target.sentinels],
    name: target.masterName,
    db: target.db,
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    ...(target.sentinelUsername !== undefined && { sentinelUsername: target.sentinelUsername }),
    ...(target.sentinelPassword !== undefined && { sentinelPassword: target.sentinelPassword }),
  };
}

function credentialsOf(target: RedisTarget, tls: ConnectionOptions = {}): Options {
  return {
    ...(target.username !== undefined && { username: target.username }),
    ...(target.password !== undefined && { password: target.password }),
    ...(target.tls && { tls }),
    ...(target.tls && target.kind === 'sentinel' && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
  };
}
