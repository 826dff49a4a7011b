import type { JudgeStore } from '../judge-store.ts';
import { judgementRecord } from '../judgement-record.ts';
import { textOf, type Database } from './database.ts';
import type { Keeping } from './keeping.ts';

export function createJudge(
  db: Database,
  { lease, eventLog, keepNotices }: Keeping,
): Omit<JudgeStore, 'readStep'> {
  return {
    async claimJudgeLease(holder, ttlMs) {
      return lease.claim(holder, ttlMs);
    },

    async releaseJudgeLease(holder) {
      lease.release(holder);
    },

    async readJudgement(deploymentId) {
      const row = db.get('SELECT record FROM judgements WHERE deployment_id = ?', deploymentId);
      return row && judgementRecord.decode(textOf(row, 'record'), `judgement of ${deploymentId}`);
    },

    async saveJudgement({ deploymentId, judgement, fence, events, notices }) {
      const kept = db.transaction(() => {
        if (!lease.isHeldWith(fence)) return undefined;
        if (db.get('SELECT 1 FROM deployments WHERE id = ?', deploymentId) === undefined) return undefined;
        db.run(
          `INSERT INTO judgements (deployment_id, record) VALUES (?1, ?2)
           ON CONFLICT (deployment_id) DO UPDATE SET record = ?2`,
          deploymentId,
          judgementRecord.encode(judgement),
        );
        keepNotices(notices);
        return eventLog.keep(deploymentId, events);
      });
      if (kept === undefined) return false;
      eventLog.publish(kept);
      return true;
    },
  };
}
