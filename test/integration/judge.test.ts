import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { Api, ToldEvent } from '../helpers/api.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { jobNumber, SteadyLoad } from '../helpers/steady-load.ts';
import { allApplied, enlist, Fleet, Standalone, type System } from '../helpers/system.ts';
import { TestWorker, type ReceivedJob } from '../helpers/worker.ts';

/** The judge at work: whole installations, real workers, a hundred jobs a second, and nobody who looks on. */

const PER_SECOND = 100;
/** Of a stable worker. */
const WORK_MS = 50;
/** Where slowness is the matter: far more than a busy machine adds to it. */
const LONG_WORK_MS = 500;

/** What a canary does with its n-th job: how long it takes, and what it answers; undefined: nothing, ever. */
type Behaviour = (n: number) => { readonly ms: number; readonly status: number } | undefined;

const GOOD: Behaviour = () => ({ ms: WORK_MS, status: 200 });

const BAD_CANARIES: readonly {
  readonly name: string;
  readonly workMs?: number;
  readonly behaviour: Behaviour;
  readonly cause: string;
  readonly reason: RegExp;
}[] = [
  {
    name: 'fails a fifth of its jobs',
    behaviour: (n) => ({ ms: WORK_MS, status: n % 5 === 0 ? 500 : 200 }),
    cause: 'error_rate',
    reason:
      /^Error rate increase: \d+\.\d% \(threshold: 5\.0%\): \d+ of \d+ jobs failed on the canary, 0 of \d+ jobs on stable$/,
  },
  {
    name: 'hangs',
    behaviour: () => undefined,
    cause: 'throughput',
    reason:
      /^Throughput decrease: 100\.0% \(threshold: 20\.0%\): 0 of \d+ jobs that should have ended have on the canary, \d+ of \d+ on stable$/,
  },
  {
    name: 'is three times slower',
    workMs: LONG_WORK_MS,
    behaviour: () => ({ ms: 3 * LONG_WORK_MS, status: 200 }),
    cause: 'latency',
    reason:
      /^P95 latency increase: \d+\.\d% \(threshold: 50\.0%\): p95 of \d+ ms over \d+ jobs on the canary, \d+ ms over \d+ jobs on stable$/,
  },
];

