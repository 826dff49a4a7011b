import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { openStore } from '../../src/cli/open-store.ts';
import { createLog } from '../../src/runtime/log.ts';
import { QUEUE } from '../helpers/api.ts';
import { openQueue, RecordingWorker, type Processor } from '../helpers/bullmq.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { LanewiseProcess } from '../helpers/process.ts';
import { applied, Fleet } from '../helpers/system.ts';

/**
 * BullMQ's own workers, one of each version, behind a whole installation: producers dispatch to a proxy, an operator
 * moves the percentage, promotes and rolls back. Nothing of ours runs in the workers.
 */

const SETTINGS = { routing_strategy: 'split_queue', envelope: 'bullmq', bullmq_job_options: { attempts: 2 } };
const CANARY = `${QUEUE}@canary`;

let fleet: Fleet;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  const queues = JSON.stringify({ [QUEUE]: SETTINGS });
  fleet = stack.use(await Fleet.start(1, { LANEWISE_QUEUES: queues }));
});
afterAll(() => stack.disposeAsync());

beforeEach(async () => {
  for (const name of [QUEUE, CANARY]) {
    await using queue = openQueue(fleet.redis.port, name);
    await queue.obliterate();
    await queue.resume();
  }
});

async function worker(queue: string, process?: Processor): Promise<RecordingWorker> {
  const started = await RecordingWorker.start(fleet.redis.port, queue, process);
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

/** @returns its id, once the proxy routes by it */
async function deploy(canary: string, percentage: number): Promise<string> {
  const id = await fleet.api.createDeployment('v1', canary, {
    routing_strategy: 'split_queue',
    initial_percentage: percentage,
  });
  await vi.waitUntil(async () => (await fleet.proxies[0]!.percentage()) === percentage, PATIENCE);
  return id;
}

interface Accepted {
  readonly id: string;
  readonly key: string;
  readonly lane: string;
}

let sent = 0;

async function dispatch(data: unknown, headers: Record<string, string> = {}): Promise<Accepted> {
  const id = headers['x-job-id'] ?? `job-${++sent}`;
  const key = headers['x-canary-sticky-key'] ?? `customer-${sent}`;
  const answer = await fetch(`${fleet.proxies[0]!.dispatchUrl}/dispatch/${QUEUE}/charge`, {
    method: 'POST',
    headers: { 'x-job-id': id, 'x-canary-sticky-key': key, ...headers },
    body: JSON.stringify(data),
  });
  const body: unknown = await answer.json();
  expect({ status: answer.status, body }).toMatchObject({ status: 202, body: { job_id: id } });
  return { id, key, lane: (body as { lane: string }).lane };
}

async function dispatchMany(count: number): Promise<readonly Accepted[]> {
  const accepted: Accepted[] = [];
  for (let n = 0; n < count; n++) accepted.push(await dispatch({ n }));
  return accepted;
}

function idsIn(accepted: readonly Accepted[], lane: string): readonly string[] {
  return accepted.filter((job) => job.lane === lane).map(({ id }) => id);
}

async function status(id: string): Promise<string> {
  return (await fleet.api.done('GET', `/deployments/${id}`)).status as string;
}

async function drained(id: string): Promise<object> {
  return (await fleet.api.events(id)).find(({ type }) => type === 'lane_drained')!.data;
}

test('a quarter of the keys goes to the canary, each key and each id to one place, with the data as it was sent', async () => {
  const [old, young] = [await worker(QUEUE), await worker(CANARY)];
  const id = await deploy('v2', 25);
  const accepted = await dispatchMany(400);
  await vi.waitUntil(() => old.ran.length + young.ran.length === 400, PATIENCE);
  expect(old.ids).toEqual(idsIn(accepted, 'stable'));
  expect(young.ids).toEqual(idsIn(accepted, 'canary'));
  // 100 ± 4.6 standard deviations.
  expect(young.ran.length).toBeGreaterThan(60);
  expect(young.ran.length).toBeLessThan(140);
  const ran = [...old.ran, ...young.ran];
  for (const [n, { id: jobId }] of accepted.entries())
    expect(ran.find((job) => job.id === jobId)).toMatchObject({ name: 'charge', data: { n }, attempt: 1 });

  for (const first of accepted.slice(0, 20)) {
    const again = await dispatch({ again: true }, { 'x-job-id': first.id, 'x-canary-sticky-key': first.key });
    expect(again).toEqual(first);
    const next = await dispatch({}, { 'x-canary-sticky-key': first.key });
    expect(next.lane).toBe(first.lane);
  }
  await vi.waitUntil(() => old.ran.length + young.ran.length >= 420, PATIENCE);
  expect(new Set([...old.ids, ...young.ids]).size).toBe(420);
  await applied(fleet.api, id, await fleet.api.rollBack(id), 1);
});

test('after a rollback no canary worker gets a job; all are executed once, by stable, in order', async () => {
  const release = Promise.withResolvers<void>();
  const young = await worker(CANARY, async () => {
    await release.promise;
    throw new Error('the new version is broken');
  });
  const id = await deploy('v3', 100);
  const [first, ...accepted] = await dispatchMany(300);
  await dispatch(
    { late: true },
    { 'x-job-id': 'late-1', 'X-BullMQ-Options': '{"delay":600000,"attempts":9}' },
  );
  await vi.waitUntil(() => young.ran.length === 1, PATIENCE);

  await fleet.api.rollBack(id);
  const later = await dispatch({});
  expect(later.lane).toBe('stable');
  await using stable = openQueue(fleet.redis.port, QUEUE);
  await vi.waitUntil(async () => (await stable.getWaitingCount()) === 300, PATIENCE);
  // What the canary has begun it ends; here by failing, with an attempt left.
  expect(await status(id)).toBe('rolling_back');
  release.resolve();
  await vi.waitUntil(async () => (await status(id)) === 'failed', PATIENCE);
  expect(await drained(id)).toMatchObject({ drained: 301, remaining: 0, drain_incomplete: false });

  const old = await worker(QUEUE);
  await vi.waitUntil(() => old.ran.length === 301, PATIENCE);
  expect(young.ids).toEqual([first!.id]);
  expect(old.ids.filter((jobId) => jobId !== later.id)).toEqual([
    ...accepted.map((job) => job.id),
    first!.id,
  ]);
  const late = await stable.getJob('late-1');
  expect(late).toMatchObject({ data: { late: true }, opts: { delay: 600_000, attempts: 9 } });
  expect(await stable.getDelayedCount()).toBe(1);
});

test('the next deployment opens the queue again, and its promotion takes what waits along', async () => {
  const id = await deploy('v4', 100);
  const [first, ...accepted] = await dispatchMany(50);
  const young = await worker(CANARY, () => new Promise((resolve) => setImmediate(resolve)));
  await vi.waitUntil(() => young.ran.length > 0, PATIENCE);
  expect(young.ids[0]).toBe(first!.id);
  await fleet.api.promote(id);
  await vi.waitUntil(async () => (await status(id)) === 'completed', PATIENCE);
  const byCanary = young.ran.length;
  const next = await dispatch({});
  expect(next.lane).toBe('stable');
  const replaced = await worker(QUEUE);
  await vi.waitUntil(() => replaced.ran.length + byCanary === 51, PATIENCE);
  expect([...young.ids, ...replaced.ids].toSorted()).toEqual(
    [first!, ...accepted, next].map((job) => job.id).toSorted(),
  );
  expect(young.ran).toHaveLength(byCanary);
});

test('what can not be is refused in words', async () => {
  const stream = await fleet.api.call('POST', '/deployments', {
    queue_name: QUEUE,
    stable_version: 'v4',
    canary_version: 'v5',
    routing_strategy: 'stream_group',
  });
  expect(stream).toMatchObject({
    status: 400,
    body: { details: { routing_strategy: expect.stringContaining('must be split_queue for this queue') } },
  });
  const options = await fleet.proxies[0]!.send({ 'x-bullmq-options': '{"lifo":true}' });
  expect(options.status).toBe(400);
  expect(options.body).toContain('has the unknown option lifo');

  await using embedded = LanewiseProcess.start(['standalone'], {
    LANEWISE_QUEUES: JSON.stringify({ [QUEUE]: SETTINGS }),
  });
  expect(await embedded.exited).toMatchObject({ code: 1 });
  expect(embedded.stderr).toContain(
    `queues.${QUEUE}.envelope is bullmq, which needs Redis: set REDIS_URL to the Redis that the BullMQ workers use`,
  );
});

test('without the package bullmq the start says how to get it', async () => {
  vi.doMock('bullmq', () => {
    throw new Error("Cannot find package 'bullmq'");
  });
  onTestFinished(() => vi.doUnmock('bullmq'));
  const { config } = loadConfig({
    environment: { REDIS_URL: fleet.redis.url, LANEWISE_QUEUES: JSON.stringify({ [QUEUE]: SETTINGS }) },
    readFile: () => '',
  });
  await expect(openStore(config, createLog('silent'))).rejects.toThrow(
    `queues.${QUEUE}.envelope is bullmq, but the package bullmq can't be loaded: npm install bullmq`,
  );
});
