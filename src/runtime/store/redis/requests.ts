import { damaged } from '../records.ts';
import { intervalMs, tokensLeft, type RequestClaim, type RequestStore } from '../request-store.ts';
import type { RedisConnection } from './connection.ts';
import { answerKey, bucketKey } from './keys.ts';
import { jsonAfter, textOf, textsOf } from './replies.ts';

/** A claim is stored as `running <fingerprint> <owner>`, what became of it as `answered <fingerprint> <answer>`. */
export function createRequests(connection: RedisConnection): RequestStore {
  return {
    async takeToken(bucket, rate) {
      const interval = intervalMs(rate);
      const reply = await connection.run(
        'takeToken',
        [bucketKey(bucket)],
        [interval.toFixed(6), String(rate.burst)],
      );
      const [allowed, fullIn, now] = textsOf(reply, 'token bucket');
      const fullInMs = millisecondsOf(fullIn);
      return {
        allowed: allowed === '1',
        fullAt: millisecondsOf(now) + fullInMs,
        ...tokensLeft(fullInMs, rate),
      };
    },

    async claimRequest(claim, leaseMs) {
      const reply = await connection.run(
        'claimRequest',
        [answerKey(claim.key)],
        [runningRecord(claim), String(Math.ceil(leaseMs))],
      );
      const record = textOf(reply, 'answer');
      if (record === '') return { kind: 'claimed' };
      const [kind, fingerprint = ''] = record.split(' ', 2);
      switch (kind) {
        case 'running':
          return { kind, fingerprint };
        case 'answered':
          return { kind, fingerprint, answer: jsonAfter(2, record, 'answer') };
        default:
          throw damaged('answer', 'unknown kind');
      }
    },

    async keepAnswer(claim, answer, ttlMs) {
      const record = `answered ${claim.fingerprint} ${answer}`;
      await connection.run(
        'settleRequest',
        [answerKey(claim.key)],
        [runningRecord(claim), record, String(Math.ceil(ttlMs))],
      );
    },

    async releaseRequest(claim) {
      await connection.run('settleRequest', [answerKey(claim.key)], [runningRecord(claim), '', '0']);
    },
  };
}

function runningRecord({ fingerprint, owner }: RequestClaim): string {
  return `running ${fingerprint} ${owner}`;
}

function millisecondsOf(text: string | undefined): number {
  const ms = text === undefined || text === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(ms)) throw damaged('token bucket', 'not a time');
  return ms;
}
