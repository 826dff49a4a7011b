import type { Clock } from '../../../core/clock.ts';
import { isFencedOff, raiseFence } from '../../../core/lane-fence.ts';
import type { LaneQueue } from '../../../core/lane-keys.ts';
import { LANES, type Lane } from '../../../core/lane.ts';
import { AGE_MARK_BYTES, encodeJob, enqueuedAtOf } from '../../../core/queue-job.ts';
import { revivedJob, triedJob } from '../lane-jobs.ts';
import {
  LEDGER_TTL_MS_DEFAULT,
  type DeadJob,
  type EnqueuedJob,
  type EnqueueResult,
  type LaneCounts,
  type LaneDepth,
  type LaneStore,
} from '../lane-store.ts';
import type { RouteHead } from '../store.ts';
import { numberOf, textOf, type Database, type Row } from './database.ts';
import { openLaneConsumer } from './lane-consumer.ts';
import { createLaneHands } from './lane-hands.ts';
import { createLaneRows, jobOf, laneOf, sequenceOf } from './lane-rows.ts';
import { LANE_TABLES } from './lane-schema.ts';

export interface EmbeddedLanes {
  readonly store: LaneStore;
  /** Ends every wait. To be called after the database was closed. */
  close(): void;
}

/** Lists and streams are the same here: tables. */
export function createLanes(db: Database, clock: Clock): EmbeddedLanes {
  db.transaction(() => LANE_TABLES.forEach((table) => db.run(table)));
  const rows = createLaneRows(db);
  const hands = createLaneHands(clock);

  const fenceOf = (queue: LaneQueue, scope: string): RouteHead | undefined => {
    const row = db.get(
      'SELECT epoch, revision FROM queue_fences WHERE queue = ? AND scope = ?',
      queue.name,
      scope,
    );
    return row && { epoch: textOf(row, 'epoch'), revision: numberOf(row, 'revision') };
  };

  const countsOf = (queue: LaneQueue, lane: Lane): LaneCounts => {
    const count = (state: string): number =>
      numberOf(
        db.get(
          'SELECT count(*) AS n FROM queue_jobs WHERE queue = ? AND state = ? AND lane = ?',
          queue.name,
          state,
          lane,
        ),
        'n',
      );
    return { waiting: count('waiting'), delayed: count('delayed'), inFlight: count('taken') };
  };

  const depthOf = (queue: LaneQueue, lane: Lane): LaneDepth => {
    const oldest = db.get(
      `SELECT substr(payload, 1, ${AGE_MARK_BYTES}) AS mark FROM queue_jobs
       WHERE queue = ? AND state = 'waiting' AND lane = ? ORDER BY position LIMIT 1`,
      queue.name,
      lane,
    )?.['mark'];
    const enqueuedAt =
      oldest instanceof Uint8Array ? enqueuedAtOf(Buffer.from(oldest).toString()) : undefined;
    const oldestAgeMs = enqueuedAt === undefined ? null : Math.max(0, clock.now() - enqueuedAt);
    return { ...countsOf(queue, lane), oldestAgeMs };
  };

  const wakeAll = (queue: LaneQueue): void => LANES.forEach((lane) => hands.wake(queue.name, lane));

  const recover = (queue: LaneQueue): number =>
    db.transaction(() => {
      const found = db.all(
        "SELECT sequence, consumer, receipt FROM queue_jobs WHERE queue = ? AND state = 'taken'",
        queue.name,
      );
      const expired = found.filter((row) => !hands.isAlive(textOf(row, 'consumer')));
      for (const { sequence } of expired) {
        for (const row of rows.read('WHERE sequence = ?', sequence as number)) {
          const consumer = textOf(row, 'consumer');
          const receipt = textOf(row, 'receipt');
          rows.putBack(sequenceOf(row), triedJob(jobOf(queue, row, `${consumer}.${receipt}`)));
          hands.rememberRecovery(consumer, receipt);
        }
      }
      return expired.length;
    });

  const deadRows = (queue: LaneQueue, ids: readonly string[] | 'all'): readonly Row[] => {
    const all = db.all(
      "SELECT sequence, position FROM queue_jobs WHERE queue = ? AND state = 'dead' ORDER BY position",
      queue.name,
    );
    const wanted = new Set(ids);
    return ids === 'all' ? all : all.filter((row) => wanted.has(deadIdOf(row)));
  };

  const store: LaneStore = {
    async enqueueJobs(queue, jobs, { routedBy, ledgerTtlMs = LEDGER_TTL_MS_DEFAULT }) {
      const now = clock.now();
      const result = db.transaction((): EnqueueResult => {
        db.run('DELETE FROM queue_ledger WHERE expires <= ?', now);
        const known = jobs.map(({ id }) =>
          db.get('SELECT lane FROM queue_ledger WHERE queue = ? AND id = ?', queue.name, id),
        );
        const fresh = jobs.filter((_, i) => known[i] === undefined);
        const scopes = new Set(
          fresh.flatMap(({ tenant }) => [QUEUE_SCOPE, ...(tenant ? [scopeOf(tenant)] : [])]),
        );
        if ([...scopes].some((scope) => isFencedOff(fenceOf(queue, scope), routedBy)))
          return { kind: 'stale' };
        return {
          kind: 'stored',
          jobs: jobs.map((job): EnqueuedJob => {
            const { id, lane } = job;
            const before = db.get('SELECT lane FROM queue_ledger WHERE queue = ? AND id = ?', queue.name, id);
            if (before !== undefined) return { kind: 'known', lane: laneOf(before) };
            const expires = Math.ceil(now + ledgerTtlMs);
            db.run('INSERT INTO queue_ledger VALUES (?, ?, ?, ?)', queue.name, id, lane, expires);
            rows.add(queue.name, lane, encodeJob(queue.envelope ?? 'json', job));
            return { kind: 'stored', lane };
          }),
        };
      });
      wakeAll(queue);
      return result;
    },

    async fenceQueue(queue, tenant, head) {
      const scope = tenant === undefined ? QUEUE_SCOPE : scopeOf(tenant);
      db.transaction(() => {
        const { epoch, revision } = raiseFence(fenceOf(queue, scope), head);
        db.run('INSERT OR REPLACE INTO queue_fences VALUES (?, ?, ?, ?)', queue.name, scope, epoch, revision);
      });
    },

    openConsumer: (options) => openLaneConsumer({ db, rows, hands, clock }, options),

    async recoverJobs(queue) {
      const recovered = recover(queue);
      if (recovered > 0) wakeAll(queue);
      return { recovered };
    },

    async releaseDueJobs(queue, max) {
      const now = clock.now();
      const released = db.transaction(() => {
        const due = "WHERE queue = ? AND state = 'delayed' AND due <= ? ORDER BY due, position LIMIT ?";
        const found = rows.read(due, queue.name, now, max);
        for (const row of found) rows.append(sequenceOf(row), laneOf(row));
        return found.length;
      });
      if (released > 0) wakeAll(queue);
      const next = db.get(
        "SELECT min(due) AS due FROM queue_jobs WHERE queue = ? AND state = 'delayed'",
        queue.name,
      );
      const due = next?.['due'];
      return { released, nextInMs: typeof due === 'number' ? Math.max(0, due - now) : null };
    },

    async drainLane(queue, from, to, max) {
      recover(queue);
      const result = db.transaction(() => {
        const waiting = "WHERE queue = ? AND state = 'waiting' AND lane = ? ORDER BY position LIMIT ?";
        const moving = db.all(`SELECT sequence FROM queue_jobs ${waiting}`, queue.name, from, max);
        for (const row of moving) rows.append(sequenceOf(row), to);
        const delayed = db.all(
          `UPDATE queue_jobs SET lane = ? WHERE sequence IN (SELECT sequence FROM queue_jobs
             WHERE queue = ? AND state = 'delayed' AND lane = ? ORDER BY due LIMIT ?) RETURNING sequence`,
          to,
          queue.name,
          from,
          max - moving.length,
        );
        return { moved: moving.length + delayed.length, ...countsOf(queue, from) };
      });
      if (result.moved > 0) hands.wake(queue.name, to);
      return result;
    },

    async readDepths(queue) {
      const dead = db.get(
        "SELECT count(*) AS n FROM queue_jobs WHERE queue = ? AND state = 'dead'",
        queue.name,
      );
      return {
        lanes: { stable: depthOf(queue, 'stable'), canary: depthOf(queue, 'canary') },
        dead: numberOf(dead, 'n'),
      };
    },

    async listDeadJobs(queue, { offset, limit }) {
      const total = numberOf(
        db.get("SELECT count(*) AS n FROM queue_jobs WHERE queue = ? AND state = 'dead'", queue.name),
        'n',
      );
      const page = "WHERE queue = ? AND state = 'dead' ORDER BY position DESC LIMIT ? OFFSET ?";
      return { total, jobs: rows.read(page, queue.name, limit, offset).map((row) => deadJobOf(queue, row)) };
    },

    async requeueDeadJobs(queue, ids, lane) {
      const count = db.transaction(() => {
        const found = deadRows(queue, ids);
        for (const { sequence } of found) {
          for (const row of rows.read('WHERE sequence = ?', sequence as number))
            rows.append(sequenceOf(row), lane, revivedJob(jobOf(queue, row, deadIdOf(row))));
        }
        return found.length;
      });
      if (count > 0) hands.wake(queue.name, lane);
      return { count };
    },

    async dropDeadJobs(queue, ids) {
      return db.transaction(() => {
        const found = deadRows(queue, ids);
        for (const row of found) db.run('DELETE FROM queue_jobs WHERE sequence = ?', sequenceOf(row));
        return { count: found.length };
      });
    },
  };
  return { store, close: () => hands.close() };
}

const QUEUE_SCOPE = 'queue';

function scopeOf(tenant: string): string {
  return `tenant:${tenant}`;
}

/** A job that dies again gets another position, so it is another one to whoever acts on a list. */
function deadIdOf(row: Row): string {
  return String(numberOf(row, 'position'));
}

function deadJobOf(queue: LaneQueue, row: Row): DeadJob {
  const id = deadIdOf(row);
  const { content } = jobOf(queue, row, id);
  return { id, at: numberOf(row, 'died_at'), lane: laneOf(row), reason: textOf(row, 'reason'), content };
}
