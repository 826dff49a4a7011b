import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Routing } from '../helpers/api.ts';
import { Load, NotingWorker } from '../helpers/load.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { allApplied, applied, enlist, Fleet, isComplete } from '../helpers/system.ts';

/**
 * Three proxies and a control plane on one Redis. Each of these goes away in turn, in the ways that processes do; what
 * remains goes on, and what comes back finds its way by itself.
 */

let fleet: Fleet;
let stable: NotingWorker;
let canary: NotingWorker;
let deployment: string;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  stable = stack.use(await NotingWorker.start('v1'));
  canary = stack.use(await NotingWorker.start('v2'));
  fleet = stack.use(await Fleet.start(3));
  await enlist(fleet, { id: 'stable-1', version: 'v1', url: stable.url });
  await enlist(fleet, { id: 'canary-1', version: 'v2', url: canary.url, lane: 'canary' });
  deployment = await fleet.api.createDeployment('v1', 'v2');
});

afterAll(() => stack.disposeAsync());

async function percentages(): Promise<(number | undefined)[]> {
  return Promise.all(fleet.proxies.map((proxy) => proxy.percentage()));
}

test('a change of percentage is answered once all proxies route by it', async () => {
  const answers: Routing[] = [];
  for (const percentage of [10, 12.34, 50, 0, 25]) {
    const routing = await fleet.api.setPercentage(deployment, percentage);
    answers.push(routing);
    await applied(fleet.api, deployment, routing, 3);
    expect(await percentages()).toEqual([percentage, percentage, percentage]);
    for (const proxy of fleet.proxies) {
      expect((await proxy.routes()).revision).toBe(routing.revision);
    }
    expect(await fleet.api.routing(deployment)).toEqual({ ...routing, proxies: 3, applied: 3 });
  }
  // Each of them, on a machine that has nothing else to do.
  expect(answers.some((routing) => isComplete(routing, 3))).toBe(true);
});

test('a proxy that was killed has the change when it is back, before it takes its first job', async () => {
  const [member] = fleet.members;
  await member!.process.end('SIGKILL');
  const routing = await fleet.api.setPercentage(deployment, 100);
  expect(routing.applied).toBeLessThan(3);
  await member!.start();
  expect(await member!.face.percentage()).toBe(100);
  expect(await member!.face.versionsOf(20)).toEqual(new Set(['v2']));
  // The lease of the one that was killed runs out.
  await allApplied(fleet.api, deployment, 3);
});

test('a proxy that was frozen is not counted as having the change, and has it once it thaws', async () => {
  const [, member] = fleet.members;
  member!.process.signal('SIGSTOP');
  try {
    const routing = await fleet.api.setPercentage(deployment, 30);
    expect(routing.applied).toBeLessThan(3);
  } finally {
    member!.process.signal('SIGCONT');
  }
  await vi.waitUntil(async () => (await member!.face.percentage()) === 30, PATIENCE);
  await allApplied(fleet.api, deployment, 3);
});

test('a proxy that is frozen for longer than its lease stops counting, and counts again', async () => {
  const [, , member] = fleet.members;
  member!.process.signal('SIGSTOP');
  try {
    await vi.waitUntil(async () => (await fleet.api.routing(deployment)).proxies === 2, PATIENCE);
    await applied(fleet.api, deployment, await fleet.api.setPercentage(deployment, 40), 2);
  } finally {
    member!.process.signal('SIGCONT');
  }
  await allApplied(fleet.api, deployment, 3);
  expect(await percentages()).toEqual([40, 40, 40]);
});

test('a proxy that is stopped in good order stops counting at once', async () => {
  const [member] = fleet.members;
  expect(await member!.process.end('SIGTERM')).toEqual({ code: 0, signal: null });
  await applied(fleet.api, deployment, await fleet.api.setPercentage(deployment, 45), 2);
  await member!.start();
  await allApplied(fleet.api, deployment, 3);
});

test('the control plane can be killed: proxies go on, and its successor knows everything', async () => {
  await using load = new Load(fleet.proxies, 2);
  await load.goOn(50);
  await fleet.restartControl('SIGKILL');
  await load.goOn(50);
  await applied(fleet.api, deployment, await fleet.api.setPercentage(deployment, 35), 3);
  await load.stop();
  expect(load.failed.slice(0, 3)).toEqual([]);
});

/** What an API call says while Redis can't answer. */
const UNAVAILABLE = { status: 503, body: { code: 'STORE_UNAVAILABLE' } };

