import { describe, expect, it, vi } from 'vitest';
import { deploymentOf } from '../../core/fixtures.ts';
import { aJob } from '../../runtime/store/lane-fixture.ts';
import { TestWorker } from '../../helpers/worker.ts';
import { KINDS, LaneRigs, PATIENT, type LaneRig } from './lane-rig.ts';

/** Holds the answers to its jobs back until they are let go of. */
class SlowWorker implements AsyncDisposable {
  readonly worker: TestWorker;
  readonly #held: (() => void)[];
  #isHolding = true;

  private constructor(worker: TestWorker, held: (() => void)[]) {
    this.worker = worker;
    this.#held = held;
  }

  static async start(version: string): Promise<SlowWorker> {
    const held: (() => void)[] = [];
    const slow: SlowWorker = new SlowWorker(
      await TestWorker.start(version, (_job, response) => {
        if (slow.#isHolding) held.push(() => response.end());
        else response.end();
      }),
      held,
    );
    return slow;
  }

  get jobs(): TestWorker['jobs'] {
    return this.worker.jobs;
  }

  letGo(): void {
    this.#isHolding = false;
    for (const end of this.#held.splice(0)) end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker[Symbol.asyncDispose]();
  }
}

/** As the control plane does. */
async function drain(proxy: LaneRig): Promise<void> {
  await vi.waitUntil(async () => {
    const left = await proxy.store.drainLane(proxy.queue(), 'canary', 'stable', 1_000);
    return left.waiting + left.delayed + left.inFlight === 0;
  }, PATIENT);
}

function idsAt(...workers: readonly { readonly jobs: TestWorker['jobs'] }[]): readonly string[] {
  return sorted(workers.flatMap(({ jobs }) => jobs.map(({ headers }) => String(headers['x-job-id']))));
}

function sorted(ids: readonly string[]): readonly string[] {
  return ids.toSorted((a, b) => a.localeCompare(b));
}

describe.each(KINDS)('when a deployment ends (%s)', (kind) => {
  it('by a roll-back, no canary worker gets a job any more, and stable does them all', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start();
    await using v1 = await TestWorker.start('v1');
    await using v2 = await SlowWorker.start('v2');
    const deployment = await proxy.createDeployment();
    await proxy.register({ url: v1.url, version: 'v1' });
    await proxy.register({ url: v2.worker.url, version: 'v2', maxConcurrency: 3 });
    const ids = await proxy.putSome(200, 'canary');
    await vi.waitUntil(() => v2.jobs.length === 3, PATIENT);
    await proxy.rig.rollBack(deployment);
    const drained = drain(proxy);
    await vi.waitUntil(() => v1.jobs.length === 197, PATIENT);
    v2.letGo();
    await drained;
    await proxy.emptied();
    expect(v2.jobs).toHaveLength(3);
    expect(idsAt(v1, v2)).toEqual(sorted(ids));
  });

  it('a job that fails on the canary after the roll-back is tried again on stable', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start();
    await using v1 = await TestWorker.start('v1');
    let fail = (): void => {};
    await using v2 = await TestWorker.start('v2', (_job, response) => {
      fail = () => response.writeHead(500).end();
    });
    const deployment = await proxy.createDeployment();
    await proxy.register({ url: v1.url, version: 'v1' });
    await proxy.register({ url: v2.url, version: 'v2' });
    await proxy.putSome(1, 'canary');
    await vi.waitUntil(() => v2.jobs.length === 1, PATIENT);
    await proxy.rig.rollBack(deployment);
    fail();
    await vi.waitUntil(() => v1.jobs.length === 1, PATIENT);
    await proxy.emptied();
    expect(v1.jobs[0]?.headers).toMatchObject({ 'x-canary-attempt': '2', 'x-canary-lane': 'stable' });
  });

  it('or not, retries go to stable where a queue wants that', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start({ queue: { retry_lane: 'stable' } });
    await using v1 = await TestWorker.start('v1');
    await using v2 = await TestWorker.start('v2', (_job, response) => response.writeHead(500).end());
    await proxy.createDeployment();
    await proxy.register({ url: v1.url, version: 'v1' });
    await proxy.register({ url: v2.url, version: 'v2' });
    const ids = await proxy.putSome(5, 'canary');
    await proxy.emptied();
    expect([idsAt(v1), idsAt(v2)]).toEqual([sorted(ids), sorted(ids)]);
  });

