import { setImmediate as turn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { QUEUE } from '../helpers/api.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { startListWorker, startStreamWorker, type PlainWorker } from '../helpers/plain-workers.ts';
import { Fleet } from '../helpers/system.ts';

/**
 * Producers that push to Redis as they always have, workers that read Redis themselves, and between them proxies that
 * are killed, a Redis that is killed, an operator who rolls back. Each job that was pushed comes to one worker, once.
 */

const KINDS = [
  { strategy: 'split_queue', start: startListWorker },
  { strategy: 'stream_group', start: startStreamWorker },
] as const;
type Strategy = (typeof KINDS)[number]['strategy'];

const INTAKE = `queue:${QUEUE}`;
const STABLE = `lanes:${QUEUE}`;
const CANARY = `lanes:${QUEUE}@canary`;

let made = 0;

/** Pushes without rest, one job after the other. */
class Producer implements AsyncDisposable {
  /** Those that Redis has said it has. */
  readonly pushed: string[] = [];
  readonly #client: Redis;
  readonly #strategy: Strategy;
  readonly #running: Promise<void>;
  #isStopped = false;

  constructor(port: number, strategy: Strategy) {
    // What it was not answered it does not push again: the ledger would have it twice.
    this.#client = new Redis({
      host: '127.0.0.1',
      port,
      retryStrategy: () => 20,
      maxRetriesPerRequest: 0,
    });
    this.#client.on('error', () => undefined);
    this.#strategy = strategy;
    this.#running = this.#run();
  }

  async pushes(jobs: number): Promise<void> {
    const target = this.pushed.length + jobs;
    await vi.waitUntil(() => this.pushed.length >= target, PATIENCE);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    this.#client.disconnect();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const n = ++made;
      const job = `{"jid":"job-${n}","args":[{"customer_id":${n % 100}}]}`;
      try {
        await (this.#strategy === 'split_queue'
          ? this.#client.lpush(INTAKE, job)
          : this.#client.xadd(INTAKE, '*', 'job', job));
        this.pushed.push(job);
      } catch {
        await turn();
      }
    }
  }
}

async function startFleet(strategy: Strategy): Promise<Fleet> {
  const path = strategy === 'split_queue' ? '' : 'job.';
  const settings = {
    routing_strategy: strategy,
    key_template: 'lanes:{queue}',
    envelope: 'raw',
    intake: { key: INTAKE, sticky_key: `${path}args.0.customer_id`, job_id: `${path}jid` },
  };
  return Fleet.start(2, { LANEWISE_QUEUES: JSON.stringify({ [QUEUE]: settings }) });
}

async function deploy({ api, proxies }: Fleet, strategy: Strategy): Promise<string> {
  const id = await api.createDeployment('v1', 'v2', { routing_strategy: strategy, initial_percentage: 50 });
  for (const proxy of proxies) await vi.waitUntil(async () => (await proxy.percentage()) === 50, PATIENCE);
  return id;
}

/** Resolves when the workers have had all of these. @returns all that they had, in no order */
async function allRan(
  workers: readonly PlainWorker[],
  pushed: readonly string[],
): Promise<readonly string[]> {
  await vi.waitUntil(
    () => {
      const ran = new Set(workers.flatMap((worker) => worker.ran));
      return pushed.every((job) => ran.has(job));
    },
    { ...PATIENCE, interval: 50 },
  );
  return workers.flatMap((worker) => worker.ran);
}

function customersOf(jobs: readonly string[]): ReadonlySet<number> {
  return new Set(
    jobs.map((job) => (JSON.parse(job) as { args: [{ customer_id: number }] }).args[0].customer_id),
  );
}

function inOrder(jobs: readonly string[], pushed: readonly string[]): readonly string[] {
  const there = new Set(jobs);
  return pushed.filter((job) => there.has(job));
}

describe.each(KINDS)('the intake of producers that know nothing of us, $strategy', ({ strategy, start }) => {
  let fleet: Fleet;
  /** At 50 %, until the last of the tests. */
  let deployment: string;

  beforeAll(async () => {
    fleet = await startFleet(strategy);
    deployment = await deploy(fleet, strategy);
  });
  afterAll(() => fleet[Symbol.asyncDispose]());

  test('proxies that route it are killed by kill -9, and every job comes to one worker, once, in order', async () => {
    await using stable = start(fleet.redis.port, STABLE);
    await using canary = start(fleet.redis.port, CANARY);
    await using producer = new Producer(fleet.redis.port, strategy);
    for (const member of fleet.members) {
      await producer.pushes(200);
      await member.process.end('SIGKILL');
      await producer.pushes(200);
      await member.start();
    }
    await producer.stop();
    const ran = await allRan([stable, canary], producer.pushed);
    expect(ran.toSorted()).toEqual(producer.pushed.toSorted());
    expect(stable.ran).toEqual(inOrder(stable.ran, producer.pushed));
    expect(canary.ran).toEqual(inOrder(canary.ran, producer.pushed));
    const ofCanary = customersOf(canary.ran);
    expect([...customersOf(stable.ran)].filter((customer) => ofCanary.has(customer))).toEqual([]);
    expect(ofCanary.size).toBeGreaterThan(25);
  });

  test('a Redis that is killed and comes back with its file has each job in the intake or in one lane', async () => {
    await using producer = new Producer(fleet.redis.port, strategy);
    await producer.pushes(300);
    await fleet.redis.kill();
    await fleet.redis.start();
    await producer.pushes(300);
    await producer.stop();
    // Workers come last: one that pops a list loses the job whose answer it doesn't get.
    await using stable = start(fleet.redis.port, STABLE);
    await using canary = start(fleet.redis.port, CANARY);
    const ran = await allRan([stable, canary], producer.pushed);
    // One whose answer was lost may have been stored; nobody was told so.
    const known = new Set(producer.pushed);
    expect(ran.filter((job) => known.has(job)).toSorted()).toEqual(producer.pushed.toSorted());
    expect(new Set(ran).size).toBe(ran.length);
  });

  test('after a rollback was answered no job goes to the canary, however many are pushed', async () => {
    await using stable = start(fleet.redis.port, STABLE);
    await using canary = start(fleet.redis.port, CANARY);
    await using producer = new Producer(fleet.redis.port, strategy);
    await producer.pushes(300);
    await vi.waitUntil(() => canary.ran.length > 50, PATIENCE);
    await canary.stop();
    await fleet.api.rollBack(deployment);
    const client = fleet.redis.client();
    const length = (): Promise<number> =>
      strategy === 'split_queue' ? client.llen(CANARY) : client.xlen(CANARY);
    await vi.waitUntil(async () => (await length()) === 0, PATIENCE);
    await producer.pushes(300);
    expect(await length()).toBe(0);
    await producer.stop();
    const ran = await allRan([stable, canary], producer.pushed);
    expect(ran.toSorted()).toEqual(producer.pushed.toSorted());
    await vi.waitUntil(
      async () => (await fleet.api.done('GET', `/deployments/${deployment}`)).status === 'failed',
      PATIENCE,
    );
    const { queues } = await fleet.api.done('GET', '/queues');
    expect(queues).toMatchObject([{ name: QUEUE, intake_depth: 0, lanes: { canary: { waiting: 0 } } }]);
  });
});
