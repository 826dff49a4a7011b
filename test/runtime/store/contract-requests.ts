import { describe, expect, it } from 'vitest';
import type { RequestClaim, TokenRate } from '../../../src/runtime/store/request-store.ts';
import type { OpenFixture } from './fixture.ts';
import { eventually } from './recorder.ts';

/** A token every ten minutes: none comes back while a test runs. */
const SLOW: TokenRate = { perMinute: 0.1, burst: 5 };

const LONG_MS = 60_000;
const SHORT_MS = 300;

let attempts = 0;

function aClaim(change: Partial<RequestClaim> = {}): RequestClaim {
  return { key: 'ops-create-42', fingerprint: 'body-1', owner: `attempt-${attempts++}`, ...change };
}

export function describeRequests(open: OpenFixture): void {
  describe('tokens', () => {
    it('are as many as the burst says, counted down, for all who take them', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const taken = [];
      for (let i = 0; i < 7; i++) taken.push(await (i % 2 === 0 ? store : other).takeToken('ops', SLOW));
      expect(taken.map((t) => t.allowed)).toEqual([true, true, true, true, true, false, false]);
      expect(taken.map((t) => t.remaining)).toEqual([4, 3, 2, 1, 0, 0, 0]);
    });

    it('of different buckets do not count together', async () => {
      await using fixture = await open();
      const { store } = fixture;
      for (let i = 0; i < 6; i++) await store.takeToken('ops', SLOW);
      expect(await store.takeToken('grafana', SLOW)).toMatchObject({ allowed: true, remaining: 4 });
    });

    it('that are refused cost nothing, and the answer says how long until the next one', async () => {
      await using fixture = await open();
      const { store } = fixture;
      for (let i = 0; i < 5; i++) await store.takeToken('ops', SLOW);
      const first = await store.takeToken('ops', SLOW);
      for (let i = 0; i < 20; i++) await store.takeToken('ops', SLOW);
      const last = await store.takeToken('ops', SLOW);
      for (const { allowed, retryAfterMs } of [first, last]) {
        expect(allowed).toBe(false);
        expect(retryAfterMs).toBeGreaterThan(590_000);
        expect(retryAfterMs).toBeLessThanOrEqual(600_000);
      }
      expect(last.fullAt).toBeCloseTo(first.fullAt, 0);
    });

    it('flow back at the rate, up to the burst', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const fast: TokenRate = { perMinute: 120, burst: 2 };
      const first = await store.takeToken('ops', fast);
      expect(first).toMatchObject({ allowed: true, remaining: 1, retryAfterMs: 0 });
      await store.takeToken('ops', fast);
      expect(await store.takeToken('ops', fast)).toMatchObject({ allowed: false });
      fixture.elapse(500);
      await eventually(async () => (await store.takeToken('ops', fast)).allowed);
    });

    it('say when the bucket is full again, by the clock on the wall', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const one = await store.takeToken('ops', SLOW);
      const two = await store.takeToken('ops', SLOW);
      // Two taken: one interval more.
      expect(two.fullAt - one.fullAt).toBeCloseTo(600_000, 0);
    });

    it('are never given twice to those who ask at once', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const taken = await Promise.all(
        Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? store : other).takeToken('ops', SLOW)),
      );
      expect(taken.filter((t) => t.allowed)).toHaveLength(5);
    });

    it('are well even at rates that no limit is', async () => {
      await using fixture = await open();
      const { store } = fixture;
      const rate: TokenRate = { perMinute: 1_000_000, burst: 1_000_000 };
      expect(await store.takeToken('ops', rate)).toMatchObject({ allowed: true, remaining: 999_999 });
    });
  });

  describe('answers', () => {
    it('are kept for the same key, with what was asked', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const claim = aClaim();
      expect(await store.claimRequest(claim, LONG_MS)).toEqual({ kind: 'claimed' });
      expect(await other.claimRequest(aClaim(), LONG_MS)).toEqual({ kind: 'running', fingerprint: 'body-1' });
      const answer = '{"status": 201, "body": "with spaces and ünïcode \\n"}';
      await store.keepAnswer(claim, answer, LONG_MS);
      expect(await other.claimRequest(aClaim({ fingerprint: 'body-2' }), LONG_MS)).toEqual({
        kind: 'answered',
        fingerprint: 'body-1',
        answer,
      });
      expect(await store.claimRequest(aClaim({ key: 'another' }), LONG_MS)).toEqual({ kind: 'claimed' });
    });

    it('are given by one of all who claim at once', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? store : other).claimRequest(aClaim(), LONG_MS)),
      );
      expect(results.filter((r) => r.kind === 'claimed')).toHaveLength(1);
      expect(results.filter((r) => r.kind === 'running')).toHaveLength(49);
    });

    it('that are not kept leave the key free', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const claim = aClaim();
      await store.claimRequest(claim, LONG_MS);
      await other.releaseRequest(aClaim());
      expect(await other.claimRequest(aClaim(), LONG_MS)).toMatchObject({ kind: 'running' });
      await store.releaseRequest(claim);
      expect(await other.claimRequest(aClaim(), LONG_MS)).toEqual({ kind: 'claimed' });
    });

    it('of a claim whose lease has run out are not kept over those of the next', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const late = aClaim();
      await store.claimRequest(late, SHORT_MS);
      fixture.elapse(SHORT_MS);
      const next = aClaim();
      await eventually(async () => (await other.claimRequest(next, LONG_MS)).kind === 'claimed');
      await store.keepAnswer(late, 'late', LONG_MS);
      await store.releaseRequest(late);
      expect(await store.claimRequest(aClaim(), LONG_MS)).toMatchObject({ kind: 'running' });
      await other.keepAnswer(next, 'right', LONG_MS);
      await store.keepAnswer(late, 'late', LONG_MS);
      await store.releaseRequest(next);
      expect(await store.claimRequest(aClaim(), LONG_MS)).toMatchObject({
        kind: 'answered',
        answer: 'right',
      });
    });

    it('are forgotten when their time is over', async () => {
      await using fixture = await open();
      const { store, other } = fixture;
      const claim = aClaim();
      await store.claimRequest(claim, LONG_MS);
      await store.keepAnswer(claim, 'answer', SHORT_MS);
      expect(await other.claimRequest(aClaim(), LONG_MS)).toMatchObject({ kind: 'answered' });
      fixture.elapse(SHORT_MS);
      await eventually(async () => (await other.claimRequest(aClaim(), LONG_MS)).kind === 'claimed');
    });
  });
}
