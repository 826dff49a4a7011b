import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../helpers/patience.ts';
import { enlist, Standalone } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

/**
 * docs/job-shapes.md. In activepieces#13219 a canary put jobs of a new shape into a queue that it shares with the old
 * version, whose workers refused them as beyond recovery. Two versions share a queue here by design, so what becomes of
 * such jobs has to be known: nothing of them is lost, and there is an order of releases in which none is refused.
 */

type OnUnknown = 'fail' | 'not now';

/** Runs jobs of the shapes that it knows, and enqueues a follow-up job of the shape that it writes. */
class ShapedWorker implements AsyncDisposable {
  readonly done: string[] = [];
  refused = 0;
  readonly #worker: TestWorker;

  private constructor(worker: TestWorker) {
    this.#worker = worker;
  }

  static async start(reads: readonly number[], onUnknown: OnUnknown = 'fail'): Promise<ShapedWorker> {
    const worker = await TestWorker.start('', ({ headers, body }, response) => {
      const { shape } = JSON.parse(body) as { readonly shape: number };
      if (reads.includes(shape)) {
        shaped.done.push(String(headers['x-job-id']));
        response.end();
        return;
      }
      shaped.refused++;
      if (onUnknown === 'fail') response.writeHead(422).end(`shape ${shape} is unknown`);
      else response.writeHead(503, { 'Retry-After': '0' }).end();
    });
    const shaped = new ShapedWorker(worker);
    return shaped;
  }

  get url(): string {
    return this.#worker.url;
  }

  /** The sticky keys of what it was sent. */
  get keys(): readonly string[] {
    return this.#worker.jobs.map(({ headers }) => String(headers['x-canary-sticky-key']));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.stop();
  }
}

const MAX_ATTEMPTS = 2;
let system: Standalone;
let queues = 0;

beforeAll(async () => {
  const policy = { routing_strategy: 'split_queue', max_attempts: MAX_ATTEMPTS, retry_delay: '10ms' };
  const names = Array.from({ length: 20 }, (_, i) => `shapes-${i}`);
  system = await Standalone.start({
    LANEWISE_QUEUES: JSON.stringify(Object.fromEntries(names.map((name) => [name, policy]))),
  });
});
afterAll(() => system[Symbol.asyncDispose]());

/** A queue of its own for each test. */
interface Scene {
  readonly queue: string;
  readonly deployment: string;
}

async function startScene(
  workers: { readonly v1: ShapedWorker; readonly v2?: ShapedWorker },
  percentage: number,
): Promise<Scene> {
  const queue = `shapes-${queues++}`;
  for (const [version, worker] of Object.entries(workers)) {
    onTestFinished(() => worker[Symbol.asyncDispose]());
    const lane = version === 'v1' ? 'stable' : 'canary';
    await enlist(system, { id: `${queue}-${version}`, version, url: worker.url, queue, lane });
  }
  const deployment = await system.api.createDeployment('v1', 'v2', {
    queue_name: queue,
    routing_strategy: 'split_queue',
    initial_percentage: percentage,
    auto_rollback: false,
    fallback: 'none',
  });
  await until(async () => (await system.proxy.percentage(queue)) === percentage);
  return { queue, deployment };
}

/** @returns the lane that it went to */
async function send(queue: string, id: string, shape: number, key = id): Promise<string> {
  const answer = await fetch(`${system.proxy.dispatchUrl}/dispatch/${queue}`, {
    method: 'POST',
    headers: { 'x-job-id': id, 'x-canary-sticky-key': key },
    body: JSON.stringify({ shape }),
  });
  expect(answer.status).toBe(202);
  return ((await answer.json()) as { lane: string }).lane;
}

interface DeadJob {
  readonly job_id: string;
  readonly reason: string;
}

async function deadIn(queue: string): Promise<readonly DeadJob[]> {
  return (await system.api.done('GET', `/queues/${queue}/dead?page_size=100`)).data as readonly DeadJob[];
}

const ids = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `${name}-${i}`);

