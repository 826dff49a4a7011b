import type { JudgeStore } from '../judge-store.ts';
import { judgementRecord } from '../judgement-record.ts';
import { damaged } from '../records.ts';
import type { RedisConnection } from './connection.ts';
import { keepArguments, keepKeys } from './keeping.ts';
import { channelsOf, KEYS } from './keys.ts';
import { countOf, textOf } from './replies.ts';

export function createJudge(connection: RedisConnection): Omit<JudgeStore, 'readStep'> {
  const channel = channelsOf(connection.db).events;
  return {
    async claimJudgeLease(holder, ttlMs) {
      const args = [holder, String(Math.ceil(ttlMs))];
      const fence = textOf(await connection.run('claimJudgeLease', [KEYS.judge], args), "judge's lease");
      return fence === '' ? undefined : countOf(fence, "judge's fence");
    },

    async releaseJudgeLease(holder) {
      await connection.run('releaseJudgeLease', [KEYS.judge], [holder]);
    },

    async readJudgement(deploymentId) {
      const name = `judgement of ${deploymentId}`;
      const record = await connection.call('HGET', KEYS.judgements, deploymentId);
      return record === null ? undefined : judgementRecord.decode(textOf(record, name), name);
    },

    async saveJudgement({ deploymentId, judgement, fence, events, notices }) {
      const reply = await connection.run(
        'saveJudgement',
        [KEYS.deployments, KEYS.judgements, KEYS.judge, ...keepKeys(deploymentId)],
        [
          deploymentId,
          judgementRecord.encode(judgement),
          String(fence),
          ...keepArguments(channel, events, notices),
        ],
      );
      if (reply !== 'saved' && reply !== 'stale') throw damaged('result', 'unknown kind');
      return reply === 'saved';
    },
  };
}
