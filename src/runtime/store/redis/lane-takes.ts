import type { LaneQueue } from '../../../core/lane-keys.ts';
import type { Lane } from '../../../core/lane.ts';
import { decodeJob } from '../../../core/queue-job.ts';
import type { TakenJob } from '../lane-store.ts';
import type { LaneCalls, LaneReply } from './lane-calls.ts';

/** The scripts of a consumer, with their arguments and answers. */

/** `mine`: only what the consumer has already and, by what it says is known, has not heard of. */
export type TakeScope = 'lane' | 'mine';

interface TakeRequest {
  readonly name: string;
  readonly leaseMs: number;
  /** Grows with each take of this consumer. */
  readonly number: number;
  readonly max: number;
  readonly scope: TakeScope;
  /** Receipts, where there may be others. */
  readonly known: readonly string[] | undefined;
}

interface TakeAnswer {
  readonly jobs: readonly TakenJob[];
  /** There are more that the consumer has not heard of. */
  readonly hasMore: boolean;
}

export async function takeJobs(
  calls: LaneCalls,
  { queue, lane }: { readonly queue: LaneQueue; readonly lane: Lane },
  { name, leaseMs, number, max, scope, known }: TakeRequest,
): Promise<TakeAnswer> {
  const script = queue.kind === 'stream' ? 'takeFromStream' : 'takeFromList';
  const counts = [leaseMs, number, max].map(String);
  const doubt = known === undefined ? ['0'] : ['1', ...known];
  const reply = await calls.run(script, queue, lane, name, ...counts, scope, ...doubt);
  const hasMore = reply.text() === '1';
  const jobs: TakenJob[] = [];
  while (!reply.isOver) jobs.push(takenJob(queue, lane, reply));
  return { jobs, hasMore };
}

function takenJob(queue: LaneQueue, lane: Lane, reply: LaneReply): TakenJob {
  const receipt = reply.text();
  const note = reply.text();
  const moreAttempts = reply.count();
  const stored = { note, payload: reply.bytes() };
  const content = decodeJob(queue.envelope ?? 'json', stored, { lane, fallbackId: receipt, moreAttempts });
  return { queue, lane, receipt, content, stored };
}

/** The jobs are of one queue, in the order in which they were taken. */
export async function returnToFront(
  calls: LaneCalls,
  queue: LaneQueue,
  name: string,
  jobs: readonly TakenJob[],
): Promise<void> {
  if (jobs.length === 0) return;
  if (queue.kind === 'stream') {
    await calls.run('giveBackEntries', queue, name, ...jobs.flatMap(({ lane, receipt }) => [lane, receipt]));
    return;
  }
  const newestFirst = jobs.toReversed();
  const args = newestFirst.flatMap(({ lane, receipt, stored }) => {
    return [lane, name, receipt, stored.note, stored.payload];
  });
  await calls.run('returnJobs', queue, 'own', ...args);
}

export async function renewLease(
  calls: LaneCalls,
  queue: LaneQueue,
  name: string,
  leaseMs: number,
): Promise<void> {
  await calls.run('renewLease', queue, name, String(Math.ceil(leaseMs)));
}
