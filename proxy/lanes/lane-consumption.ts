import type { Config } from '../../config/load.ts';
import { laneQueueOf, laneSettingsOf } from '../../config/lane-queues.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { RoutingStrategy } from '../../src/core/deployment.ts';
import { baseKeyOf, isOfBullmq, laneKeyOf, type LaneQueue } from '../../src/core/lane-keys.ts';
import type { RoutingTable } from '../../src/core/routing-table.ts';
import type { Logger } from '../../src/runtime/log.ts';
import { startPeriodic } from '../../src/runtime/periodic.ts';
import type { LaneStore } from '../../src/runtime/store/lane-store.ts';
import type { JobTracer } from '../../src/runtime/tracing.ts';
import type { WorkerEndpoint } from '../endpoint.ts';
import type { DispatchTelemetry } from '../telemetry.ts';
import { LaneJobs } from './lane-jobs.ts';
import { LaneReader } from './lane-reader.ts';
import type { LaneTelemetry } from './lane-telemetry.ts';
import { Places } from './places.ts';
import { QueueCare } from './queue-care.ts';
import { servedLanes, type ServedLane } from './served-lanes.ts';
import { Settling } from './settling.ts';

/** The consuming side of queue lanes, put together: which lanes are read follows the routes. */

export interface LaneConsumptionOptions {
  readonly proxyId: string;
  /** In a sidecar, its worker: jobs are taken for that one alone. Absent: for all workers. */
  readonly consumeFor?: string;
  readonly config: Pick<Config, 'lanes' | 'queues' | 'dispatch'>;
  readonly store: LaneStore;
  readonly table: RoutingTable<WorkerEndpoint>;
  readonly telemetry: DispatchTelemetry;
  readonly laneTelemetry: LaneTelemetry;
  readonly tracer: JobTracer | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

export interface LaneConsumption {
  /** To be called after the table has changed. @param queues those that are different, or gone */
  onRoutesChanged(queues: ReadonlySet<string>): void;
  /** Takes nothing more, lets jobs finish until the deadline, puts back the rest. */
  close(drainTimeoutMs: number): Promise<void>;
}

/** Chances to renew a lease before it runs out. */
const HEARTBEATS_PER_LEASE = 3;
/** After the last job has ended, for what the store has to be told yet. Then the lease runs out, and others have it. */
const SETTLE_MS_MAX = 5_000;

/** Begins at once. */
export function startLaneConsumption(options: LaneConsumptionOptions): LaneConsumption {
  const { config, store, table, telemetry, laneTelemetry, clock, log, random, consumeFor } = options;
  const leaseMs = config.lanes.lease;
  const isOwn = ({ worker }: WorkerEndpoint): boolean => consumeFor === undefined || worker.id === consumeFor;
  const monotonic = (): number => clock.monotonic();

  const consumer = store.openConsumer({ id: options.proxyId, leaseMs });
  const places = new Places({ concurrency: config.lanes.concurrency, isOwn, monotonic, random });
  const settling = new Settling({ consumer, telemetry: laneTelemetry, log, random });
  const cares = new Map<string, QueueCare>();
  const jobs = new LaneJobs({
    table,
    telemetry,
    laneTelemetry,
    tracer: options.tracer,
    places,
    monotonic,
    now: () => clock.now(),
    random,
    timeoutMs: config.dispatch.timeout,
    settingsOf: (queue) => laneSettingsOf(config.queues, queue),
    settling,
    onDelayed: (queue, delayMs) => cares.get(baseKeyOf(queue))?.noteDelay(delayMs),
  });
  const heartbeats = startPeriodic(
    () => leaseMs / HEARTBEATS_PER_LEASE,
    async () => {
      try {
        await consumer.heartbeat();
      } catch (error) {
        log.debug({ err: error }, 'the leases of jobs in hands could not be renewed; trying again');
      }
    },
  );

  const readers = new Map<string, LaneReader>();
  /** Readers and cares that were told to stop and have not yet. */
  const ending = new Set<Promise<void>>();
  /** Of each queue, the lanes that are read. */
  const served = new Map<string, readonly ServedLane<WorkerEndpoint>[]>();
  /** Queues whose lanes may be others by now. */
  let touched = new Set<string>(table.queues.keys());
  let refreshing: NodeJS.Immediate | undefined;
  let isClosed = false;

  const end = (stoppable: { stop(): Promise<void> }): void => {
    const stopped = stoppable.stop();
    ending.add(stopped);
    void stopped.finally(() => ending.delete(stopped));
  };

  /** Those of BullMQ are its workers' to read. */
  const queueOf = (queue: string, strategy: RoutingStrategy): LaneQueue | undefined => {
    const found = laneQueueOf(config.queues, queue, strategy);
    return found === undefined || isOfBullmq(found) ? undefined : found;
  };

  /** @returns whether a lane was given up */
  const serveQueue = (name: string): boolean => {
    const compiled = table.queues.get(name);
    const lanes = compiled === undefined ? [] : servedLanes(compiled, queueOf, isOwn);
    const former = served.get(name) ?? [];
    if (lanes.length > 0) served.set(name, lanes);
    else served.delete(name);
    const keys = new Set(lanes.map(keyOf));
    return former.some((lane) => !keys.has(keyOf(lane)));
  };

  /** Only the queues that a change has touched: there may be thousands of others. */
  const refresh = (): void => {
    refreshing = undefined;
    const names = [...touched];
    touched = new Set();
    const givenUp = names.filter((name) => serveQueue(name));
    if (givenUp.length > 0) endOthers();
    for (const lane of names.flatMap((name) => served.get(name) ?? [])) {
      const reader = readers.get(keyOf(lane));
      if (reader !== undefined) reader.update(lane);
      else readers.set(keyOf(lane), new LaneReader(lane, { consumer, places, jobs, settling, log, random }));
      const key = baseKeyOf(lane.queue);
      if (!cares.has(key))
        cares.set(key, new QueueCare(lane.queue, { store, log, monotonic, random, leaseMs }));
    }
    places.lookAgain();
  };

  /** What no lane needs any more. */
  const endOthers = (): void => {
    const lanes = [...served.values()].flat();
    takeAway(readers, new Set(lanes.map(keyOf)));
    takeAway(cares, new Set(lanes.map(({ queue }) => baseKeyOf(queue))));
  };

  const takeAway = <T extends { stop(): Promise<void> }>(
    running: Map<string, T>,
    wanted: ReadonlySet<string>,
  ): void => {
    for (const [key, one] of running) {
      if (wanted.has(key)) continue;
      running.delete(key);
      end(one);
    }
  };

  refresh();
  return {
    onRoutesChanged(queues) {
      if (isClosed) return;
      for (const name of queues) touched.add(name);
      refreshing ??= setImmediate(refresh);
    },
    async close(drainTimeoutMs) {
      isClosed = true;
      clearImmediate(refreshing);
      const deadline = AbortSignal.timeout(drainTimeoutMs);
      takeAway(readers, new Set());
      jobs.stop();
      while (ending.size > 0) await Promise.all(ending);
      await jobs.drained(deadline);
      takeAway(cares, new Set());
      while (ending.size > 0) await Promise.all(ending);
      await settling.finish(AbortSignal.timeout(SETTLE_MS_MAX));
      // Their leases ran until now.
      await heartbeats.stop();
      places.close();
      try {
        await consumer.close();
      } catch (error) {
        log.debug({ err: error }, 'the lease could not be ended; it runs out by itself');
      }
    },
  };
}

function keyOf({ queue, lane }: ServedLane<WorkerEndpoint>): string {
  return `${queue.kind} ${laneKeyOf(queue, lane)}`;
}
