import { afterAll, describe, expect, test } from 'vitest';
import { laneSettingsOf } from '../../../config/lane-queues.ts';
import { aConsumer, anAttempt, takeNow } from '../../runtime/store/lane-fixture.ts';
import { INSTANT } from '../documented.ts';
import { closeRedis, embedded, onRedis, redisServer } from '../judge/court.ts';
import { refusal } from '../refusal.ts';
import { ids, KINDS, openRig, QUEUE, type LaneRig } from './rig.ts';
import type { QueueJob } from '../../../src/core/queue-job.ts';

afterAll(closeRedis);

const DEAD = `/queues/${encodeURIComponent(QUEUE)}/dead`;
const EMBEDDED = { open: embedded, strategy: 'split_queue' } as const;

/** Jobs that died, in this order. */
async function kill(rig: LaneRig, count: number, over: Partial<QueueJob> = {}): Promise<QueueJob[]> {
  const jobs = await rig.put('canary', count, over);
  const consumer = aConsumer(rig.calm);
  for (const job of await takeNow(consumer, rig.lanes, 'canary')) {
    await consumer.bury(job, { reason: 'failed 5 times', ended: anAttempt({ message: 'out of stock' }) });
  }
  return jobs;
}

describe('GET /queues', () => {
  test('has every queue that a route, a worker or the configuration knows, with what waits in it', async () => {
    const settings = { ...laneSettingsOf({}, ''), routing_strategy: 'hash_ring' as const };
    const rig = await openRig(EMBEDDED, { queues: { configured: settings } });
    await rig.deploy();
    await rig.control.call('POST', '/workers', { id: 'w', version: 'v1', queues: ['served'] });
    await rig.put('stable', 2, { enqueuedAt: rig.clock.now() - 1500 });
    await kill(rig, 1);
    const { status, body } = await rig.control.call('GET', '/queues', undefined, 'viewer');
    expect(status).toBe(200);
    const empty = { waiting: 0, delayed: 0, in_flight: 0, oldest_age_seconds: null };
    expect(body).toEqual({
      queues: [
        { name: 'configured', strategy: 'hash_ring', lanes: null, dead: null },
        { name: 'served', strategy: 'split_queue', lanes: { stable: empty, canary: empty }, dead: 0 },
        {
          name: QUEUE,
          strategy: 'split_queue',
          lanes: { stable: { ...empty, waiting: 2, oldest_age_seconds: 1.5 }, canary: empty },
          dead: 1,
        },
      ],
      count: 3,
    });
    const page = await rig.control.call('GET', '/queues?page=2&page_size=2');
    expect(page.body).toMatchObject({
      data: [{ name: QUEUE }],
      pagination: { page: 2, total_items: 3, has_next: false, has_prev: true },
    });
  });

  test('shows one that cannot be read with the reason, and the others all the same', async () => {
    const rig = await openRig({ open: onRedis, strategy: 'split_queue' });
    await rig.deploy();
    await rig.deploy({ queue_name: 'other' });
    await (await redisServer()).client().set(QUEUE, 'of somebody else');
    const { body } = await rig.control.call('GET', '/queues');
    expect(body.queues).toMatchObject([
      { name: 'other', dead: 0 },
      { name: QUEUE, lanes: null, dead: null, problem: expect.stringContaining('holds a string') as string },
    ]);
    const refused = await rig.control.call('POST', `${DEAD}/requeue`, { all: true });
    // There is nothing to put back, so nobody has noticed; a list of the dead doesn't need the lanes at all.
    expect(refused.status).toBe(200);
    await (await redisServer()).client().set(`${QUEUE}:dead`, 'of somebody else');
    for (const answer of [
      await rig.control.call('GET', DEAD),
      await rig.control.call('POST', `${DEAD}/requeue`, { all: true }),
      await rig.control.call('DELETE', DEAD, { all: true }),
    ]) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'QUEUE_UNAVAILABLE' } });
    }
  });
});

