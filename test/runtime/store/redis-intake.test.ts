import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { LANE_KINDS, laneKeyOf, type LaneKind, type LaneQueue } from '../../../src/core/lane-keys.ts';
import type { Lane } from '../../../src/core/lane.ts';
import type { IntakeEntry, IntakeStore, RoutedEntry } from '../../../src/runtime/store/intake-store.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { startRedis, startRedisCluster, type RedisServer } from '../../helpers/redis.ts';
import { aJob, enqueue, HEAD, LONG_MS } from './lane-fixture.ts';
import { openTestStore } from './redis-fixture.ts';

/** What producers push to a list or stream of their own comes into the lanes as it is, once, in order. */

const INTAKE = 'queue:payments';

function queueOf(kind: LaneKind, over: Partial<LaneQueue> = {}): LaneQueue {
  return {
    name: 'payments',
    kind,
    keyTemplate: 'lanes:{queue}',
    envelope: 'raw',
    intake: { key: INTAKE, group: 'lanewise' },
    ...over,
  };
}

function intakeOf({ intake }: Store): IntakeStore {
  if (intake === undefined) throw new Error('no intake');
  return intake;
}

async function push(client: Redis, kind: LaneKind, ...payloads: readonly string[]): Promise<void> {
  for (const payload of payloads)
    await (kind === 'list' ? client.lpush(INTAKE, payload) : client.xadd(INTAKE, '*', 'amount', payload));
}

/** Oldest first. */
async function lying(client: Redis, kind: LaneKind, key: string): Promise<readonly string[]> {
  if (kind === 'list') return (await client.lrange(key, 0, -1)).toReversed();
  return (await client.xrange(key, '-', '+')).map(([, [, value]]) => value!);
}

async function read(
  intake: IntakeStore,
  queue: LaneQueue,
  router = 'proxy-1',
  max = 100,
): Promise<readonly IntakeEntry[]> {
  const reading = await intake.readIntake(queue, { router, turnMs: LONG_MS, max });
  if (reading.kind === 'held') throw new Error('held');
  return reading.entries;
}

function allTo(lane: Lane, entries: readonly IntakeEntry[]): readonly RoutedEntry[] {
  return entries.map(({ mark, content }) => ({
    mark,
    job: aJob({ lane, ...(content.kind === 'element' && { body: content.payload }) }),
  }));
}

