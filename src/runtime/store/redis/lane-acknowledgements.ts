import { laneKeyOf } from '../../../core/lane-keys.ts';
import type { SettleResult, TakenJob } from '../lane-store.ts';
import type { LaneCalls } from './lane-calls.ts';

/**
 * Jobs that are done within one turn of the event loop are acknowledged in one call: the commonest call of all, and
 * most of what one costs is the call itself.
 */
interface Batch {
  readonly receipts: string[];
  readonly results: Promise<readonly SettleResult[]>;
}

/** Receipts in one call. */
const BATCH_MAX = 500;

export function createAcknowledgements(
  calls: LaneCalls,
  consumer: string,
): (job: TakenJob) => Promise<SettleResult> {
  const open = new Map<string, Batch>();

  const openBatch = ({ queue, lane }: TakenJob, key: string): Batch => {
    const receipts: string[] = [];
    const send = async (): Promise<readonly SettleResult[]> => {
      await new Promise((resolve) => setImmediate(resolve));
      if (open.get(key) === batch) open.delete(key);
      const reply = await calls.run('acknowledgeJobs', queue, lane, consumer, ...receipts);
      return receipts.map(() => ({ kind: reply.text() === 'lost' ? 'lost' : 'done' }));
    };
    const batch: Batch = { receipts, results: send() };
    open.set(key, batch);
    return batch;
  };

  return async (job) => {
    const key = laneKeyOf(job.queue, job.lane);
    const known = open.get(key);
    const batch = known === undefined || known.receipts.length >= BATCH_MAX ? openBatch(job, key) : known;
    const place = batch.receipts.push(job.receipt) - 1;
    const result = (await batch.results)[place];
    return result ?? { kind: 'done' };
  };
}
