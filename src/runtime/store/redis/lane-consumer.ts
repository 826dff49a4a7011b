import { v7 as uuid } from 'uuid';
import type { Clock } from '../../../core/clock.ts';
import { baseKeyOf, inboxOf, laneKeyOf, type LaneQueue } from '../../../core/lane-keys.ts';
import type { Lane } from '../../../core/lane.ts';
import { deadJob, triedJob } from '../lane-jobs.ts';
import type { ConsumerOptions, LaneConsumer, SettleResult, TakenJob, TakeOptions } from '../lane-store.ts';
import type { BlockingCall } from './blocking.ts';
import type { RedisConnection } from './connection.ts';
import { createAcknowledgements } from './lane-acknowledgements.ts';
import type { LaneCalls } from './lane-calls.ts';
import { LANE_GROUP } from './lane-script-parts.ts';
import { renewLease, returnToFront, takeJobs, type TakeScope } from './lane-takes.ts';

/**
 * Taking is in two steps. While a lane is empty, Redis moves the job that comes first to this consumer's inbox (BLMOVE, or
 * XREADGROUP under a name of its own). A script then takes what is in the inbox and more from the lane, and writes down
 * who has it. So an answer that gets lost while waiting loses nothing: the inbox is looked at first by the next take,
 * and by whoever recovers. If the script's own answer gets lost, the next one is told which jobs are known here, and
 * hands out the others.
 */

/** What this consumer knows of a lane that it has taken from. */
interface LaneView {
  readonly queue: LaneQueue;
  readonly lane: Lane;
  /** Receipts in hand. */
  readonly held: Set<string>;
  /** A call was not answered: jobs may have come of which nothing is known here. */
  inDoubt: boolean;
  /** Takes of a lane run one after another; how many there are, and the end of the last. */
  takes: number;
  turn: Promise<unknown>;
}

/**
 * A wait ends this early, to renew the lease and, in a stream, to see entries that were returned, of which Redis
 * doesn't wake anybody.
 */
const WAIT_MS_MAX = { list: 10_000, stream: 1_000 } as const;