describe.each(KINDS)('the dead, $strategy on the $store store', (kind) => {
  test('are listed latest first, each with its story', async () => {
    const rig = await openRig(kind);
    await rig.deploy();
    const [job] = await kill(rig, 1, { tenant: 'acme', body: Buffer.from('{"amount":1}') });
    const { status, body } = await rig.control.call('GET', DEAD, undefined, 'viewer');
    expect(status).toBe(200);
    expect(body).toEqual({
      data: [
        {
          id: expect.any(String) as string,
          at: INSTANT,
          lane: 'canary',
          reason: 'failed 5 times',
          job_id: job!.id,
          key: job!.key,
          tenant_id: 'acme',
          enqueued_at: INSTANT,
          attempts: 1,
          history: [
            { at: INSTANT, version: 'v1.2.0', outcome: 'failure', status: 500, message: 'out of stock' },
          ],
          body: '{"amount":1}',
          body_encoding: 'utf-8',
          body_bytes: 12,
          body_truncated: false,
        },
      ],
      pagination: {
        page: 1,
        page_size: 10,
        total_pages: 1,
        total_items: 1,
        has_next: false,
        has_prev: false,
      },
    });
    await kill(rig, 24);
    const page = await rig.control.call('GET', `${DEAD}?page=3`);
    expect(page.body.pagination).toMatchObject({ total_items: 25, total_pages: 3, has_next: false });
    expect(page.body.data).toHaveLength(5);
    expect(page.body.data[4].job_id).toBe(job!.id);
  });

  test('pages are full, however large the jobs are, and show the beginning of their bodies', async () => {
    const rig = await openRig(kind);
    await rig.deploy();
    const body = Buffer.alloc(3 * 1024 * 1024, 'é');
    for (let i = 0; i < 8; i++) await kill(rig, 1, { body });
    const page = await rig.control.call('GET', DEAD);
    expect(page.body.data).toHaveLength(8);
    for (const job of page.body.data) {
      expect(job).toMatchObject({ body_bytes: body.length, body_truncated: true, body_encoding: 'utf-8' });
      expect(job.body).toBe('é'.repeat(8 * 1024));
    }
  });

  test('a body that is not UTF-8 is shown in base64', async () => {
    const rig = await openRig(kind);
    await rig.deploy();
    await kill(rig, 1, { body: Buffer.from([0xff, 0x00]) });
    expect((await rig.control.call('GET', DEAD)).body.data).toMatchObject([
      { body: '/wA=', body_encoding: 'base64', body_bytes: 2, body_truncated: false },
    ]);
  });

  test('begin anew where one says so, all of them or those that are named', async () => {
    const rig = await openRig(kind);
    await rig.deploy();
    const jobs = await kill(rig, 5);
    const { body } = await rig.control.call('GET', DEAD);
    const chosen = body.data.slice(0, 2).map(({ id }: { id: string }) => id) as string[];
    const requeued = await rig.control.call('POST', `${DEAD}/requeue`, {
      ids: [...chosen, 'nobody', chosen[0]],
      lane: 'canary',
    });
    expect(requeued).toMatchObject({ status: 200, body: { success: true, count: 2 } });
    expect((await rig.takeAll('canary')).toSorted()).toEqual(ids(jobs.slice(3)).toSorted());
    const rest = await rig.control.call('POST', `${DEAD}/requeue`, { all: true });
    expect(rest.body).toEqual({ success: true, count: 3 });
    expect(await rig.takeAll('stable')).toEqual(ids(jobs.slice(0, 3)));
    expect((await rig.control.call('GET', DEAD)).body.pagination.total_items).toBe(0);
  });

  test('are dropped where one says so', async () => {
    const rig = await openRig(kind);
    await rig.deploy();
    await kill(rig, 3);
    const { body } = await rig.control.call('GET', DEAD);
    const dropped = await rig.control.call('DELETE', DEAD, { ids: [body.data[0].id] });
    expect(dropped).toMatchObject({ status: 200, body: { success: true, count: 1 } });
    expect((await rig.control.call('DELETE', DEAD, { all: true })).body.count).toBe(2);
    expect((await rig.control.call('DELETE', DEAD, { all: true })).body.count).toBe(0);
    expect(await rig.counts('stable')).toMatchObject({ waiting: 0 });
  });
});

test('one that cannot be read has a place, a time and a reason, and nothing else', async () => {
  const rig = await openRig({ open: onRedis, strategy: 'split_queue' });
  await rig.deploy();
  await (await redisServer()).client().lpush(`${QUEUE}@canary`, '{"v":9}');
  const consumer = aConsumer(rig.calm);
  const [job] = await takeNow(consumer, rig.lanes, 'canary');
  await consumer.bury(job!, { reason: 'unreadable' });
  expect((await rig.control.call('GET', DEAD)).body.data).toMatchObject([
    { lane: 'canary', reason: 'unreadable', job_id: null, body: null, attempts: null, history: [] },
  ]);
});

test('a queue without a deployment has nobody to read its canary lane', async () => {
  const rig = await openRig(EMBEDDED);
  await kill(rig, 1);
  const refused = await rig.control.call('POST', `${DEAD}/requeue`, { all: true, lane: 'canary' });
  expect(refused).toEqual(refusal(400, 'VALIDATION_FAILED', ['lane']));
  expect((await rig.control.call('POST', `${DEAD}/requeue`, { all: true })).body.count).toBe(1);
});

