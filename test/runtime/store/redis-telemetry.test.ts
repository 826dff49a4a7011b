import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { addLanes, createLanesTotals, type LanesTotals } from '../../../src/core/lane-totals.ts';
import { telemetryKey } from '../../../src/runtime/store/redis/keys.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import {
  BUCKET_MS,
  STEP_KEPT_MS,
  TELEMETRY_WINDOW_MAX_MS,
} from '../../../src/runtime/store/telemetry-store.ts';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import { openTestStore } from './redis-fixture.ts';
import { delta, exact, sumOf } from './totals.ts';

const MINUTE = 60_000;
const PREFIX = telemetryKey('canary_1');

describe('telemetry in Redis', () => {
  let server: RedisServer;
  let store: Store;

  beforeAll(async () => {
    server = await startRedis();
    store = openTestStore(server.url);
  });

  beforeEach(() => server.client().flushall());

  afterAll(async () => {
    await store.close();
    await server[Symbol.asyncDispose]();
  });

  /** As if the last bucket that was written to were so many buckets ago. */
  async function age(buckets: number): Promise<void> {
    const client = server.client();
    const last = Number(await client.get(`${PREFIX}bucket`));
    await client.set(`${PREFIX}bucket`, String(last - buckets));
    await client.rename(`${PREFIX}pending:${last}`, `${PREFIX}pending:${last - buckets}`);
  }

  it('is added up the same whatever is pending, in however many buckets and steps', async () => {
    const record = fc.record({
      latencies: fc.array(fc.nat(5_000), { maxLength: 8 }),
      step: fc.integer({ min: 1, max: 3 }),
      times: fc.integer({ min: 1, max: 60 }),
      ages: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 6 }), async (records) => {
        await server.client().flushall();
        const window = createLanesTotals();
        const steps = new Map<number, LanesTotals>();
        for (const { latencies, step, times, ages } of records) {
          const part = delta(latencies);
          steps.set(step, steps.get(step) ?? createLanesTotals());
          for (let i = 0; i < times; i++) {
            addLanes(window, part);
            addLanes(steps.get(step)!, part);
          }
          await Promise.all(
            Array.from({ length: times }, () => store.recordTelemetry('canary_1', step, part)),
          );
          if (ages && (await server.client().exists(`${PREFIX}bucket`)) === 1)
            await age(1).catch(() => undefined);
        }
        expect(exact(await store.readTelemetry('canary_1', 60 * MINUTE))).toEqual(exact(window));
        for (const [step, totals] of steps) {
          expect(exact((await store.readStep('canary_1', step)).lanes)).toEqual(exact(totals));
        }
      }),
      { numRuns: 25 },
    );
  });

  it('belongs to the bucket that it was recorded in, also while it is still pending', async () => {
    const [early, late] = [delta([1, 2, 3]), delta([40, 50])];
    await store.recordTelemetry('canary_1', 1, early);
    await age(20);
    expect((await store.readTelemetry('canary_1', MINUTE)).stable.routed).toBe(0);
    expect(exact(await store.readTelemetry('canary_1', 5 * MINUTE))).toEqual(exact(early));
    await store.recordTelemetry('canary_1', 1, late);
    expect(exact(await store.readTelemetry('canary_1', MINUTE))).toEqual(exact(late));
    expect(exact(await store.readTelemetry('canary_1', 5 * MINUTE))).toEqual(exact(sumOf(early, late)));
    expect(exact(await store.readTelemetry('canary_1', 5 * MINUTE, MINUTE))).toEqual(exact(early));
    expect(exact((await store.readStep('canary_1', 1)).lanes)).toEqual(exact(sumOf(early, late)));
  });

  it('stays right when the clock of the server is set back', async () => {
    const [before, after] = [delta([1, 2, 3]), delta([40, 50])];
    await store.recordTelemetry('canary_1', 1, before);
    await age(-3);
    await store.recordTelemetry('canary_1', 1, after);
    await age(-3);
    await store.recordTelemetry('canary_1', 1, after);
    expect(exact((await store.readStep('canary_1', 1)).lanes)).toEqual(exact(sumOf(before, after, after)));
  });

  it('goes when its time is over, all of it', async () => {
    const client = server.client();
    for (let i = 0; i < 60; i++) await store.recordTelemetry('canary_1', 1 + (i % 2), delta([i]));
    await age(1);
    await store.recordTelemetry('canary_1', 1, delta([1]));
    const keys = await client.keys('*');
    // Two steps, one bucket to three (by when they end), what is pending, and its bucket.
    expect(keys.length).toBeGreaterThanOrEqual(5);
    for (const key of keys) {
      const left = await client.pttl(key);
      expect(left).toBeGreaterThan(TELEMETRY_WINDOW_MAX_MS - MINUTE);
      expect(left).toBeLessThanOrEqual(STEP_KEPT_MS + BUCKET_MS);
    }
  });

  it('is not lost for what somebody else has put among it', async () => {
    const part = delta([1, 2, 3]);
    await store.recordTelemetry('canary_1', 1, part);
    const last = await server.client().get(`${PREFIX}bucket`);
    await server.client().rpush(`${PREFIX}pending:${last}`, 'rubbish', '', '5', '{}', '[1]');
    await store.recordTelemetry('canary_1', 1, part);
    expect(exact((await store.readStep('canary_1', 1)).lanes)).toEqual(exact(sumOf(part, part)));
  });
});