async function refusesToChange(): Promise<void> {
  const { api } = fleet;
  const answers = await Promise.all([
    api.call('GET', '/deployments'),
    api.call('GET', `/deployments/${deployment}`),
    api.call('PUT', `/deployments/${deployment}/percentage`, { percentage: 99 }),
    api.call('POST', `/deployments/${deployment}/rollback`, { reason: 'nobody hears this' }),
    api.call('POST', '/workers', { id: 'late', version: 'v1', queues: ['q'] }),
  ]);
  for (const answer of answers) {
    expect(answer).toMatchObject(UNAVAILABLE);
    expect(answer.headers.get('retry-after')).toBe('1');
  }
}

async function readiness(): Promise<number[]> {
  return Promise.all(fleet.proxies.map((proxy) => proxy.readiness()));
}

/** After an outage: whoever asks again is served, and all follow. */
async function changesAgain(percentage: number): Promise<void> {
  await vi.waitUntil(
    async () =>
      (await fleet.api.call('PUT', `/deployments/${deployment}/percentage`, { percentage })).status === 200,
    PATIENCE,
  );
  await allApplied(fleet.api, deployment, 3);
  expect(await percentages()).toEqual([percentage, percentage, percentage]);
}

describe('with Redis gone', () => {
  test('jobs go on as before, the API says so in time, and changes arrive when it is back', async () => {
    await fleet.api.setPercentage(deployment, 50);
    await using load = new Load(fleet.proxies, 2);
    await Promise.all([stable.gets(20), canary.gets(20)]);
    await fleet.redis.kill();
    await Promise.all([load.goOn(200), refusesToChange()]);
    expect(await readiness()).toEqual([200, 200, 200]);
    expect(await percentages()).toEqual([50, 50, 50]);
    await Promise.all([stable.gets(20), canary.gets(20)]);

    await fleet.redis.start();
    await vi.waitUntil(
      async () => (await fleet.api.call('GET', `/deployments/${deployment}`)).status === 200,
      PATIENCE,
    );
    // What was refused has not happened.
    expect(await fleet.api.done('GET', `/deployments/${deployment}`)).toMatchObject({
      current_percent: 50,
      status: 'active',
    });
    await changesAgain(60);
    await load.stop();
    expect(load.failed.slice(0, 3)).toEqual([]);
  });

  test('the same where it only hangs', async () => {
    await using load = new Load(fleet.proxies, 2);
    await load.goOn(50);
    fleet.redis.pause();
    try {
      await Promise.all([load.goOn(200), refusesToChange()]);
      expect(await readiness()).toEqual([200, 200, 200]);
    } finally {
      fleet.redis.resume();
    }
    await changesAgain(65);
    await load.stop();
    expect(load.failed.slice(0, 3)).toEqual([]);
  });

  test('a proxy starts from the last good routes on its disk, and serves', async () => {
    const [member] = fleet.members;
    await fleet.api.setPercentage(deployment, 100);
    await member!.process.end('SIGTERM');
    await fleet.redis.kill();
    try {
      await member!.start();
      expect(await member!.face.readiness()).toBe(200);
      expect(await member!.face.percentage()).toBe(100);
      expect(await member!.face.versionsOf(20)).toEqual(new Set(['v2']));
    } finally {
      await fleet.redis.start();
    }
    await changesAgain(70);
  });

  test('a proxy that has never had routes waits for them, and says so', async () => {
    await fleet.redis.kill();
    const newcomer = fleet.newProxy();
    try {
      await newcomer.start();
      expect(await newcomer.face.readiness()).toBe(503);
      const { status, headers } = await newcomer.face.send();
      expect(status).toBe(503);
      expect(headers).toMatchObject({ 'x-canary-error': 'NO_WORKER_AVAILABLE', 'retry-after': '1' });
    } finally {
      await fleet.redis.start();
    }
    await vi.waitUntil(async () => (await newcomer.face.readiness()) === 200, PATIENCE);
    expect(await newcomer.face.percentage()).toBe(70);
    expect((await newcomer.face.send()).status).toBe(200);
    await newcomer.process.end('SIGTERM');
    await changesAgain(75);
  });

  test('planes that are told to stop do so', async () => {
    await fleet.redis.kill();
    const processes = [fleet.control, ...fleet.members.map((member) => member.process)];
    expect(await Promise.all(processes.map((process) => process.end('SIGTERM')))).toEqual(
      processes.map(() => ({ code: 0, signal: null })),
    );
    await fleet.redis.start();
    await fleet.restart('SIGTERM');
    expect(await percentages()).toEqual([75, 75, 75]);
  });
});