  it("by a promotion, what is left in the canary's lane is the promoted version's", async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start();
    await using v1 = await TestWorker.start('v1');
    await using v2 = await TestWorker.start('v2');
    const deployment = await proxy.createDeployment();
    await proxy.register({ url: v1.url, version: 'v1' });
    await proxy.register({ url: v2.url, version: 'v2' });
    await proxy.rig.promote(deployment);
    await proxy.putSome(20, 'canary');
    await proxy.putSome(20, 'stable');
    await proxy.emptied();
    expect([v1.jobs.length, v2.jobs.length]).toEqual([0, 40]);
    expect(new Set(v2.jobs.map(({ headers }) => headers['x-canary-lane']))).toEqual(new Set(['stable']));
    expect(await proxy.rig.metric('canary_job_fallbacks_total')).toEqual(new Map([['queue="jobs"', 0]]));
  });

  it('jobs wait for the promoted version while it is full, and never go to the one that it replaced', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start();
    await using v1 = await TestWorker.start('v1');
    await using v2 = await SlowWorker.start('v2');
    const deployment = await proxy.createDeployment();
    await proxy.register({ url: v2.worker.url, version: 'v2', maxConcurrency: 1 });
    await proxy.rig.promote(deployment);
    await proxy.register({ url: v1.url, version: 'v1' });
    await proxy.putSome(5);
    await vi.waitUntil(() => v2.jobs.length === 1, PATIENT);
    v2.letGo();
    await proxy.emptied();
    expect([v1.jobs.length, v2.jobs.length]).toEqual([0, 5]);
  });
});

describe.each(KINDS)('tenants (%s)', (kind) => {
  it('share the lanes of a queue, and each job goes where its tenant is', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start();
    await using v1 = await TestWorker.start('v1');
    await using v2 = await TestWorker.start('v2');
    await using v3 = await TestWorker.start('v3');
    await proxy.createDeployment();
    await proxy.createDeployment({ tenant: 'acme', canaryVersion: 'v3' });
    await proxy.register({ url: v1.url, version: 'v1' });
    await proxy.register({ url: v2.url, version: 'v2' });
    await proxy.register({ url: v3.url, version: 'v3' });
    const jobs = Array.from({ length: 30 }, (_, i) => {
      const tenant = ['acme', 'other', undefined][i % 3];
      return aJob({ lane: i % 2 === 0 ? 'canary' : 'stable', ...(tenant !== undefined && { tenant }) });
    });
    await proxy.put(jobs);
    await proxy.emptied();
    const canary = (isAcme: boolean): readonly string[] =>
      sorted(
        jobs.filter((job) => job.lane === 'canary' && (job.tenant === 'acme') === isAcme).map(({ id }) => id),
      );
    const canaryAt = (worker: TestWorker): readonly string[] =>
      idsAt({ jobs: worker.jobs.filter(({ headers }) => headers['x-canary-lane'] === 'canary') });
    expect(canaryAt(v3)).toEqual(canary(true));
    expect(canaryAt(v2)).toEqual(canary(false));
    expect(v1.jobs.length + v2.jobs.length + v3.jobs.length).toBe(30);
  });

  it('whose workers do not take connections keep nobody else waiting, and lose no attempt', async () => {
    await using rigs = await LaneRigs.open(kind);
    const proxy = await rigs.start({
      queue: { max_attempts: 1 },
      settings: { LANEWISE_LANES_CONCURRENCY: '2' },
    });
    await using v2 = await TestWorker.start('v2');
    await using gone = await TestWorker.start('v3');
    const { url } = gone;
    await gone.stop();
    await proxy.createDeployment();
    const { config } = deploymentOf();
    const routingStrategy = proxy.rig.config.default_routing_strategy;
    await proxy.createDeployment({
      tenant: 'acme',
      canaryVersion: 'v3',
      config: { ...config, routingStrategy, fallback: 'none' },
    });
    await proxy.register({ url: v2.url, version: 'v2' });
    await proxy.register({ url, version: 'v3' });
    const stuck = Array.from({ length: 20 }, () => aJob({ lane: 'canary', tenant: 'acme' }));
    await proxy.put([...stuck, aJob({ lane: 'canary' })]);
    await vi.waitUntil(() => v2.jobs.length === 1, PATIENT);
    await using back = await TestWorker.start('v3', undefined, undefined, Number(new URL(url).port));
    await proxy.emptied();
    expect(idsAt(back)).toEqual(sorted(stuck.map(({ id }) => id)));
    expect(await proxy.dead()).toEqual([]);
  });
});
