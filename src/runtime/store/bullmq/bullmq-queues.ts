import type { ConnectionOptions } from 'node:tls';
import type { Job, Queue } from 'bullmq';
import { LanewiseError } from '../../../core/errors.ts';
import { bullmqNameOf, hashTagProblem, type LaneQueue } from '../../../core/lane-keys.ts';
import type { Lane } from '../../../core/lane.ts';
import { CALL_TIMEOUT_MS, createCommandClient, type CommandClient } from '../redis/clients.ts';
import { toStoreError } from '../redis/errors.ts';
import { maskRedisUrl, parseRedisUrl } from '../redis/url.ts';

/** The package itself. It is the operator's, an optional peer: whoever has no such workers need not have it. */
export interface BullmqModule {
  readonly Queue: typeof Queue;
}

export interface BullmqQueuesOptions {
  readonly module: BullmqModule;
  readonly url: string;
  readonly tls?: ConnectionOptions;
  /** As the queue's workers have it. */
  readonly prefixOf: (queue: string) => string;
}

/**
 * BullMQ's queues for the lanes, on one connection that is opened when the first is used. All that is read and written of
 * them goes through BullMQ's own API. Its connection waits for a server that is away; ours answers within two seconds.
 */
export interface BullmqQueues {
  /**
   * Does something with the queues of a LaneQueue. @throws LanewiseError `STORE_UNAVAILABLE`, `QUEUE_UNAVAILABLE`
   */
  with<T>(queue: LaneQueue, work: (lanes: BullmqLanes) => Promise<T>): Promise<T>;
  close(): void;
}

export interface BullmqLanes extends Readonly<Record<Lane, Queue>> {
  /** When a delayed job is due, milliseconds since the epoch; undefined if it isn't delayed. */
  dueAt(lane: Lane, job: Job): Promise<number | undefined>;
}

/** BullMQ's score of a delayed job: its time, and twelve bits to keep apart those of the same millisecond. */
const SCORES_PER_MS = 0x1000;

export function openBullmqQueues({ module, url, tls, prefixOf }: BullmqQueuesOptions): BullmqQueues {
  const target = parseRedisUrl(url);
  const redis = maskRedisUrl(url);
  const queues = new Map<string, Promise<Queue>>();
  let client: CommandClient | undefined;
  let isClosed = false;

  const connected = (): CommandClient => {
    if (isClosed) throw new LanewiseError('STORE_UNAVAILABLE', 'the store is closed');
    client ??= quiet(createCommandClient(target, tls));
    return client;
  };

  const openQueue = async (queue: LaneQueue, lane: Lane): Promise<Queue> => {
    const connection = connected();
    await whenReady(connection);
    const opened = quiet(
      new module.Queue(bullmqNameOf(queue, lane), {
        connection,
        prefix: prefixOf(queue.name),
        skipVersionCheck: true,
        // How many events are kept is what the owner of the workers has said.
        skipMetasUpdate: true,
      }),
    );
    try {
      await opened.waitUntilReady();
      return opened;
    } catch (error) {
      await opened.close();
      throw error;
    }
  };

  const queueFor = (queue: LaneQueue, lane: Lane): Promise<Queue> => {
    const name = bullmqNameOf(queue, lane);
    let opening = queues.get(name);
    if (opening === undefined) {
      opening = openQueue(queue, lane);
      queues.set(name, opening);
      // One whose beginning failed would fail for ever.
      opening.catch(() => queues.delete(name));
    }
    return opening;
  };

  const open = async (queue: LaneQueue): Promise<BullmqLanes> => {
    const problem = target.kind === 'cluster' ? hashTagProblem(queue) : undefined;
    if (problem !== undefined) throw new LanewiseError('QUEUE_UNAVAILABLE', problem);
    const lanes = { stable: await queueFor(queue, 'stable'), canary: await queueFor(queue, 'canary') };
    const connection = connected();
    await whenReady(connection);
    return {
      ...lanes,
      async dueAt(lane, job) {
        const score = await connection.zscore(lanes[lane].toKey('delayed'), job.id!);
        return score === null ? undefined : Math.floor(Number(score) / SCORES_PER_MS);
      },
    };
  };

  return {
    async with(queue, work) {
      try {
        return await work(await open(queue));
      } catch (error) {
        throw rejection(error, redis, queue);
      }
    },
    close() {
      isClosed = true;
      client?.disconnect();
      queues.clear();
    },
  };
}

/** Errors come with the call that they concern. */
function quiet<T extends { on(event: 'error', listener: () => void): unknown }>(emitter: T): T {
  emitter.on('error', () => undefined);
  return emitter;
}

async function whenReady(client: CommandClient): Promise<void> {
  if (client.status === 'ready') return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let last: unknown;
  const note = (error: unknown): void => {
    last = error;
  };
  const late = setTimeout(
    () => reject(last ?? new Error(`no answer within ${CALL_TIMEOUT_MS} ms`)),
    CALL_TIMEOUT_MS,
  );
  client.once('ready', resolve);
  client.on('error', note);
  try {
    await promise;
  } finally {
    clearTimeout(late);
    client.off('ready', resolve);
    client.off('error', note);
  }
}

function rejection(error: unknown, redis: string, queue: LaneQueue): LanewiseError {
  if (error instanceof Error && error.message.includes('WRONGTYPE')) {
    const message = `a key of BullMQ's queue "${queue.name}" holds something else: move it away, or set another bullmq_prefix`;
    return new LanewiseError('QUEUE_UNAVAILABLE', message, { cause: error });
  }
  return toStoreError(error, redis);
}