test('a queue that is hash_ring by now can have its old dead listed and dropped, not requeued', async () => {
  const settings = { ...laneSettingsOf({}, QUEUE), routing_strategy: 'hash_ring' as const };
  const rig = await openRig({ open: embedded, strategy: 'stream_group' }, { queues: { [QUEUE]: settings } });
  await kill(rig, 2);
  expect((await rig.control.call('GET', DEAD)).body.data).toHaveLength(2);
  const refused = await rig.control.call('POST', `${DEAD}/requeue`, { all: true });
  expect(refused).toEqual(refusal(400, 'VALIDATION_FAILED', ['queue']));
  expect((await rig.control.call('DELETE', DEAD, { all: true })).body.count).toBe(2);
});

describe('who may', () => {
  test('read: viewers; change: operators; tenants and workers neither', async () => {
    const rig = await openRig(EMBEDDED);
    const requeue = `${DEAD}/requeue`;
    const all = { all: true };
    for (const [method, path, body, who, status] of [
      ['GET', '/queues', undefined, 'nobody', 401],
      ['GET', '/queues', undefined, 'worker', 403],
      ['GET', '/queues', undefined, 'acme', 200],
      ['GET', DEAD, undefined, 'worker', 403],
      ['GET', DEAD, undefined, 'acme', 403],
      ['GET', DEAD, undefined, 'viewer', 200],
      ['POST', requeue, all, 'viewer', 403],
      ['POST', requeue, all, 'acme', 403],
      ['POST', requeue, all, 'operator', 200],
      ['DELETE', DEAD, all, 'viewer', 403],
      ['DELETE', DEAD, all, 'acme', 403],
      ['DELETE', DEAD, all, 'admin', 200],
    ] as const) {
      expect([method, path, who, (await rig.control.call(method, path, body, who)).status]).toEqual([
        method,
        path,
        who,
        status,
      ]);
    }
  });
});

describe('what is refused', () => {
  test.each<[string, unknown, readonly string[]]>([
    ['neither ids nor all', {}, ['ids']],
    ['no body', undefined, ['ids']],
    ['both', { ids: ['1'], all: true }, ['ids']],
    ['no ids', { ids: [] }, ['ids']],
    ['too many ids', { ids: Array.from({ length: 1001 }, String) }, ['ids']],
    ['ids that are no text', { ids: [1] }, ['ids[0]']],
    ['an empty id', { ids: [''] }, ['ids[0]']],
    ['a list that is none', { ids: '1' }, ['ids']],
    ['all: false', { all: false }, ['all']],
    ['what nobody knows', { all: true, force: true }, ['force']],
    ['no object', [], ['body']],
    ['no JSON', 'all', ['body']],
  ])('%s', async (_name, body, fields) => {
    const rig = await openRig(EMBEDDED);
    await kill(rig, 1);
    for (const [method, path] of [
      ['DELETE', DEAD],
      ['POST', `${DEAD}/requeue`],
    ] as const) {
      const answer = await rig.control.call(method, path, body);
      expect(answer).toEqual(refusal(400, 'VALIDATION_FAILED', [...fields]));
    }
    expect((await rig.control.call('GET', DEAD)).body.pagination.total_items).toBe(1);
  });

  test.each([
    ['a lane that is none', 'POST', `${DEAD}/requeue`, { all: true, lane: 'fast' }, ['lane']],
    ['a lane to drop from', 'DELETE', DEAD, { all: true, lane: 'stable' }, ['lane']],
    ['a queue that cannot be one', 'GET', '/queues/a%20b/dead', undefined, ['queue']],
    ['a queue that cannot be one', 'DELETE', '/queues/a%20b/dead', { all: true }, ['queue']],
    ['a page that is none', 'GET', `${DEAD}?page=0`, undefined, ['page']],
    ['a page that is too large', 'GET', `${DEAD}?page_size=101`, undefined, ['page_size']],
    ['a parameter that nobody knows', 'GET', `${DEAD}?limit=5`, undefined, ['limit']],
    ['a parameter that nobody knows', 'GET', '/queues?dead=1', undefined, ['dead']],
  ] as const)('%s: %s %s', async (_name, method, path, body, fields) => {
    const rig = await openRig(EMBEDDED);
    const answer = await rig.control.call(method, path, body);
    expect(answer).toEqual(refusal(400, 'VALIDATION_FAILED', [...fields]));
  });
});
