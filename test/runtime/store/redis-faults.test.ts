import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { KEYS, channelsOf } from '../../../src/runtime/store/redis/keys.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { takeBackup } from '../../../src/runtime/store/take-backup.ts';
import { freePort } from '../../helpers/ports.ts';
import { startRedis } from '../../helpers/redis.ts';
import { eventually, recordUp } from './recorder.ts';
import { openTestStore } from './redis-fixture.ts';
import { aDeployment, aJudgement, anEvent, aWorker, create, leaseOf, promote } from './samples.ts';
import { delta, exact } from './totals.ts';

/** A store that is closed with the test, and its log. */
function open(url: string): { store: Store; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const store = openTestStore(url, lines);
  onTestFinished(() => store.close());
  return { store, lines };
}

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE' };

async function answersAgain(store: Store): Promise<void> {
  await eventually(() =>
    store.ping().then(
      () => true,
      () => false,
    ),
  );
}

/** What it rejects with. */
async function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('the Redis store, when Redis', () => {
  it('was written by a newer release, is left alone, and is used once it is not', async () => {
    await using server = await startRedis();
    const { store: first } = open(server.url);
    await create(first, aDeployment());
    const operator = new Redis(server.url);
    onTestFinished(() => operator.disconnect());
    expect(await operator.get(KEYS.schema)).toBe('1');
    await operator.set(KEYS.schema, '2');

    const { store, lines } = open(server.url);
    const refusal = {
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('was written by a newer Lanewise (schema 2; this one reads up to 1)'),
    };
    await expect(store.ping()).rejects.toMatchObject(refusal);
    await expect(create(store, aDeployment({ queue: 'mails' }))).rejects.toMatchObject(refusal);
    expect(await first.listDeployments()).toHaveLength(1);
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'Redis is not used', reason: refusal.message }),
    );

    await operator.set(KEYS.schema, '1');
    await operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await answersAgain(store);
    expect(await store.listDeployments()).toHaveLength(1);
  });

  it('restarts, keeps everything that was answered, under a new epoch', async () => {
    await using server = await startRedis({ persistent: true });
    const { store } = open(server.url);
    const deployment = aDeployment();
    await create(store, deployment);
    const ended = await promote(store, deployment);
    const worker = aWorker();
    await store.saveWorker(worker, 0);
    const [part, judgement, fence] = [delta([1, 2, 3]), aJudgement(), await leaseOf(store, 'judge')];
    await store.recordTelemetry(deployment.id, 2, part);
    const event = anEvent(deployment.id, 'judged');
    const saving = { deploymentId: deployment.id, judgement, fence, events: [event] };
    await store.saveJudgement({ ...saving, notices: [{ id: 'notice', webhook: 'ops', event }] });
    const before = await store.readSnapshot();
    await server.kill();
    await server.start();
    await answersAgain(store);
    const after = await store.readSnapshot();
    // What Redis lost, if its disk is slower than its answers, must not pass for what it has now.
    expect(after).toEqual({ ...before, epoch: after.epoch });
    expect(after.epoch).not.toBe(before.epoch);
    expect(await store.readHead()).toEqual({ epoch: after.epoch, revision: 3 });
    expect(await store.getDeployment(deployment.id)).toEqual(ended);
    expect(await store.listEvents(deployment.id)).toHaveLength(2);
    expect(await store.listWorkers()).toEqual([worker]);
    expect(await create(store, aDeployment())).toEqual({ kind: 'saved', revision: 4 });
    expect(exact((await store.readStep(deployment.id, 2)).lanes)).toEqual(exact(part));
    expect(exact(await store.readTelemetry(deployment.id, 60_000))).toEqual(exact(part));
    expect(await store.readJudgement(deployment.id)).toEqual(judgement);
    expect(await store.takeNotices(10, 60_000)).toMatchObject([{ id: 'notice', attempt: 1 }]);
    expect(await store.claimJudgeLease('judge', 60_000)).toBe(fence);
    expect(await store.claimJudgeLease('another', 60_000)).toBeUndefined();
  });

  it('is killed: calls reject at once, and everything goes on when it is back', async () => {
    await using server = await startRedis();
    const { store, lines } = open(server.url);
    await using recorder = await recordUp(store);
    await store.saveWorker(aWorker(), 0);
    await eventually(() => recorder.updates.length === 1);
    await server.kill();
    await eventually(() => recorder.calls.includes('down'));
    // Until the broken connection has been noticed, each call says that it was lost.
    await eventually(async () => String(await errorOf(store.ping())).includes('ECONNREFUSED'));
    for (let i = 0; i < 4; i++) {
      const error = await errorOf(store.readSnapshot());
      expect(error).toMatchObject({ ...UNAVAILABLE, message: expect.stringContaining('ECONNREFUSED') });
      expect((error as Error).cause).toBeInstanceOf(Error);
    }
    await server.start();
    await eventually(() => recorder.calls.length === 3);
    expect(recorder.calls).toEqual(['up', 'down', 'up']);
    await answersAgain(store);
    await store.saveWorker(aWorker(), 0);
    await eventually(() => recorder.updates.length === 2);
    // Lines for changes, none for attempts.
    const messages = lines.map((line) => line['msg']);
    expect(messages.filter((m) => m === 'Redis is not connected')).toHaveLength(1);
    expect(messages.filter((m) => m === 'Redis is connected')).toHaveLength(2);
    expect(messages.filter((m) => m === 'subscription lost')).toHaveLength(1);
    expect(messages.filter((m) => m === 'subscribed')).toHaveLength(2);
  });

  it('is killed under calls: each is answered or rejected, none is sent twice', async () => {
    await using server = await startRedis({ persistent: true });
    const { store } = open(server.url);
    await store.ping();
    const workers = Array.from({ length: 400 }, () => aWorker());
    const saving = workers.slice(0, 200).map((worker) => store.saveWorker(worker, 0));
    await saving[0];
    // Some are answered by now, some are not; these it never gets to read.
    server.pause();
    saving.push(...workers.slice(200).map((worker) => store.saveWorker(worker, 0)));
    const ended = Promise.allSettled(saving);
    await server.kill();
    // They do not wait for the next connection, which could only send them again.
    const results = await ended;
    await server.start();
    await answersAgain(store);
    const stored = new Set((await store.listWorkers()).map((w) => w.id));
    for (const [i, result] of results.entries()) {
      // One that was sent again would have come too late for itself: `stale`.
      if (result.status === 'fulfilled') expect(result.value.kind).toBe('saved');
      else expect(result.reason).toMatchObject(UNAVAILABLE);
      if (result.status === 'fulfilled') expect(stored.has(workers[i]?.id ?? '')).toBe(true);
    }
    expect(new Set(results.slice(200).map((r) => r.status))).toEqual(new Set(['rejected']));
    expect(await store.readHead()).toMatchObject({ revision: stored.size });
  });

  it('is not there yet when the process starts, comes later', async () => {
    await using server = await startRedis();
    await server.stop();
    const { store } = open(server.url);
    const error = await errorOf(store.ping());
    expect(error).toMatchObject(UNAVAILABLE);
    const up = recordUp(store);
    await server.start();
    await using recorder = await up;
    expect(recorder.calls).toEqual(['up']);
    await answersAgain(store);
  });

  it('stalls: calls reject after two seconds, a silent subscription is found out', async () => {
    await using server = await startRedis();
    const { store } = open(server.url);
    await using recorder = await recordUp(store);
    await store.ping();
    server.pause();
    const error = await errorOf(store.readHead());
    expect(error).toMatchObject({
      ...UNAVAILABLE,
      message: expect.stringContaining('no answer within 2000 ms'),
    });
    await eventually(() => recorder.calls.includes('down'));
    server.resume();
    await eventually(() => recorder.calls.length === 3);
    expect(recorder.calls).toEqual(['up', 'down', 'up']);
    await answersAgain(store);
  });

  it('is where nobody listens: says so without the password', async () => {
    const port = await freePort();
    const { store, lines } = open(`redis://ops:hunter2@127.0.0.1:${port}/3`);
    await expect(store.ping()).rejects.toMatchObject({
      ...UNAVAILABLE,
      message: expect.stringContaining(`redis://***@127.0.0.1:${port}/3`),
    });
    await eventually(() => lines.length > 0);
    expect(JSON.stringify(lines)).not.toContain('hunter2');
  });

  it('refuses the password or wants one: says so, and names no secret', async () => {
    await using server = await startRedis({ password: 'right-secret' });
    const at = `127.0.0.1:${server.port}`;
    for (const url of [`redis://:wrong-secret@${at}`, `redis://${at}`]) {
      const { store, lines } = open(url);
      const error = await errorOf(store.ping());
      expect(error).toMatchObject({
        ...UNAVAILABLE,
        message: expect.stringMatching(/refused the password.*check the credentials in REDIS_URL/),
      });
      const printed = JSON.stringify([lines, (error as Error).message, (error as Error).cause]);
      expect(printed).not.toContain('secret');
    }
    const { store } = open(`redis://:right-secret@${at}`);
    await store.ping();
  });

  it('is flushed: a new epoch begins, and a subscriber can tell by the next update', async () => {
    await using server = await startRedis();
    const { store } = open(server.url);
    await using recorder = await recordUp(store);
    await store.saveWorker(aWorker(), 0);
    await store.saveWorker(aWorker(), 0);
    const { epoch } = await store.readHead();
    await server.client().flushall();
    await store.saveWorker(aWorker(), 0);
    await eventually(() => recorder.updates.length === 3);
    const head = await store.readHead();
    expect(head.epoch).not.toBe(epoch);
    expect(head.revision).toBe(1);
    expect(recorder.updates.map((u) => u.epoch)).toEqual([epoch, epoch, head.epoch]);
  });

  it('is flushed, or fails over to a replica that lags: no fence of the judge is given a second time', async () => {
    await using server = await startRedis();
    const { store } = open(server.url);
    await leaseOf(store, 'a');
    await store.releaseJudgeLease('a');
    const fence = await leaseOf(store, 'b');
    await server.client().flushall();
    expect(await leaseOf(store, 'c')).toBeGreaterThan(fence);
  });

  it('holds a notice that can not be read: it is logged and dropped, the others are given out', async () => {
    await using server = await startRedis();
    const { store, lines } = open(server.url);
    const deployment = aDeployment();
    await create(store, deployment);
    const ids = ['bad', 'gone', 'good'];
    await store.saveDeployment({
      deployment: { ...deployment, version: 2 },
      expectedVersion: 1,
      events: [],
      notices: ids.map((id) => ({ id, webhook: 'ops', event: anEvent(deployment.id, id) })),
    });
    await server.client().hset(KEYS.notices, 'bad', '0 {"id":7}');
    await server.client().hdel(KEYS.notices, 'gone');
    expect((await store.takeNotices(10, 0)).map(({ id }) => id)).toEqual(['good']);
    expect(lines.filter((line) => line['msg'] === 'an unreadable notice was dropped')).toHaveLength(1);
    await store.settleNotice('good');
    const left = [KEYS.notices, KEYS.noticesDue, KEYS.noticesOrder];
    expect(await server.client().exists(...left)).toBe(0);
  });

  it('has evicted the revision: counting goes on above every route, under a new epoch', async () => {
    await using server = await startRedis();
    const { store } = open(server.url);
    await create(store, aDeployment({ queue: 'a' }));
    await create(store, aDeployment({ queue: 'b' }));
    const { epoch } = await store.readHead();
    await server.client().del(KEYS.revision);
    expect(await create(store, aDeployment({ queue: 'c' }))).toEqual({ kind: 'saved', revision: 3 });
    expect((await store.readHead()).epoch).not.toBe(epoch);
  });

  it('holds a damaged record: what needs it rejects, and lists go without, which is said once', async () => {
    await using server = await startRedis();
    const { store, lines } = open(server.url);
    await create(store, aDeployment({ id: 'canary_bad' }));
    await create(store, aDeployment({ id: 'canary_good', queue: 'mails' }));
    const damaged = { code: 'INTERNAL', message: expect.stringMatching(/deployment canary_bad is damaged/) };
    for (const record of ['1 active payments {"id":7}', '1 active payments not json', 'x']) {
      await server.client().hset(KEYS.deployments, 'canary_bad', record);
      await expect(store.getDeployment('canary_bad')).rejects.toMatchObject(damaged);
      expect((await store.listDeployments()).map(({ id }) => id)).toEqual(['canary_good']);
    }
    await store.listDeployments({ status: 'active' });
    const left = lines.filter(({ msg }) => String(msg).startsWith('a damaged record is left out'));
    expect(left.length).toBeGreaterThan(0);
    expect(left.length).toBeLessThanOrEqual(3);
    expect(store.damagedRecords()).toEqual([expect.stringContaining('deployment canary_bad is damaged')]);
    expect(await store.getDeployment('canary_good')).toMatchObject({ queue: 'mails' });
    await server.client().hset(KEYS.routes, 'payments', 'no revision');
    const { routes, unreadable } = await store.readSnapshot();
    expect(routes.map(({ queue }) => queue)).toEqual(['mails']);
    expect(unreadable).toEqual({ scopes: ['payments'], workers: [] });
    for await (const some of store.walkRoutes()) expect(some.map(({ queue }) => queue)).toEqual(['mails']);
    await expect(takeBackup(store)).rejects.toThrow(/the stored route payments is damaged/);
    expect(await store.getRoute('mails')).toMatchObject({ queue: 'mails' });
    // Somebody else's key in our place.
    await server.client().set(KEYS.workers, 'text');
    await expect(store.listWorkers()).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining(`holds a string under the key ${KEYS.workers}`),
    });
  });

  it('passes on rubbish: it is logged and ignored, what follows is heard', async () => {
    await using server = await startRedis();
    const { store, lines } = open(server.url);
    await using recorder = await recordUp(store);
    for (const message of ['', 'rubbish', 'e 1 route {}', 'e 1 flight {}', 'e one worker_removed "w"']) {
      await server.client().publish(channelsOf(0).routes, message);
    }
    await server.client().publish(channelsOf(0).routes, 'x'.repeat(17 * 1024 * 1024));
    await store.saveWorker(aWorker(), 0);
    await eventually(() => recorder.updates.length > 0);
    expect(recorder.revisions).toEqual([1]);
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'a message that is too long was passed over' }),
    );
    expect(lines.filter((line) => line['msg'] === 'an unreadable route update was ignored')).toHaveLength(5);
  });

  it('serves two databases: what is in one is not heard in the other', async () => {
    await using server = await startRedis();
    const { store: zero } = open(server.url);
    const { store: one } = open(`${server.url}/1`);
    await using recorder = await recordUp(one);
    await zero.saveWorker(aWorker(), 0);
    await one.saveWorker(aWorker({ id: 'in-one' }), 0);
    await eventually(() => recorder.updates.length > 0);
    expect(recorder.updates).toHaveLength(1);
    expect((await one.listWorkers()).map((w) => w.id)).toEqual(['in-one']);
    expect(recorder.updates[0]?.epoch).toBe((await one.readHead()).epoch);
  });
});
