import type { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { LaneRigs, PATIENT, type LaneRig } from './lane-rig.ts';

/** Proxies that route what producers push, who know nothing of them. */

const KINDS = ['list', 'stream'] as const;
type Kind = (typeof KINDS)[number];

const STABLE = 'lanes:jobs';
const CANARY = 'lanes:jobs@canary';

interface Shop {
  readonly rigs: LaneRigs;
  readonly client: Redis;
  readonly one: LaneRig;
  push(...payloads: readonly string[]): Promise<void>;
  /** In one step. */
  pushAll(payloads: readonly string[]): Promise<void>;
  /** What lies in a lane, oldest first. */
  lying(key: string): Promise<readonly string[]>;
  /** Resolves when so many jobs lie in the lanes, and none in the intake. */
  routed(count: number): Promise<void>;
  start(intake?: object): Promise<LaneRig>;
}

async function open(
  kind: Kind,
  intake: object = {},
  isPushed?: (client: Redis) => Promise<void>,
): Promise<Shop> {
  const rigs = await LaneRigs.open(kind);
  onTestFinished(() => rigs[Symbol.asyncDispose]());
  const client = rigs.redis!.client();
  await isPushed?.(client);
  const length = (key: string): Promise<number> => (kind === 'list' ? client.llen(key) : client.xlen(key));
  const start = (over: object = intake): Promise<LaneRig> =>
    rigs.start({
      queue: {
        routing_strategy: kind === 'list' ? 'split_queue' : 'stream_group',
        key_template: 'lanes:{queue}',
        envelope: 'raw',
        intake: { key: 'jobs', ...over },
      },
      settings: { REDIS_URL: rigs.redis!.url },
    });
  const pushAll = async (sent: readonly string[]): Promise<void> => {
    const pipeline = client.pipeline();
    for (const payload of sent)
      if (kind === 'list') pipeline.lpush('jobs', payload);
      else pipeline.xadd('jobs', '*', 'body', payload);
    await pipeline.exec();
  };
  return {
    rigs,
    client,
    one: await start(),
    start,
    push: (...sent) => pushAll(sent),
    pushAll,
    async lying(key) {
      if (kind === 'list') return (await client.lrange(key, 0, -1)).toReversed();
      return (await client.xrange(key, '-', '+')).map(([, [, value]]) => value!);
    },
    async routed(count) {
      await vi.waitUntil(async () => {
        const [left, stable, canary] = await Promise.all(['jobs', STABLE, CANARY].map(length));
        return left === 0 && count === stable! + canary!;
      }, PATIENT);
    },
  };
}

/** In a stream a path begins with the field. */
function at(kind: Kind, path: string): string {
  return kind === 'list' ? path : `body.${path}`;
}

/** Those of them that are in a lane, in the order in which they were sent. */
function asSent(sent: readonly string[], lane: readonly string[]): readonly string[] {
  const there = new Set(lane);
  return sent.filter((payload) => there.has(payload));
}

function payloads(count: number, keys = count): readonly string[] {
  return Array.from({ length: count }, (_, n) =>
    JSON.stringify({ jid: `job-${n}`, args: [{ customer_id: n % keys }] }),
  );
}

describe.each(KINDS)('the intake of a %s', (kind) => {
  it('without a deployment goes to stable, as it is and in order, also what lay there before', async () => {
    const shop = await open(kind, {}, async (client) => {
      if (kind === 'list') await client.lpush('jobs', 'before');
      else await client.xadd('jobs', '*', 'body', 'before');
    });
    await shop.routed(1);
    const sent = ['{"jid": 1}', 'no JSON', 'ünï', ...payloads(1_200)];
    await shop.pushAll(sent);
    await shop.routed(sent.length + 1);
    expect(await shop.lying(STABLE)).toEqual(['before', ...sent]);
    const enqueued = await shop.one.rig.metric('canary_jobs_enqueued_total');
    expect(enqueued.get('queue="jobs",lane="stable",result="routed"')).toBe(sent.length + 1);
  });

  it('is split by the percentage, each key to one lane, and both lanes keep their order', async () => {
    const shop = await open(kind, { sticky_key: at(kind, 'args.0.customer_id'), job_id: at(kind, 'jid') });
    await shop.one.createDeployment({ currentPercent: 25 });
    const sent = payloads(4_000, 2_000);
    await shop.pushAll(sent);
    await shop.routed(sent.length);
    const [stable, canary] = [await shop.lying(STABLE), await shop.lying(CANARY)];
    expect(stable).toEqual(asSent(sent, stable));
    expect(canary).toEqual(asSent(sent, canary));
    const customers = (lane: readonly string[]): ReadonlySet<number> =>
      new Set(lane.map((p) => (JSON.parse(p) as { args: [{ customer_id: number }] }).args[0].customer_id));
    // A quarter of 2,000 customers, ± 5 standard deviations.
    expect(Math.abs(customers(canary).size - 500)).toBeLessThan(5 * Math.sqrt(2_000 * 0.25 * 0.75));
    expect([...customers(canary)].filter((customer) => customers(stable).has(customer))).toEqual([]);
  });

  it('without a path goes by chance, in the same shares', async () => {
    const shop = await open(kind);
    await shop.one.createDeployment({ currentPercent: 25 });
    // The same job again and again, as it may well be pushed.
    await shop.pushAll(Array.from({ length: 2_000 }, () => 'the same'));
    await shop.routed(2_000);
    const canary = (await shop.lying(CANARY)).length;
    expect(Math.abs(canary - 500)).toBeLessThan(5 * Math.sqrt(2_000 * 0.25 * 0.75));
  });

  it('is routed by several proxies at once, each job once', async () => {
    const shop = await open(kind, { sticky_key: at(kind, 'args.0.customer_id') });
    await shop.one.createDeployment({ currentPercent: 50 });
    const others = [await shop.start(), await shop.start()];
    const sent = payloads(3_000);
    for (let first = 0; first < sent.length; first += 100) await shop.pushAll(sent.slice(first, first + 100));
    // Who has the turn goes in the middle of it.
    await shop.one.rig.proxy.close(0);
    await shop.routed(sent.length);
    const [stable, canary] = [await shop.lying(STABLE), await shop.lying(CANARY)];
    expect([...stable, ...canary].toSorted()).toEqual(sent.toSorted());
    expect(stable).toEqual(asSent(sent, stable));
    expect(others).toHaveLength(2);
  });

  it('puts what can not be read into stable, and counts it, and what comes behind is not held up', async () => {
    const shop = await open(kind, { sticky_key: at(kind, 'jid') });
    await shop.one.createDeployment({ currentPercent: 100 });
    await shop.push('not JSON', '{"jid":"a"}', '{"jid":', '{"no":"jid"}', '\u0000', '');
    await shop.routed(6);
    expect(await shop.lying(STABLE)).toEqual(['not JSON', '{"jid":', '\u0000', '']);
    expect(await shop.lying(CANARY)).toEqual(['{"jid":"a"}', '{"no":"jid"}']);
    const enqueued = await shop.one.rig.metric('canary_jobs_enqueued_total');
    expect(enqueued.get('queue="jobs",lane="stable",result="unreadable"')).toBe(4);
    expect(enqueued.get('queue="jobs",lane="canary",result="routed"')).toBe(2);
  });

  it('runs a job again whose id comes again, as a retry of its own does', async () => {
    const shop = await open(kind, { job_id: at(kind, 'jid') });
    await shop.push('{"jid":"a"}');
    await shop.routed(1);
    await shop.push('{"jid":"a"}');
    await shop.routed(2);
    expect(await shop.lying(STABLE)).toEqual(['{"jid":"a"}', '{"jid":"a"}']);
  });

  it('whose key holds something else is routed as soon as that is gone', async () => {
    const shop = await open(kind, {}, async (client) => void (await client.set('jobs', 'text')));
    expect(await shop.client.get('jobs')).toBe('text');
    await shop.client.del('jobs');
    await shop.push('a');
    await shop.routed(1);
    expect(await shop.lying(STABLE)).toEqual(['a']);
  });

  it('routes by the routes that a fence tells of, and nothing to the canary by those before', async () => {
    const shop = await open(kind);
    const deployment = await shop.one.createDeployment({ currentPercent: 100 });
    await shop.push('a');
    await shop.routed(1);
    await shop.one.rig.rollBack(deployment);
    const { epoch, revision } = shop.one.rig.proxy.table;
    await shop.one.store.fenceQueue(shop.one.queue(), undefined, { epoch, revision });
    await shop.push('b');
    await shop.routed(2);
    expect(await shop.lying(CANARY)).toEqual(['a']);
    expect(await shop.lying(STABLE)).toEqual(['b']);
  });
});
