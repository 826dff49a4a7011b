import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { PATIENCE } from '../helpers/patience.ts';
import type { Rig } from '../helpers/rig.ts';
import {
  aQueueName,
  acceptedBy,
  deaf,
  EnqueueRig,
  PLACES,
  refusalOf,
  type EnqueueRigOptions,
} from './enqueue-rig.ts';

/**
 * Whatever a proxy has not heard: once the route has changed and the fence stands, nothing is put into a lane by the
 * route before. The proxies here hear of no change unless they ask.
 */
describe.each(PLACES)('a proxy that is behind: $name', (place) => {
  async function start(
    options: EnqueueRigOptions = {},
  ): Promise<{ lanes: EnqueueRig; behind: Rig; queue: string }> {
    const lanes = await EnqueueRig.start(place, options);
    onTestFinished(() => lanes[Symbol.asyncDispose]());
    const queue = aQueueName();
    const deployment = { queue, strategy: place.strategy };
    await lanes.rig.createDeployment({ ...deployment, currentPercent: 100 });
    return { lanes, behind: await lanes.another({ through: deaf }), queue };
  }

  async function rolledBackAndFenced(lanes: EnqueueRig, queue: string, tenant?: string): Promise<void> {
    const [deployment] = await lanes.store.listDeployments({ queue });
    await lanes.rig.rollBack(deployment!);
    const { epoch, revision } = lanes.rig.proxy.table;
    await lanes.store.fenceQueue(lanes.laneQueue(queue), tenant, { epoch, revision });
  }

  it('routes again by the routes that the fence tells of', async () => {
    const { lanes, behind, queue } = await start();
    expect(acceptedBy(await behind.send(queue))).toMatchObject({ lane: 'canary', version: 'v2' });
    await rolledBackAndFenced(lanes, queue);
    expect(behind.proxy.table.routeFor(queue, undefined)!.percentage).toBe(100);
    expect(acceptedBy(await behind.send(queue))).toMatchObject({ lane: 'stable', version: 'v1' });
    expect(behind.proxy.table.revision).toBe(lanes.rig.proxy.table.revision);
    expect(await lanes.depths(queue)).toEqual({ stable: 1, canary: 1 });
  });

  it('keeps on as it is where nothing stands against it: a change of percentage has no fence', async () => {
    const { lanes, behind, queue } = await start();
    const [deployment] = await lanes.store.listDeployments({ queue });
    await lanes.rig.setPercentage(deployment!, 0);
    expect(acceptedBy(await behind.send(queue))).toMatchObject({ lane: 'canary' });
  });

  it('holds for a tenant whose deployment was rolled back, and stops nobody else', async () => {
    const { lanes, behind, queue } = await start();
    const other = aQueueName();
    await lanes.rig.createDeployment({
      queue: other,
      tenant: 'acme',
      currentPercent: 100,
      strategy: place.strategy,
    });
    const head = lanes.rig.proxy.table;
    const late = await lanes.another({ through: deaf });
    const [deployment] = await lanes.store.listDeployments({ queue: other });
    await lanes.rig.rollBack(deployment!);
    const fence = { epoch: head.epoch, revision: head.revision };
    await lanes.store.fenceQueue(lanes.laneQueue(other), 'acme', fence);
    const acme = { headers: { 'X-Tenant-Id': 'acme' } };
    expect(acceptedBy(await late.send(other))).toMatchObject({ lane: 'stable' });
    expect(late.proxy.table.revision).toBeLessThan(head.revision);
    expect(acceptedBy(await late.send(other, acme))).toMatchObject({ lane: 'stable' });
    expect(late.proxy.table.revision).toBe(head.revision);
    expect(acceptedBy(await behind.send(queue))).toMatchObject({ lane: 'canary' });
  });

  it('reads the routes once for all jobs that were refused together', async () => {
    let reads = 0;
    const { lanes, queue } = await start();
    const behind = await lanes.another({
      through: (store) => ({
        ...deaf(store),
        readSnapshot: () => {
          reads++;
          return store.readSnapshot();
        },
      }),
    });
    expect(reads).toBe(1);
    await rolledBackAndFenced(lanes, queue);
    const answers = await behind.sendAll(
      Array.from({ length: 64 }, () => ({})),
      queue,
    );
    expect(answers.map((answer) => acceptedBy(answer).lane)).toEqual(Array(64).fill('stable'));
    // Those that were refused while a read was under way asked for one more.
    expect(reads).toBeLessThan(10);
  });

  it('gives up with 503 when the store tells of routes that it does not have, and has stored nothing', async () => {
    const { lanes, behind, queue } = await start();
    const { epoch, revision } = lanes.rig.proxy.table;
    await lanes.store.fenceQueue(lanes.laneQueue(queue), undefined, { epoch, revision: revision + 100 });
    const answer = await behind.send(queue);
    expect(answer.status).toBe(503);
    expect(refusalOf(answer)).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    expect(answer.headers['retry-after']).toBe('1');
    expect(await lanes.depths(queue)).toEqual({ stable: 0, canary: 0 });
    expect(await behind.metric('canary_jobs_enqueued_total')).toEqual(
      new Map([[`queue="${queue}",lane="canary",result="failed"`, 1]]),
    );
  });

  it('is not held up by the fence of an epoch that the store has left, though its id sorts later', async () => {
    const { lanes, behind, queue } = await start();
    await lanes.store.fenceQueue(lanes.laneQueue(queue), undefined, { epoch: 'zzzz', revision: 1 });
    await lanes.store.fenceQueue(lanes.laneQueue(queue), 'acme', { epoch: 'zzzz', revision: 1 });
    expect(acceptedBy(await behind.send(queue, { headers: { 'X-Tenant-Id': 'acme' } }))).toMatchObject({
      lane: 'canary',
    });
    expect(acceptedBy(await behind.send(queue))).toMatchObject({ lane: 'canary' });
  });

  it('puts nothing into the canary lane once a roll-back is acknowledged, under load', async () => {
    const { lanes, behind, queue } = await start();
    let acknowledged = false;
    const ends = new AbortController();
    const after: string[] = [];
    const producers = Array.from({ length: 16 }, async (_, i) => {
      const proxy = i % 2 === 0 ? behind : lanes.rig;
      while (!ends.signal.aborted) {
        const wasAcknowledged = acknowledged;
        const { lane } = acceptedBy(await proxy.send(queue, { body: String(i) }));
        if (wasAcknowledged) after.push(lane);
      }
    });
    await vi.waitUntil(async () => (await lanes.depths(queue)).canary > 100, PATIENCE);
    await rolledBackAndFenced(lanes, queue);
    acknowledged = true;
    const { canary } = await lanes.depths(queue);
    await vi.waitUntil(() => after.length > 500, PATIENCE);
    ends.abort();
    await Promise.all(producers);
    expect(new Set(after)).toEqual(new Set(['stable']));
    expect((await lanes.depths(queue)).canary).toBe(canary);
  });
});