/** A stable and a canary worker of a queue, and jobs for them. */
class Scene implements AsyncDisposable {
  readonly queue: string;
  readonly load: SteadyLoad;
  readonly canary: TestWorker;
  /** What the canary does from now on. */
  behaviour: Behaviour;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    queue: string,
    behaviour: Behaviour,
    parts: readonly [SteadyLoad, TestWorker],
    stack: AsyncDisposableStack,
  ) {
    this.queue = queue;
    this.behaviour = behaviour;
    [this.load, this.canary] = parts;
    this.#stack = stack;
    let jobs = 0;
    this.canary.answer = (_job, response) => {
      const fate = this.behaviour(++jobs);
      if (fate !== undefined) setTimeout(() => response.writeHead(fate.status).end(), fate.ms);
    };
  }

  static async open(system: System, queue: string, behaviour: Behaviour, workMs = WORK_MS): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const stable = stack.use(
      await TestWorker.start('v1', (_job, response) => setTimeout(() => response.end(), workMs)),
    );
    const canary = stack.use(await TestWorker.start('v2'));
    await enlist(system, { id: `${queue}-stable`, version: 'v1', url: stable.url, queue });
    await enlist(system, { id: `${queue}-canary`, version: 'v2', url: canary.url, lane: 'canary', queue });
    const load = stack.use(new SteadyLoad(system.proxies, queue, PER_SECOND));
    await load.goOn(20);
    return new Scene(queue, behaviour, [load, canary], stack.move());
  }

  /** @returns its id */
  deploy(api: Api, body: object): Promise<string> {
    return api.createDeployment('v1', 'v2', { queue_name: this.queue, ...body });
  }

  /** Of so many jobs that are sent from now on, those that get to the canary. */
  async canaryJobsOf(jobs: number): Promise<readonly ReceivedJob[]> {
    const last = await this.load.goOn(jobs);
    return this.canary.jobs.filter(({ headers }) => jobNumber(headers['x-job-id']) > last);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function ended(api: Api, id: string): Promise<string> {
  let status = '';
  await vi.waitUntil(async () => {
    status = String((await api.done('GET', `/deployments/${id}`)).status);
    return status === 'completed' || status === 'failed';
  }, PATIENCE);
  return status;
}

/** Oldest first. */
async function eventsOf(api: Api, id: string): Promise<readonly ToldEvent[]> {
  return (await api.events(id)).toReversed();
}

interface Frame {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What the event stream of a deployment tells. */
async function listen(
  { url, token }: Api,
  id: string,
  stack: AsyncDisposableStack,
): Promise<readonly Frame[]> {
  const frames: Frame[] = [];
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/canary/deployments/${id}/events`, {
    headers: { authorization: `Bearer ${token}` },
  });
  stack.defer(() => socket.terminate());
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame));
  await once(socket, 'open');
  return frames;
}

const SETTINGS = { LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring' } as const;

const SYSTEMS: readonly (readonly [string, () => Promise<System>])[] = [
  ['a standalone process', () => Standalone.start(SETTINGS)],
  ['two proxies and two control planes on Redis', () => Fleet.start(2, SETTINGS, 2)],
];

describe.each(SYSTEMS)('%s', (_name, start) => {
  let system: System;
  beforeAll(async () => {
    system = await start();
  });
  afterAll(() => system[Symbol.asyncDispose]());

  test.each(BAD_CANARIES)(
    'a canary that $name is taken back by itself',
    async ({ name, behaviour, workMs, cause, reason }) => {
      await using stack = new AsyncDisposableStack();
      const scene = stack.use(await Scene.open(system, name.replaceAll(' ', '-'), behaviour, workMs));
      const { api } = system;
      const id = await scene.deploy(api, { initial_percentage: 10 });
      const frames = await listen(api, id, stack);
      expect(await ended(api, id)).toBe('failed');
      await allApplied(api, id, system.proxies.length);
      expect(await scene.canaryJobsOf(2 * PER_SECOND)).toEqual([]);

      const events = await eventsOf(api, id);
      expect(events.map(({ type }) => type)).toEqual([
        'deployment_created',
        'health_check_failed',
        'deployment_rolled_back',
      ]);
      const rolledBack = events.at(-1)!;
      expect(rolledBack).toMatchObject({
        actor: 'judge',
        data: { automatic: true, cause, old_percentage: 10, new_percentage: 0 },
      });
      expect(rolledBack.data['reason']).toMatch(reason);
      expect(rolledBack.message).toBe(`Deployment rolled back: ${String(rolledBack.data['reason'])}`);

      await vi.waitUntil(() => frames.some(({ type }) => type === 'deployment_status_changed'), PATIENCE);
      const told = (wanted: string): unknown => frames.find(({ type }) => type === wanted)?.data;
      expect(told('rollback_triggered')).toEqual({ reason: rolledBack.data['reason'] });
      expect(frames.filter(({ type }) => type === 'health_status_changed')).toContainEqual(
        expect.objectContaining({ data: expect.objectContaining({ new_status: 'failing' }) as unknown }),
      );
      expect(told('percentage_updated')).toEqual({ old_percentage: 10, new_percentage: 0 });
    },
  );

  test('a good canary goes through its stages and is completed by itself', async () => {
    await using scene = await Scene.open(system, 'good', GOOD);
    const { api } = system;
    const id = await scene.deploy(api, { profile: 'aggressive', min_duration: '8s' });
    expect(await ended(api, id)).toBe('completed');
    const events = await eventsOf(api, id);
    expect(events.map(({ type, actor, data }) => [type, actor, data['new_percentage']])).toEqual([
      ['deployment_created', expect.any(String), undefined],
      ['percentage_updated', 'judge', 25],
      ['percentage_updated', 'judge', 50],
      ['percentage_updated', 'judge', 75],
      ['auto_promotion_triggered', 'judge', undefined],
      ['deployment_promoted', 'judge', 100],
    ]);
    await allApplied(api, id, system.proxies.length);
    expect((await scene.canaryJobsOf(PER_SECOND)).length).toBeGreaterThanOrEqual(PER_SECOND);
  });
});

describe('when the control plane that judges is killed', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start(1, SETTINGS, 2);
  });
  afterAll(() => fleet[Symbol.asyncDispose]());

  async function isLeading({ url, token }: Api): Promise<boolean> {
    const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    return (await answer.text()).includes('\ncanary_judge_leading 1\n');
  }

  /** Kills it; the other one goes on. @returns the API of the other one */
  async function killJudge(): Promise<Api> {
    const leading = await vi.waitUntil(async () => {
      const leads = await Promise.all(fleet.controls.map(({ api }) => isLeading(api)));
      return leads.filter(Boolean).length === 1 && { index: leads.indexOf(true) };
    }, PATIENCE);
    await fleet.controls[leading.index]!.process.end('SIGKILL');
    return fleet.controls[1 - leading.index]!.api;
  }

  async function reviveAll(): Promise<void> {
    await Promise.all(
      fleet.controls.filter(({ process }) => process.hasExited).map((control) => control.start()),
    );
  }

  test('the other one takes back what turns bad at that moment', async () => {
    await using scene = await Scene.open(fleet, 'turns-bad', GOOD);
    const id = await scene.deploy(fleet.api, { initial_percentage: 10 });
    await scene.load.goOn(3 * PER_SECOND);
    scene.behaviour = BAD_CANARIES[0]!.behaviour;
    const survivor = await killJudge();
    expect(await ended(survivor, id)).toBe('failed');
    await allApplied(survivor, id, 1);
    expect(await scene.canaryJobsOf(2 * PER_SECOND)).toEqual([]);
    const rolledBack = (await eventsOf(survivor, id)).at(-1);
    expect(rolledBack).toMatchObject({ actor: 'judge', data: { automatic: true, cause: 'error_rate' } });
    await reviveAll();
  });

  test('the other one goes on with a promotion where it was', async () => {
    await using scene = await Scene.open(fleet, 'goes-on', GOOD);
    const id = await scene.deploy(fleet.api, { profile: 'aggressive', min_duration: '8s' });
    const percentage = async (api: Api) =>
      (await api.done('GET', `/deployments/${id}`)).current_percent as number;
    await vi.waitUntil(async () => (await percentage(fleet.api)) >= 25, PATIENCE);
    const survivor = await killJudge();
    expect(await ended(survivor, id)).toBe('completed');
    const steps = (await eventsOf(survivor, id)).filter(({ type }) => type === 'percentage_updated');
    expect(steps.map(({ data }) => data['new_percentage'])).toEqual([25, 50, 75]);
    await reviveAll();
  });
});

test('a standalone process that is killed goes on with what it had seen', async () => {
  await using system = await Standalone.start(SETTINGS);
  await using stack = new AsyncDisposableStack();
  const scene = await Scene.open(system, 'restarted', GOOD);
  stack.use(scene);
  const id = await scene.deploy(system.api, { profile: 'aggressive', min_duration: '8s' });
  await vi.waitUntil(
    async () => Number((await system.api.done('GET', `/deployments/${id}`)).current_percent) >= 25,
    PATIENCE,
  );
  await system.restart('SIGKILL');
  // On other ports, and so with other producers.
  stack.use(new SteadyLoad(system.proxies, scene.queue, PER_SECOND));
  expect(await ended(system.api, id)).toBe('completed');
  const steps = (await eventsOf(system.api, id)).filter(({ type }) => type === 'percentage_updated');
  expect(steps.map(({ data }) => data['new_percentage'])).toEqual([25, 50, 75]);
});
