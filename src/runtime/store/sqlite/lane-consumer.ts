import { v7 as uuid } from 'uuid';
import type { Clock } from '../../../core/clock.ts';
import type { LaneQueue } from '../../../core/lane-keys.ts';
import type { Lane } from '../../../core/lane.ts';
import { deadJob, triedJob } from '../lane-jobs.ts';
import type { ConsumerOptions, LaneConsumer, SettleResult, TakenJob, TakeOptions } from '../lane-store.ts';
import type { Database } from './database.ts';
import type { LaneHands } from './lane-hands.ts';
import { jobOf, sequenceOf, type LaneRows } from './lane-rows.ts';

/** The parts of the lanes that a consumer works on. */
export interface LaneParts {
  readonly db: Database;
  readonly rows: LaneRows;
  readonly hands: LaneHands;
  readonly clock: Clock;
}

/** A consumer of the same process, so no answer can get lost, and whoever waits is woken when jobs come. */
export function openLaneConsumer(
  { db, rows, hands, clock }: LaneParts,
  { id, leaseMs }: ConsumerOptions,
): LaneConsumer {
  const name = `${id}~${uuid()}`;
  let receipts = 0;

  const takeNow = (queue: LaneQueue, lane: Lane, max: number): readonly TakenJob[] => {
    hands.renew(name, leaseMs);
    return db.transaction(() => {
      const front = "WHERE queue = ? AND state = 'waiting' AND lane = ? ORDER BY position LIMIT ?";
      return rows.read(front, queue.name, lane, max).map((row) => {
        const receipt = String(++receipts);
        db.run(
          "UPDATE queue_jobs SET state = 'taken', consumer = ?, receipt = ? WHERE sequence = ?",
          name,
          receipt,
          sequenceOf(row),
        );
        return { lane, receipt, ...jobOf(queue, row, `${name}.${receipt}`) };
      });
    });
  };

  const held = ({ receipt }: TakenJob): number | undefined => {
    const row = db.get(
      "SELECT sequence FROM queue_jobs WHERE state = 'taken' AND consumer = ? AND receipt = ?",
      name,
      receipt,
    );
    return row && sequenceOf(row);
  };

  const settle = (job: TakenJob, work: (sequence: number) => void): SettleResult =>
    db.transaction(() => {
      const sequence = held(job);
      if (sequence !== undefined) work(sequence);
      else if (hands.wasRecovered(name, job.receipt)) return { kind: 'lost' };
      return { kind: 'done' };
    });

  return {
    name,

    async take(queue, lane, { max, waitMs, signal }: TakeOptions) {
      const ending = new AbortController();
      const stop = (): void => ending.abort();
      const isStopped = (): boolean => signal?.aborted === true;
      if (max < 1 || isStopped()) return [];
      const timer = setTimeout(stop, Math.min(waitMs, LONGEST_TIMER_MS));
      signal?.addEventListener('abort', stop);
      try {
        for (;;) {
          const jobs = takeNow(queue, lane, max);
          if (jobs.length > 0 || ending.signal.aborted || waitMs <= 0) return jobs;
          await hands.untilWoken(queue.name, lane, ending.signal);
          if (isStopped()) return [];
        }
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener('abort', stop);
      }
    },

    async heartbeat() {
      hands.renew(name, leaseMs);
    },

    async acknowledge(job) {
      return settle(job, (sequence) => db.run('DELETE FROM queue_jobs WHERE sequence = ?', sequence));
    },

    async retry(job, { lane, delayMs, ended }) {
      const due = clock.now() + Math.max(0, delayMs);
      return settle(job, (sequence) => rows.delay(sequence, lane, due, triedJob(job, ended)));
    },

    async bury(job, { reason, ended }) {
      const death = { at: clock.now(), reason };
      return settle(job, (sequence) => rows.bury(sequence, death, deadJob(job, ended)));
    },

    async giveBack(jobs) {
      db.transaction(() => {
        for (const job of jobs) {
          const sequence = held(job);
          if (sequence === undefined) continue;
          rows.putBack(sequence);
          hands.rememberRecovery(name, job.receipt);
        }
      });
      for (const { queue, lane } of jobs) hands.wake(queue.name, lane);
    },

    async close() {
      hands.renew(name, 0);
    },
  };
}

/** What `setTimeout` takes. */
const LONGEST_TIMER_MS = 2_147_483_647;
