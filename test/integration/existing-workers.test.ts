import { beforeAll, afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { QUEUE } from '../helpers/api.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { startListWorker, startStreamWorker, type PlainWorker } from '../helpers/plain-workers.ts';
import { Fleet } from '../helpers/system.ts';

/** The recipes of docs/queues-list.md and docs/queues-stream.md: workers that read Redis themselves, as they are. */

const KINDS = [
  { strategy: 'split_queue', start: startListWorker },
  { strategy: 'stream_group', start: startStreamWorker },
] as const;

const STABLE = `queue:${QUEUE}`;
const CANARY = `queue:${QUEUE}@canary`;

describe.each(KINDS)('workers with a loop of their own, and $strategy', ({ strategy, start }) => {
  let fleet: Fleet;

  beforeAll(async () => {
    const settings = { routing_strategy: strategy, key_template: 'queue:{queue}', envelope: 'raw' };
    fleet = await Fleet.start(1, { LANEWISE_QUEUES: JSON.stringify({ [QUEUE]: settings }) });
  });
  afterAll(() => fleet[Symbol.asyncDispose]());

  function worker(key: string): PlainWorker {
    const started = start(fleet.redis.port, key);
    onTestFinished(() => started[Symbol.asyncDispose]());
    return started;
  }

  async function deploy(canary: string, percentage: number): Promise<string> {
    const id = await fleet.api.createDeployment('v1', canary, {
      routing_strategy: strategy,
      initial_percentage: percentage,
    });
    await vi.waitUntil(async () => (await fleet.proxies[0]!.percentage()) === percentage, PATIENCE);
    return id;
  }

  async function dispatch(name: string, count: number): Promise<readonly { body: string; lane: string }[]> {
    const sent: { body: string; lane: string }[] = [];
    for (let n = 0; n < count; n++) {
      const body = `{"class":"Charge", "jid":"${name}-${n}", "ünï":[${n}]}`;
      const answer = await fetch(`${fleet.proxies[0]!.dispatchUrl}/dispatch/${QUEUE}`, {
        method: 'POST',
        headers: { 'x-canary-sticky-key': `${name}-customer-${n}` },
        body,
      });
      expect(answer.status).toBe(202);
      sent.push({ body, lane: ((await answer.json()) as { lane: string }).lane });
    }
    return sent;
  }

  async function ended(id: string, status: string): Promise<void> {
    await vi.waitUntil(
      async () => (await fleet.api.done('GET', `/deployments/${id}`)).status === status,
      PATIENCE,
    );
  }

  test('run their share of the jobs byte for byte, through a canary, a rollback and a promotion', async () => {
    const stable = worker(STABLE);
    const canary = worker(CANARY);
    const first = await deploy('v2', 50);
    const split = await dispatch('split', 300);
    await vi.waitUntil(() => stable.ran.length + canary.ran.length === 300, PATIENCE);
    const inLane = (lane: string): readonly string[] =>
      split.filter((job) => job.lane === lane).map(({ body }) => body);
    expect(stable.ran).toEqual(inLane('stable'));
    expect(canary.ran).toEqual(inLane('canary'));
    // 150, ± 5 standard deviations.
    expect(Math.abs(canary.ran.length - 150)).toBeLessThan(5 * Math.sqrt(300 * 0.25));

    // The new version hangs; what waits for it goes to the old one.
    await canary.stop();
    const before = stable.ran.length;
    const stuck = await dispatch('stuck', 100);
    await fleet.api.rollBack(first);
    await ended(first, 'failed');
    await vi.waitUntil(() => stable.ran.length === before + 100, PATIENCE);
    expect(stable.ran.slice(before).toSorted()).toEqual(stuck.map(({ body }) => body).toSorted());
    const moved = stuck.filter(({ lane }) => lane === 'canary').map(({ body }) => body);
    const there = new Set(moved);
    expect(stable.ran.slice(before).filter((body) => there.has(body))).toEqual(moved);
    const drained = (await fleet.api.events(first)).find(({ type }) => type === 'lane_drained');
    expect(drained!.data).toMatchObject({ drained: moved.length, remaining: 0, drain_incomplete: false });

    // All to the next version; then the stable workers are replaced, and it is promoted.
    const second = await deploy('v3', 100);
    const next = worker(CANARY);
    const all = await dispatch('all', 50);
    await vi.waitUntil(() => next.ran.length === 50, PATIENCE);
    await stable.stop();
    const replaced = worker(STABLE);
    await fleet.api.promote(second);
    await ended(second, 'completed');
    const after = await dispatch('after', 50);
    await vi.waitUntil(() => replaced.ran.length === 50, PATIENCE);
    expect(next.ran).toEqual(all.map(({ body }) => body));
    expect(replaced.ran).toEqual(after.map(({ body }) => body));
    expect(after.every(({ lane }) => lane === 'stable')).toBe(true);
  });
});
