import type { Clock } from '../../../core/clock.ts';
import { NOTICES_MAX, type Notice, type OutboxStore, type TakenNotice } from '../outbox-store.ts';
import { noticeRecord } from '../records.ts';
import { numberOf, textOf, type Database, type Row } from './database.ts';

/** Within the transaction under way. */
export function createNoticeKeeper(db: Database, clock: Clock): (notices: readonly Notice[]) => void {
  return (notices) => {
    if (notices.length === 0) return;
    for (const notice of notices) {
      db.run(
        'INSERT INTO notices (id, due, attempts, record) VALUES (?, ?, 0, ?) ON CONFLICT DO NOTHING',
        notice.id,
        Math.ceil(clock.now()),
        noticeRecord.encode(notice),
      );
    }
    db.run(
      `DELETE FROM notices WHERE sequence IN (
         SELECT sequence FROM notices ORDER BY sequence
         LIMIT max(0, (SELECT count(*) FROM notices) - ?)
       )`,
      NOTICES_MAX,
    );
  };
}

export function createOutbox(db: Database, clock: Clock): OutboxStore {
  const settle = (id: string): void => db.run('DELETE FROM notices WHERE id = ?', id);

  const read = (row: Row): TakenNotice | undefined => {
    const id = textOf(row, 'id');
    try {
      const notice = noticeRecord.decode(textOf(row, 'record'), `notice ${id}`);
      return { ...notice, attempt: numberOf(row, 'attempts') + 1 };
    } catch {
      settle(id);
      return undefined;
    }
  };

  return {
    async takeNotices(limit, leaseMs) {
      const now = clock.now();
      return db.transaction(() => {
        const due = db.all(
          'SELECT id, attempts, record FROM notices WHERE due <= ? ORDER BY due, sequence LIMIT ?',
          now,
          limit,
        );
        const taken = due.map(read).filter((notice) => notice !== undefined);
        for (const { id, attempt } of taken) {
          db.run(
            'UPDATE notices SET due = ?, attempts = ? WHERE id = ?',
            Math.ceil(now + leaseMs),
            attempt,
            id,
          );
        }
        return taken;
      });
    },

    async settleNotice(id) {
      settle(id);
    },

    async postponeNotice(id, delayMs) {
      db.run('UPDATE notices SET due = ? WHERE id = ?', Math.ceil(clock.now() + delayMs), id);
    },
  };
}