describe.each(LANE_KINDS)('the intake of a %s', (kind) => {
  let server: RedisServer;
  let client: Redis;

  beforeAll(async () => {
    server = await startRedis();
    client = server.client();
  });
  beforeEach(() => client.flushall());
  afterAll(() => server[Symbol.asyncDispose]());

  function open(): { store: Store; intake: IntakeStore } {
    const store = openTestStore(server.url);
    onTestFinished(() => store.close());
    return { store, intake: intakeOf(store) };
  }

  const queue = queueOf(kind);
  const stable = laneKeyOf(queue, 'stable');
  const canary = laneKeyOf(queue, 'canary');

  it('shows the oldest jobs and leaves them where they are, until they are moved to the lanes that were decided', async () => {
    const { intake } = open();
    expect(await read(intake, queue)).toEqual([]);
    await push(client, kind, 'a', 'b', 'c', 'd');
    const entries = await read(intake, queue, 'proxy-1', 3);
    expect(entries).toHaveLength(3);
    expect(await intake.readIntakeDepth(queue)).toBe(4);
    const routed = allTo('canary', entries).with(1, allTo('stable', entries)[1]!);
    expect(await intake.moveIntake(queue, routed, HEAD)).toEqual({ kind: 'moved', count: 3 });
    expect(await lying(client, kind, canary)).toEqual(['a', 'c']);
    expect(await lying(client, kind, stable)).toEqual(['b']);
    expect(await lying(client, kind, INTAKE)).toEqual(['d']);
    expect(await intake.readIntakeDepth(queue)).toBe(1);
  });

  it('moves nothing twice, whoever else looks at the same jobs, and what is moved stays in order', async () => {
    const { intake } = open();
    await push(client, kind, 'a', 'b', 'c');
    const entries = allTo('stable', await read(intake, queue));
    expect(await intake.moveIntake(queue, entries.slice(0, 2), HEAD)).toEqual({ kind: 'moved', count: 2 });
    // Another router that has seen all three comes too late with them, and so does a call whose answer was lost.
    expect(await intake.moveIntake(queue, entries, HEAD)).toEqual({ kind: 'moved', count: 0 });
    expect(await intake.moveIntake(queue, entries.slice(2), HEAD)).toEqual({ kind: 'moved', count: 1 });
    expect(await lying(client, kind, stable)).toEqual(['a', 'b', 'c']);
    expect(await intake.readIntakeDepth(queue)).toBe(0);
  });

  it('moves nothing that was decided before a fence', async () => {
    const { store, intake } = open();
    await push(client, kind, 'a');
    const entries = allTo('canary', await read(intake, queue));
    const later = { ...HEAD, revision: HEAD.revision + 1 };
    await store.fenceQueue(queue, undefined, later);
    expect(await intake.moveIntake(queue, entries, HEAD)).toEqual({ kind: 'stale' });
    expect(await lying(client, kind, INTAKE)).toEqual(['a']);
    expect(await intake.moveIntake(queue, entries, later)).toEqual({ kind: 'moved', count: 1 });
  });

  it('gives one router the turn at a time, until it ends it or is not heard of', async () => {
    const { intake } = open();
    await read(intake, queue, 'proxy-1');
    const held = await intake.readIntake(queue, { router: 'proxy-2', turnMs: LONG_MS, max: 1 });
    expect(held).toEqual({ kind: 'held', forMs: expect.any(Number) });
    await intake.endIntakeTurn(queue, 'proxy-2');
    await expect(read(intake, queue, 'proxy-2')).rejects.toThrow('held');
    await intake.endIntakeTurn(queue, 'proxy-1');
    expect(await read(intake, queue, 'proxy-2')).toEqual([]);
    expect(await client.pttl(`${stable}:lanewise:router`)).toBeGreaterThan(LONG_MS / 2);
  });

  it('wakes up whoever waits for a job, and leaves the job where it is', async () => {
    const { intake } = open();
    const { signal } = new AbortController();
    const waiting = intake.waitForIntake(queue, { after: '0-0', waitMs: LONG_MS, signal });
    await expect.poll(() => client.info('clients')).toContain('blocked_clients:1');
    await push(client, kind, 'a');
    await waiting;
    expect(await lying(client, kind, INTAKE)).toEqual(['a']);
    // Those that lie there already are waited for by nobody.
    await intake.waitForIntake(queue, { after: '0-0', waitMs: LONG_MS, signal });
    expect(await lying(client, kind, INTAKE)).toEqual(['a']);
  });

  it('ends a wait when it is told to', async () => {
    const { intake } = open();
    const stop = new AbortController();
    const waiting = intake.waitForIntake(queue, { after: '0-0', waitMs: LONG_MS, signal: stop.signal });
    await expect.poll(() => client.info('clients')).toContain('blocked_clients:1');
    stop.abort();
    await waiting;
  });

  it('gives each job our envelope where the lanes are read by proxies', async () => {
    const { store, intake } = open();
    const enveloped = queueOf(kind, { envelope: 'json' });
    await push(client, kind, 'a');
    const [entry] = allTo('stable', await read(intake, enveloped));
    await intake.moveIntake(enveloped, [entry!], HEAD);
    const consumer = store.openConsumer({ id: 'proxy-1', leaseMs: LONG_MS });
    const [taken] = await consumer.take(enveloped, 'stable', { max: 1, waitMs: 0 });
    expect(taken!.content).toMatchObject({ kind: 'job', job: { id: entry!.job.id, key: entry!.job.key } });
  });

  it('says which key holds something else, and what is there stays', async () => {
    const { intake } = open();
    await client.set(INTAKE, 'text');
    const message = `the Redis key "${INTAKE}" holds a string where the queue needs a ${kind}`;
    const refusal = expect.objectContaining({
      code: 'QUEUE_UNAVAILABLE',
      message: expect.stringContaining(message),
    });
    await expect(read(intake, queue)).rejects.toEqual(refusal);
    await expect(intake.readIntakeDepth(queue)).rejects.toEqual(refusal);
    expect(await client.get(INTAKE)).toBe('text');
  });

  it('shows no more at once than is good for the server, however large the jobs are', async () => {
    const { intake } = open();
    const large = 'x'.repeat(1024 * 1024);
    await push(client, kind, ...Array.from({ length: 40 }, () => large));
    const entries = await read(intake, queue);
    expect(entries.length).toBeGreaterThan(15);
    expect(entries.length).toBeLessThanOrEqual(32);
    const moved = await intake.moveIntake(queue, allTo('stable', entries), HEAD);
    expect(moved).toEqual({ kind: 'moved', count: entries.length });
  });
});

