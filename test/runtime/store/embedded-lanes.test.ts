import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Clock } from '../../../src/core/clock.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { openEmbeddedStore } from '../../../src/runtime/store/sqlite/embedded-store.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { describeLaneContract } from './contract-lanes.ts';
import {
  aConsumer,
  anAttempt,
  enqueue,
  ids,
  idsOf,
  jobIn,
  LONG_MS,
  someJobs,
  takeNow,
} from './lane-fixture.ts';

async function temporaryDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'lanewise-lanes-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

function open(dataDir: string, clock: Clock = systemClock): Store {
  return openEmbeddedStore({ dataDir, clock });
}

const QUEUE = { name: 'payments', kind: 'list' } as const;

const sourceUrl = (path: string): string => new URL(`../../../src/${path}`, import.meta.url).href;

/** Enqueues for ever, and prints the ids of each call once it is answered. */
const PRODUCER = `
import { systemClock } from '${sourceUrl('runtime/clock.ts')}';
import { openEmbeddedStore } from '${sourceUrl('runtime/store/sqlite/embedded-store.ts')}';
const store = openEmbeddedStore({ dataDir: process.argv[1], clock: systemClock });
const job = { key: 'k', headers: {}, attempt: 1, lane: 'stable', version: 'v1', enqueuedAt: 1, history: [] };
for (let n = 0; ; n += 5) {
  const ids = [0, 1, 2, 3, 4].map((i) => 'job-' + (n + i));
  const jobs = ids.map((id) => ({ ...job, id, body: Buffer.from(id) }));
  await store.enqueueJobs({ name: 'payments', kind: 'list' }, jobs, { routedBy: { epoch: 'e', revision: 1 } });
  if (!process.stdout.write(ids.join(' ') + '\\n')) await new Promise((resolve) => process.stdout.once('drain', resolve));
}
`;

describe('lanes of the embedded store:', () => {
  describeLaneContract(async () => {
    let now = Date.UTC(2026, 0);
    const store = open(await temporaryDir(), { now: () => now, monotonic: () => now });
    return {
      store,
      other: store,
      kind: 'list',
      elapse(ms) {
        now += ms;
      },
      [Symbol.asyncDispose]: () => store.close(),
    };
  });

  it('all is kept over a restart; jobs that were in hands are free at once, since nobody can have them', async () => {
    const dir = await temporaryDir();
    const before = open(dir);
    const jobs = someJobs(6);
    await enqueue(before, QUEUE, ...jobs);
    const consumer = aConsumer(before);
    const [first, second] = await takeNow(consumer, QUEUE, 'stable', 4);
    if (first === undefined || second === undefined) throw new Error('no jobs');
    await consumer.retry(first, { delayMs: LONG_MS, lane: 'canary', ended: anAttempt() });
    await consumer.bury(second, { reason: 'poison' });
    await before.fenceQueue(QUEUE, undefined, { epoch: 'epoch-1', revision: 50 });
    await before.close();

    const after = open(dir);
    expect(await after.readDepths(QUEUE)).toMatchObject({
      lanes: { stable: { waiting: 2, inFlight: 2 }, canary: { delayed: 1 } },
      dead: 1,
    });
    expect(await after.recoverJobs(QUEUE)).toEqual({ recovered: 2 });
    const taken = await takeNow(aConsumer(after), QUEUE);
    expect(idsOf(taken)).toEqual(ids(jobs.slice(2)));
    expect(taken.map((job) => jobIn(job).attempt)).toEqual([2, 2, 1, 1]);
    const known = jobs.map(() => ({ kind: 'known', lane: 'stable' }));
    expect(await enqueue(after, QUEUE, ...jobs)).toEqual({ kind: 'stored', jobs: known });
    expect(await enqueue(after, QUEUE, ...someJobs(1))).toEqual({ kind: 'stale' });
    await after.close();
  });

  it('every job that was answered is there after a kill -9, in whatever it was doing', async () => {
    const dir = await temporaryDir();
    const child = spawn(process.execPath, ['--input-type=module', '--eval', PRODUCER, dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const answered: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      answered.push(...line.split(' '));
      if (answered.length >= 2_000) break;
    }
    child.kill('SIGKILL');
    if (child.signalCode === null) await once(child, 'exit');

    const store = open(dir);
    const taken: string[] = [];
    const consumer = aConsumer(store);
    for (let jobs; (jobs = await takeNow(consumer, QUEUE)).length > 0;) taken.push(...idsOf(jobs));
    const found = new Set(taken);
    expect(answered.length).toBeGreaterThanOrEqual(2_000);
    expect(answered.filter((id) => !found.has(id))).toEqual([]);
    expect(found.size).toBe(taken.length);
    await store.close();
  });

  it('a consumer that waits hears of it when the store closes', async () => {
    const store = open(await temporaryDir());
    const waiting = aConsumer(store).take(QUEUE, 'stable', { max: 1, waitMs: LONG_MS });
    await store.close();
    await expect(waiting).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });
});