export function openLaneConsumer(
  connection: RedisConnection,
  calls: LaneCalls,
  clock: Clock,
  { id, leaseMs }: ConsumerOptions,
): LaneConsumer {
  const name = `${id}~${uuid()}`;
  const views = new Map<string, LaneView>();
  const acknowledge = createAcknowledgements(calls, name);
  let takes = 0;

  const viewOf = (queue: LaneQueue, lane: Lane): LaneView => {
    const key = laneKeyOf(queue, lane);
    let view = views.get(key);
    if (view === undefined) {
      view = { queue, lane, held: new Set(), inDoubt: false, takes: 0, turn: Promise.resolve() };
      views.set(key, view);
    }
    return view;
  };

  const inTurn = async <T>(view: LaneView, work: () => Promise<T>): Promise<T> => {
    view.takes += 1;
    const result = view.turn.then(work);
    view.turn = result.catch(() => undefined);
    try {
      return await result;
    } finally {
      view.takes -= 1;
    }
  };

  const takeNow = async (view: LaneView, max: number, scope: TakeScope): Promise<readonly TakenJob[]> => {
    const known = view.inDoubt ? [...view.held] : undefined;
    view.inDoubt = true;
    takes += 1;
    const { jobs, hasMore } = await takeJobs(calls, view, {
      name,
      leaseMs,
      number: takes,
      max,
      scope,
      known,
    });
    for (const { receipt } of jobs) view.held.add(receipt);
    view.inDoubt = hasMore;
    return jobs;
  };

  const wait = async (view: LaneView, waitMs: number, signal: AbortSignal | undefined): Promise<void> => {
    const { queue, lane } = view;
    const ms = Math.max(1, Math.ceil(Math.min(waitMs, leaseMs / 2, WAIT_MS_MAX[queue.kind])));
    try {
      await connection.block(waitingCall(queue, lane, name, ms), signal);
    } catch (error) {
      // The stream or its group has gone just now; the next take makes it again.
      if (/\b(NOGROUP|UNBLOCKED)\b/.test(String(error))) return;
      view.inDoubt = true;
      throw error;
    }
  };

  const take = async (view: LaneView, options: TakeOptions): Promise<readonly TakenJob[]> => {
    const { max, waitMs, signal } = options;
    const isStopped = (): boolean => signal?.aborted === true;
    if (max < 1 || isStopped()) return [];
    const deadline = clock.monotonic() + waitMs;
    for (;;) {
      const jobs = await takeNow(view, max, 'lane');
      const left = deadline - clock.monotonic();
      if (jobs.length > 0 || left <= 0 || isStopped()) return jobs;
      await wait(view, left, signal);
    }
  };

  const settle = async (
    { queue, lane, receipt }: TakenJob,
    script: 'retryJob' | 'buryJob',
    ...args: readonly (string | Uint8Array)[]
  ): Promise<SettleResult> => {
    const result = (await calls.run(script, queue, lane, name, receipt, ...args)).text();
    viewOf(queue, lane).held.delete(receipt);
    return { kind: result === 'lost' ? 'lost' : 'done' };
  };

  const giveBack = async (jobs: readonly TakenJob[]): Promise<void> => {
    for (const [queue, group] of byQueue(jobs)) {
      await returnToFront(calls, queue, name, group);
      for (const { lane, receipt } of group) viewOf(queue, lane).held.delete(receipt);
    }
  };

  const settleDoubt = (view: LaneView): Promise<void> =>
    inTurn(view, async () => {
      while (view.inDoubt) await giveBack(await takeNow(view, 100, 'mine'));
    });

  const renewAll = async (ms: number): Promise<void> => {
    const queues = new Map([...views.values()].map(({ queue }) => [baseKeyOf(queue), queue]));
    await Promise.all([...queues.values()].map((queue) => renewLease(calls, queue, name, ms)));
  };

  return {
    name,
    take: async (queue, lane, options) => {
      const view = viewOf(queue, lane);
      return inTurn(view, () => take(view, options));
    },
    async heartbeat() {
      await renewAll(leaseMs);
      const doubtful = [...views.values()].filter((view) => view.inDoubt && view.takes === 0);
      await Promise.all(doubtful.map(settleDoubt));
    },
    async acknowledge(job) {
      const result = await acknowledge(job);
      viewOf(job.queue, job.lane).held.delete(job.receipt);
      return result;
    },
    async retry(job, { lane, delayMs, ended }) {
      const { note, payload } = triedJob(job, ended);
      return settle(job, 'retryJob', lane, String(Math.max(0, Math.ceil(delayMs))), note, payload);
    },
    async bury(job, { reason, ended }) {
      const { note, payload } = deadJob(job, ended);
      return settle(job, 'buryJob', reason, note, payload);
    },
    giveBack,
    async close() {
      await Promise.all([...views.values()].map(({ turn }) => turn));
      await renewAll(0);
    },
  };
}

function byQueue(jobs: readonly TakenJob[]): Iterable<readonly [LaneQueue, readonly TakenJob[]]> {
  const groups = new Map<string, [LaneQueue, TakenJob[]]>();
  for (const job of jobs) {
    const group = groups.get(baseKeyOf(job.queue));
    if (group === undefined) groups.set(baseKeyOf(job.queue), [job.queue, [job]]);
    else group[1].push(job);
  }
  return groups.values();
}

/** Moves one job to the consumer's inbox, as soon as there is one. */
function waitingCall(queue: LaneQueue, lane: Lane, name: string, ms: number): BlockingCall {
  const key = laneKeyOf(queue, lane);
  const inbox = inboxOf(queue, lane, name);
  if (queue.kind === 'list') {
    const args = [key, inbox, 'RIGHT', 'LEFT', (ms / 1_000).toFixed(3)];
    return { key, send: (client) => client.call('BLMOVE', ...args), waitMs: ms };
  }
  const args = ['GROUP', LANE_GROUP, inbox, 'COUNT', '1', 'BLOCK', String(ms), 'STREAMS', key, '>'];
  return { key, send: (client) => client.call('XREADGROUP', ...args), waitMs: ms };
}
