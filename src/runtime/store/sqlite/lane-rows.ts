import type { LaneQueue } from '../../../core/lane-keys.ts';
import { LANES, type Lane } from '../../../core/lane.ts';
import { decodeJob, type JobContent, type StoredJob } from '../../../core/queue-job.ts';
import { STEP_BYTES_MAX } from '../lane-store.ts';
import { damaged } from '../records.ts';
import { numberOf, textOf, type Database, type Row } from './database.ts';
import type { SQLInputValue } from 'node:sqlite';

/** Rows of `queue_jobs`, and how they change their place. */
export interface LaneRows {
  /** At the end of a lane. */
  add(queue: string, lane: Lane, stored: StoredJob): void;
  /** To the end of a lane; with `stored`, in its new form. */
  append(sequence: number, lane: Lane, stored?: StoredJob): void;
  /** To where it was. */
  putBack(sequence: number, stored?: StoredJob): void;
  delay(sequence: number, lane: Lane, due: number, stored: StoredJob): void;
  bury(sequence: number, death: { readonly at: number; readonly reason: string }, stored: StoredJob): void;
  /** Rows that a query names, with all columns, until there are `STEP_BYTES_MAX` bytes; the first one always. */
  read(condition: string, ...values: readonly SQLInputValue[]): readonly Row[];
}

export function createLaneRows(db: Database): LaneRows {
  const last = db.get('SELECT max(position) AS position FROM queue_jobs')?.['position'];
  let position = typeof last === 'number' ? last : 0;
  const rewrite = (sequence: number, stored: StoredJob | undefined): void => {
    if (stored === undefined) return;
    const { note, payload } = stored;
    db.run('UPDATE queue_jobs SET note = ?, payload = ? WHERE sequence = ?', note, payload, sequence);
  };

  return {
    add(queue, lane, { note, payload }) {
      db.run(
        "INSERT INTO queue_jobs (queue, lane, state, position, note, payload) VALUES (?, ?, 'waiting', ?, ?, ?)",
        queue,
        lane,
        ++position,
        note,
        payload,
      );
    },
    append(sequence, lane, stored) {
      rewrite(sequence, stored);
      db.run(
        "UPDATE queue_jobs SET state = 'waiting', lane = ?, position = ? WHERE sequence = ?",
        lane,
        ++position,
        sequence,
      );
    },
    putBack(sequence, stored) {
      rewrite(sequence, stored);
      db.run("UPDATE queue_jobs SET state = 'waiting' WHERE sequence = ?", sequence);
    },
    delay(sequence, lane, due, stored) {
      rewrite(sequence, stored);
      db.run(
        "UPDATE queue_jobs SET state = 'delayed', lane = ?, due = ?, position = ? WHERE sequence = ?",
        lane,
        Math.ceil(due),
        ++position,
        sequence,
      );
    },
    bury(sequence, { at, reason }, stored) {
      rewrite(sequence, stored);
      db.run(
        "UPDATE queue_jobs SET state = 'dead', died_at = ?, reason = ?, position = ? WHERE sequence = ?",
        Math.floor(at),
        reason,
        ++position,
        sequence,
      );
    },
    read(condition, ...values) {
      const rows: Row[] = [];
      let bytes = 0;
      for (const row of db.all(
        `SELECT sequence, length(payload) AS size FROM queue_jobs ${condition}`,
        ...values,
      )) {
        if (bytes >= STEP_BYTES_MAX) break;
        bytes += numberOf(row, 'size');
        const whole = db.get('SELECT * FROM queue_jobs WHERE sequence = ?', numberOf(row, 'sequence'));
        if (whole !== undefined) rows.push(whole);
      }
      return rows;
    },
  };
}

export function sequenceOf(row: Row): number {
  return numberOf(row, 'sequence');
}

export function laneOf(row: Row): Lane {
  const word = textOf(row, 'lane');
  const lane = LANES.find((known) => known === word);
  if (lane === undefined) throw damaged('job', `unknown lane ${word}`);
  return lane;
}

/** What is in a row, as both stores' common functions take it. */
export function jobOf(
  queue: LaneQueue,
  row: Row,
  fallbackId: string,
): { queue: LaneQueue; stored: StoredJob; content: JobContent } {
  const { payload } = row;
  if (!(payload instanceof Uint8Array)) throw damaged('job', 'no payload');
  const stored = { note: textOf(row, 'note'), payload };
  return {
    queue,
    stored,
    content: decodeJob(queue.envelope ?? 'json', stored, { lane: laneOf(row), fallbackId }),
  };
}