describe('jobs of a shape that stable cannot read', () => {
  it('come to stable all the same, by their own keys; they die there with the reason, and can be put back', async () => {
    const [v1, v2] = [await ShapedWorker.start([1]), await ShapedWorker.start([1, 2])];
    const { queue, deployment } = await startScene({ v1, v2 }, 50);
    const lanes = new Map<string, string>();
    for (const id of ids('new', 40)) lanes.set(id, await send(queue, id, 2));
    const inLane = (lane: string): readonly string[] =>
      [...lanes.keys()].filter((id) => lanes.get(id) === lane);
    const [onStable, onCanary] = [inLane('stable'), inLane('canary')];
    expect(onStable.length).toBeGreaterThan(0);
    expect(onCanary.length).toBeGreaterThan(0);

    await until(
      async () => (await deadIn(queue)).length === onStable.length && v2.done.length === onCanary.length,
    );
    const dead = await deadIn(queue);
    expect(dead.map(({ job_id: id }) => id).toSorted()).toEqual(onStable.toSorted());
    expect(new Set(dead.map(({ reason }) => reason))).toEqual(
      new Set([`the last of ${MAX_ATTEMPTS} attempts ended in a failure: status 422`]),
    );
    expect(v1.refused).toBe(onStable.length * MAX_ATTEMPTS);

    // The version that reads both is promoted; what has died begins anew.
    await system.api.promote(deployment);
    await until(
      async () => (await system.api.done('GET', `/deployments/${deployment}`)).status === 'completed',
    );
    await system.api.done('POST', `/queues/${queue}/dead/requeue`, { all: true });
    await until(() => v2.done.length === 40);
    expect(v2.done.toSorted()).toEqual([...lanes.keys()].toSorted());
  });

  it('wait for a version that can read them where stable says "not now", and are nobody’s failure', async () => {
    const [v1, v2] = [await ShapedWorker.start([1], 'not now'), await ShapedWorker.start([1, 2])];
    const { queue, deployment } = await startScene({ v1, v2 }, 0);
    for (const id of ids('early', 3)) expect(await send(queue, id, 2)).toBe('stable');
    // More often than a failure would be tried.
    await until(() => v1.refused > 3 * MAX_ATTEMPTS);
    expect(await deadIn(queue)).toEqual([]);
    const failures = await system.proxy.metric('canary_jobs_total');
    expect(failures.get(`queue="${queue}",lane="stable",version="v1",outcome="failure"`)).toBe(0);

    await system.api.promote(deployment);
    await until(() => v2.done.length === 3);
    expect(v2.done.toSorted()).toEqual(ids('early', 3));
    expect(await deadIn(queue)).toEqual([]);
  });

  it('are what a rollback hands to stable', async () => {
    const v1 = await ShapedWorker.start([1]);
    // Nobody runs that takes them: they wait in the canary's lane.
    const { queue, deployment } = await startScene({ v1 }, 100);
    for (const id of ids('waiting', 5)) expect(await send(queue, id, 2)).toBe('canary');
    await system.api.rollBack(deployment);
    await until(async () => (await deadIn(queue)).length === 5);
    expect(v1.done).toEqual([]);
  });
});

describe('expand, switch, contract', () => {
  it('in that order no job is refused, whichever way each release goes', async () => {
    // The switch: v1 is the release that reads both and writes the old shape, v2 the one that writes the new one.
    const [v1, v2] = [await ShapedWorker.start([1, 2]), await ShapedWorker.start([1, 2])];
    const { queue, deployment } = await startScene({ v1, v2 }, 50);
    for (const [i, id] of ids('mixed', 40).entries()) await send(queue, id, 1 + (i % 2));
    await system.api.rollBack(deployment);
    for (const id of ids('after', 10)) await send(queue, id, 2);
    await until(() => v1.done.length + v2.done.length === 50);
    expect(v1.refused + v2.refused).toBe(0);
    expect(await deadIn(queue)).toEqual([]);
  });
});

it('follow-up jobs that keep the sticky key go to the lane of the job that they follow', async () => {
  const [v1, v2] = [await ShapedWorker.start([1]), await ShapedWorker.start([1])];
  const { queue } = await startScene({ v1, v2 }, 50);
  for (const key of ids('chain', 30)) {
    const first = await send(queue, `${key}-1`, 1, key);
    expect(await send(queue, `${key}-2`, 1, key)).toBe(first);
  }
  await until(() => v1.done.length + v2.done.length === 60);
  // The worker is told the key, so that it can pass it on.
  expect(new Set([...v1.keys, ...v2.keys])).toEqual(new Set(ids('chain', 30)));
});
