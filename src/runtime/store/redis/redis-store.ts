import type { Clock } from '../../../core/clock.ts';
import type { Store } from '../store.ts';
import { withBullmqLanes, type BullmqConfig } from '../bullmq/bullmq-lanes.ts';
import { createDamagedRecords } from '../damaged-records.ts';
import { createActivity } from './activity.ts';
import { createBackup } from './backup.ts';
import { openRedisConnection, type RedisConnectionOptions } from './connection.ts';
import { createDeployments } from './deployments.ts';
import { createIntake } from './intake.ts';
import { createJudge } from './judge.ts';
import { createOutbox } from './outbox.ts';
import { createRequests } from './requests.ts';
import { createEvents } from './events.ts';
import { KEYS } from './keys.ts';
import { createLanes } from './lanes.ts';
import { countOf, textOf } from './replies.ts';
import { createRoutes } from './routes.ts';
import { createTelemetry } from './telemetry.ts';
import { createWorkers } from './workers.ts';

export interface RedisStoreOptions extends RedisConnectionOptions {
  /** For how long a caller waits; leases run by the server's clock. */
  readonly clock: Clock;
  /** Where queues have `envelope: bullmq`. */
  readonly bullmq?: BullmqConfig | undefined;
  /** That have a job before its producer is told that it is stored; default 0. Not of BullMQ's queues. */
  readonly replicasAcknowledged?: number;
}

/**
 * The store that many processes share. Returns at once and connects in the background, so that a process can start
 * while Redis is away.
 * @throws OperatorError if the URL is not one.
 */
export function openRedisStore({
  log,
  clock,
  bullmq,
  replicasAcknowledged = 0,
  ...options
}: RedisStoreOptions): Store {
  const connection = openRedisConnection({ ...options, log });
  const damage = createDamagedRecords(log);
  const lanes = createLanes(connection, clock, replicasAcknowledged);
  const withBullmq = bullmq && withBullmqLanes(lanes, { ...options, config: bullmq, connection, clock });
  return {
    kind: 'redis',
    needsHashTags: connection.isCluster,
    ...createDeployments(connection, damage),
    ...createWorkers(connection, damage),
    ...createRoutes(connection, log, damage),
    ...createEvents(connection, log),
    ...createTelemetry(connection),
    ...createJudge(connection),
    ...createOutbox(connection, log),
    ...createActivity(connection, damage),
    ...createRequests(connection),
    ...createBackup(connection),
    damagedRecords: () => damage.list(),
    ...(withBullmq ?? lanes),
    intake: createIntake(connection),
    readTime: async () => countOf(textOf(await connection.run('readTime', [KEYS.epoch], []), 'time'), 'time'),
    async ping() {
      await connection.call('PING');
    },
    async close() {
      withBullmq?.close();
      await connection.close();
    },
  };
}
