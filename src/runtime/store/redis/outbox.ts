import type { Logger } from '../../log.ts';
import type { OutboxStore, TakenNotice } from '../outbox-store.ts';
import { noticeRecord } from '../records.ts';
import type { RedisConnection } from './connection.ts';
import { KEYS } from './keys.ts';
import { countOf, jsonAfter, pairsOf } from './replies.ts';

const OUTBOX_KEYS = [KEYS.noticesDue, KEYS.noticesOrder, KEYS.notices];

export function createOutbox(connection: RedisConnection, log: Logger): OutboxStore {
  const settle = async (id: string): Promise<void> => {
    await connection.run('settleNotice', OUTBOX_KEYS, [id]);
  };
  return {
    async takeNotices(limit, leaseMs) {
      const args = [String(limit), String(Math.ceil(leaseMs))];
      const records = pairsOf(await connection.run('takeNotices', OUTBOX_KEYS, args), 'notices');
      const taken: TakenNotice[] = [];
      for (const [id, record] of records) {
        try {
          taken.push(takenOf(id, record));
        } catch (error) {
          log.warn({ err: error }, 'an unreadable notice was dropped');
          await settle(id);
        }
      }
      return taken;
    },

    settleNotice: settle,

    async postponeNotice(id, delayMs) {
      await connection.run('postponeNotice', OUTBOX_KEYS, [id, String(Math.ceil(delayMs))]);
    },
  };
}

function takenOf(id: string, record: string): TakenNotice {
  const name = `notice ${id}`;
  const notice = noticeRecord.decode(jsonAfter(1, record, name), name);
  return { ...notice, attempt: countOf(record.slice(0, record.indexOf(' ')), name) };
}