describe('the intake of a stream that workers read by a group', () => {
  let server: RedisServer;
  let client: Redis;

  beforeAll(async () => {
    server = await startRedis();
    client = server.client();
  });
  beforeEach(() => client.flushall());
  afterAll(() => server[Symbol.asyncDispose]());

  function open(): IntakeStore {
    const store = openTestStore(server.url);
    onTestFinished(() => store.close());
    return intakeOf(store);
  }

  const workers = queueOf('stream', { intake: { key: INTAKE, group: 'workers' } });

  it('goes on where the group stands, and leaves to its consumers what they have', async () => {
    const intake = open();
    await client.xgroup('CREATE', INTAKE, 'workers', '0', 'MKSTREAM');
    await push(client, 'stream', 'done', 'under way', 'new');
    await client.xreadgroup('GROUP', 'workers', 'old', 'COUNT', 2, 'STREAMS', INTAKE, '>');
    expect(await intake.readIntakeDepth(workers)).toBe(1);
    const entries = await read(intake, workers);
    expect(await intake.moveIntake(workers, allTo('stable', entries), HEAD)).toEqual({
      kind: 'moved',
      count: 1,
    });
    expect(await lying(client, 'stream', 'lanes:payments')).toEqual(['new']);
    expect(await lying(client, 'stream', INTAKE)).toEqual(['done', 'under way']);
    expect((await client.xpending(INTAKE, 'workers'))[0]).toBe(2);
  });

  it('leaves entries in a stream that other groups read as well, and moves each once', async () => {
    const intake = open();
    await client.xgroup('CREATE', INTAKE, 'workers', '0', 'MKSTREAM');
    await client.xgroup('CREATE', INTAKE, 'audit', '0');
    await push(client, 'stream', 'a', 'b');
    await intake.moveIntake(workers, allTo('stable', await read(intake, workers)), HEAD);
    expect(await read(intake, workers)).toEqual([]);
    expect(await intake.readIntakeDepth(workers)).toBe(0);
    expect(await lying(client, 'stream', 'lanes:payments')).toEqual(['a', 'b']);
    expect(await lying(client, 'stream', INTAKE)).toEqual(['a', 'b']);
  });

  it('refuses to begin anew where others have read already, and says what to set', async () => {
    const intake = open();
    await client.xgroup('CREATE', INTAKE, 'workers', '0', 'MKSTREAM');
    await push(client, 'stream', 'a');
    await expect(read(intake, queueOf('stream'))).rejects.toMatchObject({
      code: 'QUEUE_UNAVAILABLE',
      message: expect.stringMatching(
        /is read by the consumer group "workers", and has none named "lanewise": set queues\.payments\.intake\.group/,
      ),
    });
  });

  it('keeps every field of an entry as it is', async () => {
    const intake = open();
    const bytes = Buffer.from([0, 255, 10]);
    await client.xadd(INTAKE, '*', 'a', '1', 'bin', bytes, 'a', '2');
    const entries = await read(intake, queueOf('stream'));
    await intake.moveIntake(queueOf('stream'), allTo('stable', entries), HEAD);
    const [[, fields]] = (await client.xrangeBuffer('lanes:payments', '-', '+')) as [[Buffer, Buffer[]]];
    expect(fields.map(String)).toEqual(['a', '1', 'bin', String(bytes), 'a', '2']);
    expect(fields[3]).toEqual(bytes);
  });
});

it.each(LANE_KINDS)('the intake of a %s works on a Cluster, with the hash tag of the lanes', async (kind) => {
  await using cluster = await startRedisCluster();
  await using stack = new AsyncDisposableStack();
  const store = openTestStore(cluster.url);
  stack.defer(() => store.close());
  const intake = intakeOf(store);
  const queue: LaneQueue = {
    name: '{payments}',
    kind,
    keyTemplate: 'lanes:{queue}',
    intake: { key: 'queue:{payments}', group: 'lanewise' },
  };
  const { signal } = new AbortController();
  const waiting = intake.waitForIntake(queue, { after: '0-0', waitMs: LONG_MS, signal });
  // A queue of the same slot whose lane is that key, so that there is something to route.
  await enqueue(store, { name: '{payments}', kind, keyTemplate: 'queue:{queue}' }, aJob());
  await waiting;
  const entries = await read(intake, queue);
  expect(await intake.moveIntake(queue, allTo('canary', entries), HEAD)).toEqual({ kind: 'moved', count: 1 });
  expect((await store.readDepths(queue)).lanes.canary.waiting).toBe(1);
});
