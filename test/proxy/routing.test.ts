import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Deployment } from '../../src/core/deployment.ts';
import { Rig, type Answer, type Send } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';

/** The laws of routing, seen from outside: through a running proxy, real sockets and ten real workers. */

const WORKERS = 10;

function jobs(count: number, name: string): Send[] {
  return Array.from({ length: count }, (_, i) => ({ headers: { 'X-Job-Id': `${name}-${i}` } }));
}

function keyed(count: number): Send[] {
  return Array.from({ length: count }, (_, i) => ({ headers: { 'X-Canary-Sticky-Key': `customer-${i}` } }));
}

const laneOf = (answer: Answer): unknown => answer.headers['x-canary-lane'];
const workerOf = (answer: Answer): unknown => answer.headers['x-canary-worker'];

describe('a split of 20 workers', () => {
  let rig: Rig;
  let deployment: Deployment;
  const workers: TestWorker[] = [];

  beforeAll(async () => {
    rig = await Rig.start();
    for (const version of ['v1', 'v2']) {
      for (let i = 0; i < WORKERS; i++) {
        const worker = await TestWorker.start(version);
        workers.push(worker);
        await rig.register({ id: `${version}-${i}`, url: worker.url, version, lane: 'stable' });
      }
    }
    // Its id salts the split: a fixed one leaves no chance in the shares.
    deployment = await rig.createDeployment({ id: 'canary_laws' });
  });

  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await Promise.all(workers.map((worker) => worker.stop()));
  });

  it('sends 25 % of 20,000 distinct jobs to the canary, within a point, each to the version it says', async () => {
    const counted = await totals(rig);
    deployment = await rig.setPercentage(deployment, 25);
    const answers = await rig.sendAll(jobs(20_000, 'split'));
    const canary = answers.filter((answer) => laneOf(answer) === 'canary');
    expect(canary.length / answers.length).toBeGreaterThan(0.24);
    expect(canary.length / answers.length).toBeLessThan(0.26);
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(answer.body).toBe(laneOf(answer) === 'canary' ? 'v2' : 'v1');
      expect(answer.headers['x-canary-version']).toBe(answer.body);
    }
    // And what was counted is what was done, by lane and version.
    const after = await totals(rig);
    expect(after.get('canary v2')! - (counted.get('canary v2') ?? 0)).toBe(canary.length);
    expect(after.get('stable v1')! - (counted.get('stable v1') ?? 0)).toBe(answers.length - canary.length);
  });

  it('sends the same key to the same lane and worker again', async () => {
    deployment = await rig.setPercentage(deployment, 50);
    const [first, second] = [await rig.sendAll(keyed(1000)), await rig.sendAll(keyed(1000))];
    expect(second.map(workerOf)).toEqual(first.map(workerOf));
    expect(second.map(laneOf)).toEqual(first.map(laneOf));
  });

  it.each([
    { way: 'rises', percentages: [10, 25, 33.33, 50], from: 'stable', to: 'canary' },
    { way: 'falls', percentages: [50, 33.33, 10.5, 0], from: 'canary', to: 'stable' },
  ])('moves keys from $from to $to only while the percentage $way', async ({ percentages, from, to }) => {
    const lanesAt: unknown[][] = [];
    for (const percentage of percentages) {
      deployment = await rig.setPercentage(deployment, percentage);
      lanesAt.push((await rig.sendAll(keyed(2000))).map(laneOf));
    }
    const moves = lanesAt.slice(1).flatMap((lanes, step) =>
      lanes.flatMap((lane, key) => {
        const before = lanesAt[step]![key];
        return lane === before ? [] : [`${String(before)} to ${String(lane)}`];
      }),
    );
    expect(new Set(moves)).toEqual(new Set([`${from} to ${to}`]));
  });

  it("moves at most 13 % of the keys when one of ten workers leaves, and only the leaver's", async () => {
    deployment = await rig.setPercentage(deployment, 0);
    const before = (await rig.sendAll(keyed(5000))).map(workerOf);
    const leaver = { ...(await rig.store.getWorker('v1-3'))! };
    await rig.remove(leaver);
    const after = (await rig.sendAll(keyed(5000))).map(workerOf);
    const moved = before.filter((worker, i) => worker !== after[i]);
    expect(moved.length).toBeLessThanOrEqual(0.13 * before.length);
    expect(new Set(moved)).toEqual(new Set(['v1-3']));
    await rig.register({ ...leaver, recordVersion: 1 });
    expect((await rig.sendAll(keyed(5000))).map(workerOf)).toEqual(before);
  });
});

