import type { Clock } from '../../../core/clock.ts';
import { intervalMs, tokensLeft, type RequestClaim, type RequestStore } from '../request-store.ts';
import { textOf, type Database } from './database.ts';

/**
 * Buckets stay in memory: a process that was away for a minute has full ones anyway. Answers are kept in the file,
 * since a client asks again exactly when it was cut off by a restart.
 */
export function createRequests(db: Database, clock: Clock): RequestStore {
  /** Bucket → when it is full, by the monotonic clock. The one that was taken from last comes last. */
  const buckets = new Map<string, number>();

  const removeExpired = (): void => db.run('DELETE FROM answers WHERE expires <= ?', clock.now());

  return {
    async takeToken(bucket, rate) {
      const now = clock.monotonic();
      const interval = intervalMs(rate);
      const fullIn = Math.max(0, (buckets.get(bucket) ?? now) - now);
      const allowed = tokensLeft(fullIn, rate).remaining >= 1;
      const after = allowed ? fullIn + interval : fullIn;
      buckets.delete(bucket);
      buckets.set(bucket, now + after);
      forgetFull(buckets, now);
      return { allowed, fullAt: clock.now() + after, ...tokensLeft(after, rate) };
    },

    async claimRequest({ key, fingerprint, owner }, leaseMs) {
      return db.transaction(() => {
        removeExpired();
        const stored = db.get('SELECT fingerprint, answer FROM answers WHERE key = ?', key);
        if (stored === undefined) {
          db.run(
            'INSERT INTO answers (key, fingerprint, owner, expires) VALUES (?, ?, ?, ?)',
            key,
            fingerprint,
            owner,
            Math.ceil(clock.now() + leaseMs),
          );
          return { kind: 'claimed' };
        }
        const storedFingerprint = textOf(stored, 'fingerprint');
        return stored['answer'] === null
          ? { kind: 'running', fingerprint: storedFingerprint }
          : { kind: 'answered', fingerprint: storedFingerprint, answer: textOf(stored, 'answer') };
      });
    },

    async keepAnswer({ key, owner }: RequestClaim, answer, ttlMs) {
      removeExpired();
      db.run(
        'UPDATE answers SET answer = ?, expires = ? WHERE key = ? AND owner = ? AND answer IS NULL',
        answer,
        Math.ceil(clock.now() + ttlMs),
        key,
        owner,
      );
    },

    async releaseRequest({ key, owner }) {
      db.run('DELETE FROM answers WHERE key = ? AND owner = ? AND answer IS NULL', key, owner);
    },
  };
}

/** From the least recently used on; full ones behind one that is not yet are forgotten a little later. */
function forgetFull(buckets: Map<string, number>, now: number): void {
  for (const [bucket, fullAt] of buckets) {
    if (fullAt > now) return;
    buckets.delete(bucket);
  }
}
