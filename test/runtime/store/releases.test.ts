import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { BOUNDED_LOAD_DEFAULT } from '../../../src/core/pool.ts';
import { RoutingTable } from '../../../src/core/routing-table.ts';
import { decodeEventMessage } from '../../../src/runtime/store/event-message.ts';
import { channelsOf, KEYS } from '../../../src/runtime/store/redis/keys.ts';
import { decodeUpdate } from '../../../src/runtime/store/route-message.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import { aConsumer, idsOf, takeNow } from './lane-fixture.ts';
import { asRecorded, RELEASE_0_1, restore, withNews } from './recorded/recording.ts';
import { openTestStore } from './redis-fixture.ts';
import { setPercentage } from './samples.ts';

/** Releases that are one minor version apart run side by side on one Redis: each reads what the other has written. */

const { ids, messages, keys } = RELEASE_0_1;

const WRITERS = [
  ['release 0.1', asRecorded],
  ['a later release that knows more fields', withNews],
] as const;

describe.each(WRITERS)('what %s has written', (_writer, rewrite) => {
  let server: RedisServer;
  let store: Store;
  let lines: Record<string, unknown>[];

  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  beforeEach(async () => {
    await server.client().flushall();
    await restore(server.client(), RELEASE_0_1, rewrite);
    lines = [];
    store = openTestStore(server.url, lines);
    onTestFinished(() => store.close());
  });

  it('is read: deployments in their order, events, workers and what they did', async () => {
    const deployments = await store.listDeployments();
    expect(deployments.map(({ id, status, currentPercent }) => [id, status, currentPercent])).toEqual([
      [ids.lists, 'active', 30],
      [ids.tenant, 'paused', 50],
      [ids.open, 'active', 12.5],
      [ids.bad, 'failed', 0],
      [ids.first, 'completed', 100],
    ]);
    expect((await store.listEvents(ids.bad)).map(({ type }) => type)).toEqual([
      'deployment_rolled_back',
      'deployment_created',
    ]);
    expect((await store.listWorkers()).map(({ id, version }) => [id, version])).toEqual([
      ['canary-1', 'v1.4.0'],
      ['stable-1', 'v1.3.0'],
    ]);
    expect((await store.listActivity()).get('stable-1')).toMatchObject({ processed: 33, failed: 0 });
    expect(store.damagedRecords()).toEqual([]);
    expect(lines.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });

  it('is routed by: percentages, and what was replaced and rolled back', async () => {
    const { routes, unreadable } = await store.readSnapshot();
    expect(unreadable).toBeUndefined();
    expect(routes.toSorted((a, b) => a.revision - b.revision)).toMatchObject([
      {
        queue: 'payments',
        stableVersion: 'v1.3.0',
        superseded: ['v1.2.0'],
        rejected: ['v1.3.1'],
        split: { canaryVersion: 'v1.4.0', percentage: 12.5, sticky: true },
      },
      { queue: 'payments', tenant: 'acme', split: { percentage: 50 } },
      { queue: 'mails', strategy: 'split_queue', split: { percentage: 30 } },
    ]);
  });

  it('is judged by: telemetry of the step, and what was made of it before', async () => {
    const { lanes } = await store.readStep(ids.open, 1);
    expect([lanes.stable.routed, lanes.canary.routed]).toEqual([33, 7]);
    expect(await store.readJudgement(ids.open)).toMatchObject({ step: 1, status: 'unknown' });
  });

  it('is worked off: jobs in both lanes, each known by its id', async () => {
    const queue = { name: 'mails', kind: 'list' } as const;
    const consumer = aConsumer(store);
    expect(idsOf(await takeNow(consumer, queue, 'stable'))).toEqual(['job-0', 'job-2']);
    expect(idsOf(await takeNow(consumer, queue, 'canary'))).toEqual(['job-1']);
  });

  it('is changed without losing what this release does not know', async () => {
    const before = await server.client().hget(KEYS.deployments, ids.open);
    const deployment = await store.getDeployment(ids.open);
    expect(await setPercentage(store, deployment!, 20)).toMatchObject({ kind: 'saved', revision: 12 });
    const count = (text: string | null): number => text!.split('of_a_later_release').length;
    expect(count(await server.client().hget(KEYS.deployments, ids.open))).toBe(count(before));
    expect(count(await server.client().hget(KEYS.routes, 'payments'))).toBe(
      count(rewrite((keys[KEYS.routes] as { hash: Record<string, string> }).hash['payments']!)),
    );
  });

  it('is counted: a proxy that reports more than its revision is one that has applied it', async () => {
    await server.client().zadd(KEYS.leases, Date.now() + 600_000, 'proxy_later');
    await server.client().hset(KEYS.reports, 'proxy_later', 'epoch 11 and more');
    expect(await store.listReports()).toContainEqual({
      proxyId: 'proxy_later',
      epoch: 'epoch',
      revision: 11,
    });
  });

  it('is published: the messages, one by one, make of nothing the routes that are stored', async () => {
    const table = new RoutingTable({
      endpointOf: (worker) => ({ worker, takesJobs: true, usable: true, share: 1, inFlight: 0 }),
      policyOf: () => ({
        strategy: undefined,
        strategyDefault: 'hash_ring',
        laneOverride: false,
        boundedLoad: BOUNDED_LOAD_DEFAULT,
      }),
    });
    const { routes, workers } = await store.readSnapshot();
    const epoch = keys[KEYS.epoch] as string;
    table.replace({ epoch, revision: 0, routes: [], workers: [] });
    const of = (channel: string) =>
      messages.filter(([name]) => name === channel).map(([, text]) => rewrite(text));
    table.apply(of(channelsOf(0).routes).map(decodeUpdate));
    expect(table.revision).toBe(11);
    expect(new Set(table.snapshot().routes)).toEqual(new Set(routes));
    expect(new Set(table.snapshot().workers)).toEqual(new Set(workers));
    const events = of(channelsOf(0).events).map(decodeEventMessage);
    expect(events.filter(({ kind }) => kind === 'event').length).toBeGreaterThan(5);
  });
});