async function totals(rig: Rig): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  for (const [labels, value] of await rig.metric('canary_jobs_total')) {
    const [, lane, version] = /lane="(\w+)",version="(\w+)"/.exec(labels)!;
    sums.set(`${lane} ${version}`, (sums.get(`${lane} ${version}`) ?? 0) + value);
  }
  return sums;
}

describe('promotion is safe to forget', () => {
  let rig: Rig;
  let v1: TestWorker;
  let v2: TestWorker;
  let v3: TestWorker;

  beforeAll(async () => {
    rig = await Rig.start();
    [v1, v2, v3] = [await TestWorker.start('v1'), await TestWorker.start('v2'), await TestWorker.start('v3')];
    // All say `stable`, as workers do that were started by the same manifest as ever.
    await rig.register({ id: 'old', url: v1.url, version: 'v1' });
    await rig.register({ id: 'new', url: v2.url, version: 'v2' });
    await rig.register({ id: 'next', url: v3.url, version: 'v3', lane: 'canary' });
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await Promise.all([v1, v2, v3].map((worker) => worker.stop()));
  });

  async function answering(): Promise<Set<string>> {
    return new Set((await rig.sendAll(keyed(300))).map((answer) => answer.body));
  }

  it('holds after the promotion, after the deployment is deleted, and when the next one starts', async () => {
    const first = await rig.promote(await rig.setPercentage(await rig.createDeployment(), 30));
    expect(await answering()).toEqual(new Set(['v2']));

    await rig.store.deleteDeployment(first.id, first.version);
    expect(await answering()).toEqual(new Set(['v2']));

    const next = await rig.createDeployment({ stableVersion: 'v2', canaryVersion: 'v3' });
    expect(await answering()).toEqual(new Set(['v2']));
    await rig.setPercentage(next, 50);
    expect(await answering()).toEqual(new Set(['v2', 'v3']));
  });

  it('lets the old version serve once no worker of the promoted one lives, and says that it is a fallback', async () => {
    const worker = (await rig.store.getWorker('new'))!;
    await rig.remove(worker);
    const answers = await rig.sendAll(keyed(300));
    expect(new Set(answers.map((a) => a.body))).toEqual(new Set(['v1', 'v3']));
    for (const answer of answers) {
      expect(answer.headers['x-canary-fallback']).toBe(answer.body === 'v1' ? 'true' : undefined);
    }
  });
});

describe('a tenant', () => {
  it("follows its own deployment, else the queue's", async () => {
    await using rig = await Rig.start();
    await using v1 = await TestWorker.start('v1');
    await using v2 = await TestWorker.start('v2');
    await rig.register({ url: v1.url, version: 'v1' });
    await rig.register({ url: v2.url, version: 'v2', lane: 'canary' });
    await rig.setPercentage(await rig.createDeployment({ tenant: 'acme' }), 100);
    const as = async (tenant?: string): Promise<string> =>
      (await rig.send('jobs', tenant === undefined ? {} : { headers: { 'X-Tenant-Id': tenant } })).body;
    expect([await as('acme'), await as('other'), await as()]).toEqual(['v2', 'v1', 'v1']);
  });
});

describe('dispatches that are not sticky', () => {
  it('take a fresh position each time, and use all workers', async () => {
    await using rig = await Rig.start();
    const workers = await Promise.all(['v1', 'v1', 'v2', 'v2'].map((version) => TestWorker.start(version)));
    for (const [i, worker] of workers.entries()) {
      await rig.register({ id: `w${i}`, url: worker.url, version: worker.version });
    }
    const deployment = await rig.createDeployment();
    const { config } = deployment;
    await rig.rollBack(deployment);
    const loose = await rig.createDeployment({ config: { ...config, stickyRouting: false } });
    await rig.setPercentage(loose, 50);
    const answers = await rig.sendAll(
      Array.from({ length: 500 }, () => ({ headers: { 'X-Job-Id': 'same' } })),
    );
    expect(new Set(answers.map(laneOf))).toEqual(new Set(['stable', 'canary']));
    expect(new Set(answers.map(workerOf))).toEqual(new Set(['w0', 'w1', 'w2', 'w3']));
    await Promise.all(workers.map((worker) => worker.stop()));
  });
});
