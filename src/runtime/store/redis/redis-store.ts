import type { Clock } from '../../../core/clock.ts';
import type { Store } from '../store.ts';
import { createActivity } from './activity.ts';
import { openRedisConnection, type RedisConnectionOptions } from './connection.ts';
import { createDeployments } from './deployments.ts';
import { createRequests } from './requests.ts';
import { createEvents } from './events.ts';
import { createRoutes } from './routes.ts';
import { createTelemetry } from './telemetry.ts';
import { createWorkers } from './workers.ts';

export interface RedisStoreOptions extends RedisConnectionOptions {
  /** Taken for symmetry with the embedded store: leases run by the server's clock. */
  readonly clock: Clock;
}

/**
 * The store that many processes share. Returns at once and connects in the background, so that a process can start
 * while Redis is away.
 * @throws OperatorError if the URL is not one.
 */
export function openRedisStore({ log, ...options }: RedisStoreOptions): Store {
  const connection = openRedisConnection({ ...options, log });
  return {
    kind: 'redis',
    needsHashTags: connection.isCluster,
    ...createDeployments(connection),
    ...createWorkers(connection),
    ...createRoutes(connection, log),
    ...createEvents(connection, log),
    ...createTelemetry(connection),
    ...createActivity(connection),
    ...createRequests(connection),
    async ping() {
      await connection.call('PING');
    },
    close: () => connection.close(),
  };
}
