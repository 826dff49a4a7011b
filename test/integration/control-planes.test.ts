import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { until } from '../helpers/patience.ts';
import { allApplied, FLEET_TOKEN, Fleet, type ControlProcess } from '../helpers/system.ts';

/** Several control planes in processes of their own on one Redis: to whoever calls them they are one. */

let fleet: Fleet;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  fleet = stack.use(await Fleet.start(2, {}, 2));
});

afterAll(() => stack.disposeAsync());

interface Frame {
  readonly id?: string;
  readonly type: string;
}

/** The kept frames of a deployment's event stream at one instance. */
async function listen({ api }: ControlProcess, id: string): Promise<readonly Frame[]> {
  const frames: Frame[] = [];
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/api/v1/canary/deployments/${id}/events`, {
    headers: { authorization: `Bearer ${FLEET_TOKEN}` },
  });
  stack.defer(() => socket.terminate());
  socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as Frame;
    if (frame.id !== undefined) frames.push(frame);
  });
  await once(socket, 'open');
  return frames;
}

test('a roll-out may be moved on by another instance at each step, and all of them tell of it', async () => {
  const [one, other] = fleet.controls.map(({ api }) => api);
  await one!.register({ id: 'w1', version: 'v1', url: 'http://127.0.0.1:9', queue: 'anywhere' });
  await other!.register({ id: 'w2', version: 'v2', url: 'http://127.0.0.1:9', queue: 'anywhere' });
  const id = await other!.createDeployment('v1', 'v2', { queue_name: 'anywhere' });
  const heard = await Promise.all(fleet.controls.map((control) => listen(control, id)));
  await one!.setPercentage(id, 10);
  await other!.setPercentage(id, 20);
  await one!.done('POST', `/deployments/${id}/pause`);
  await other!.done('POST', `/deployments/${id}/resume`);
  await one!.rollBack(id);
  await allApplied(other!, id, 2);
  for (const api of [one!, other!]) {
    expect(await api.done('GET', `/deployments/${id}`)).toMatchObject({
      status: 'failed',
      current_percent: 0,
    });
    expect(await api.events(id)).toHaveLength(6);
    expect((await api.done('GET', '/workers?queue=anywhere')).workers).toHaveLength(2);
  }
  await until(() => heard.every((frames) => frames.at(-1)?.type === 'deployment_status_changed'));
  await until(() => heard[0]!.length === heard[1]!.length && heard[0]!.length >= 7);
  expect(heard[0]).toEqual(heard[1]);
  await other!.done('DELETE', `/deployments/${id}`);
  expect((await one!.call('GET', `/deployments/${id}`)).status).toBe(404);
});

test('a limit of calls is one for all instances', async () => {
  const limits = { LANEWISE_RATE_LIMIT_PER_MINUTE: '1', LANEWISE_RATE_LIMIT_BURST: '6' };
  await using limited = await Fleet.start(0, limits, 2, fleet.redis.url);
  const [one, other] = limited.controls.map(({ api }) => api);
  for (let i = 0; i < 3; i++) {
    expect((await one!.call('GET', '/workers')).status).toBe(200);
    expect((await other!.call('GET', '/workers')).status).toBe(200);
  }
  // A token comes back in a minute; on a machine so slow there would be one, and then no more.
  let answer = await one!.call('GET', '/workers');
  if (answer.status === 200) answer = await other!.call('GET', '/workers');
  expect(answer).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
  expect((await other!.call('GET', '/workers')).headers.get('retry-after')).not.toBeNull();
});

/**
 * Scripts that never rest. A call goes to one instance, and to the other one if that can't even be connected to; whatever
 * else happens to a call is a failure.
 */
class Callers {
  readonly problems: string[] = [];
  made = 0;
  movedOn = 0;
  readonly #agent = new Agent({ connections: 8 });
  readonly #running: readonly Promise<void>[];
  #isStopped = false;

  constructor(count: number, deployment: string) {
    this.#running = Array.from({ length: count }, (_, i) => this.#run(i, deployment));
  }

  more(calls: number): Promise<void> {
    const target = this.made + calls;
    return until(() => this.made >= target);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
    await this.#agent.destroy();
  }

  async #run(caller: number, deployment: string): Promise<void> {
    for (let turns = caller; !this.#isStopped; turns++) {
      const isChange = caller === 0;
      const path = `/api/v1/canary/deployments/${deployment}${isChange ? '/percentage' : ''}`;
      let isMade = false;
      for (let tries = 0; !isMade && tries < fleet.controls.length; tries++) {
        isMade = await this.#call(fleet.controls[(turns + tries) % 2]!.api.url + path, isChange, turns % 100);
        if (!isMade) this.movedOn++;
      }
      if (!isMade) this.problems.push('nobody could be connected to');
      this.made++;
      await turn();
    }
  }

  /** @returns false if nothing was sent */
  async #call(url: string, isChange: boolean, percentage: number): Promise<boolean> {
    try {
      const { statusCode, body } = await request(url, {
        dispatcher: this.#agent,
        method: isChange ? 'PUT' : 'GET',
        headers: { authorization: `Bearer ${FLEET_TOKEN}`, 'content-type': 'application/json' },
        ...(isChange && { body: JSON.stringify({ percentage }) }),
      });
      const text = await body.text();
      if (statusCode !== 200) this.problems.push(`${statusCode} ${text}`);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return false;
      this.problems.push(String(error));
      return true;
    }
  }
}

test('they are restarted one after the other under load, and no call fails', async () => {
  const id = await fleet.api.createDeployment('v1', 'v2', { queue_name: 'restarted' });
  const callers = new Callers(4, id);
  try {
    await callers.more(50);
    for (const control of fleet.controls) {
      expect(await control.process.end('SIGTERM')).toEqual({ code: 0, signal: null });
      await callers.more(50);
      await control.start();
      await callers.more(50);
    }
  } finally {
    await callers.stop();
  }
  expect(callers.problems).toEqual([]);
  expect(callers.movedOn).toBeGreaterThan(0);
});
