import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../helpers/api.ts';
import { LanewiseProcess, temporaryDirectory, type Environment, type Exit } from '../helpers/process.ts';
import { startRedis } from '../helpers/redis.ts';
import { enlist, Standalone } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

/** `lanewise export` and `lanewise import`, as an operator runs them. */

interface Ended extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

async function run(args: readonly string[], environment: Environment): Promise<Ended> {
  await using lanewise = LanewiseProcess.start(args, environment);
  const exit = await lanewise.exited;
  return { ...exit, stdout: lanewise.stdout, stderr: lanewise.stderr };
}

async function overview({ api }: Standalone, ids: readonly string[]) {
  const details = ids.flatMap((id) => [
    api.done('GET', `/deployments/${id}/events`),
    api
      .done('GET', `/deployments/${id}`)
      .then(({ status, current_percent }) => ({ status, current_percent })),
  ]);
  const workers = (await api.done('GET', '/workers')).workers as JsonObject[];
  return {
    deployments: await api.done('GET', '/deployments'),
    details: await Promise.all(details),
    workers: workers.map(({ last_seen: _seen, metrics: _metrics, ...registered }) => registered),
  };
}

describe('a backup', () => {
  test('moves an installation from the embedded store to Redis: deployments, events, workers, routes', async () => {
    await using redis = await startRedis();
    await using stack = new AsyncDisposableStack();
    const first = stack.use(await Standalone.start({ LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring' }));
    await first.api.register({ id: 'w1', version: 'v1', url: 'http://127.0.0.1:9' });
    const ended = await first.api.createDeployment('v1', 'v2', { metadata: { ticket: 'OPS-1' } });
    await first.api.done('POST', `/deployments/${ended}/promote`);
    const active = await first.api.createDeployment('v2', 'v3', { initial_percentage: 12.5 });
    const before = await overview(first, [ended, active]);
    await first.process.end('SIGTERM');

    const exported = await run(['export'], { LANEWISE_DATA_DIR: first.dataDir });
    expect(exported).toMatchObject({ code: 0, stderr: '' });
    const file = join(await temporaryDirectory(stack), 'backup.jsonl');
    await writeFile(file, exported.stdout);
    expect(await run(['import', file], { REDIS_URL: redis.url })).toMatchObject({
      code: 0,
      stdout: 'Imported 2 deployments with their events, and 1 workers.\n',
    });
    const second = stack.use(await Standalone.start({ REDIS_URL: redis.url }));
    expect(await overview(second, [ended, active])).toEqual(before);
    const { queues } = await second.proxy.routes();
    expect(queues).toMatchObject([{ percentage: 12.5, lanes: expect.anything() }]);
    // It goes on from there.
    await second.api.done('POST', `/deployments/${active}/rollback`, { reason: 'moved' });

    const again = await run(['import', file], { REDIS_URL: redis.url });
    expect(again.code).toBe(1);
    expect(again.stderr).toContain(
      'lanewise: the store is not empty: it has deployments, routes or workers.',
    );
  });

  test('of Redis restores into the embedded store what a forgotten promotion and a rollback have left', async () => {
    await using redis = await startRedis();
    await using stack = new AsyncDisposableStack();
    const settings = { LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring' };
    const first = stack.use(await Standalone.start({ ...settings, REDIS_URL: redis.url }));
    for (const version of ['v1', 'v2', 'v3']) {
      const worker = stack.use(await TestWorker.start(version));
      await enlist(first, { id: version, version, url: worker.url });
    }
    const promoted = await first.api.createDeployment('v1', 'v2');
    await first.api.promote(promoted);
    await first.api.done('DELETE', `/deployments/${promoted}`);
    const bad = await first.api.createDeployment('v2', 'v3');
    await first.api.rollBack(bad);
    await first.api.done('DELETE', `/deployments/${bad}`);
    expect(await first.proxy.versionsOf(20)).toEqual(new Set(['v2']));
    await first.process.end('SIGTERM');

    const exported = await run(['export'], { REDIS_URL: redis.url });
    const dataDir = join(await temporaryDirectory(stack), 'data');
    const file = join(await temporaryDirectory(stack), 'backup.jsonl');
    await writeFile(file, exported.stdout);
    expect(await run(['import', file], { LANEWISE_DATA_DIR: dataDir })).toMatchObject({ code: 0 });
    const again = await run(['export'], { LANEWISE_DATA_DIR: dataDir });
    const records = (text: string): readonly string[] => text.split('\n').slice(1).toSorted();
    expect(records(again.stdout)).toEqual(records(exported.stdout));

    // A store that is open serves one process, so the second installation is over Redis once more.
    await redis.client().flushall();
    await writeFile(file, again.stdout);
    expect(await run(['import', file], { REDIS_URL: redis.url })).toMatchObject({ code: 0 });
    const second = stack.use(await Standalone.start({ ...settings, REDIS_URL: redis.url }));
    expect(await second.proxy.versionsOf(20)).toEqual(new Set(['v2']));
  });

  test.each([
    { what: 'no file', text: undefined, says: "can't read the backup" },
    {
      what: 'another file',
      text: '{"name":"lanewise"}\n',
      says: 'this is no backup that Lanewise has written',
    },
    {
      what: 'one of a newer release',
      text: '{"lanewise":"backup","format":2,"taken_at":"2026-01-01T00:00:00.000Z","revision":1}\n',
      says: 'the backup has format 2, of a newer release; this one reads up to 1',
    },
    {
      what: 'one that was cut off',
      text: '{"lanewise":"backup","format":1,"taken_at":"2026-01-01T00:00:00.000Z","revision":1}\n',
      says: 'the backup was cut off: its last line is missing',
    },
    {
      what: 'one with a damaged line',
      text: '{"lanewise":"backup","format":1,"taken_at":"2026-01-01T00:00:00.000Z","revision":1}\n{"worker":{}}\n',
      says: 'line 2 of the backup is damaged',
    },
    {
      what: 'one that has lost a line',
      text: '{"lanewise":"backup","format":1,"taken_at":"2026-01-01T00:00:00.000Z","revision":1}\n{"end":{"deployments":1,"routes":0,"workers":0}}\n',
      says: 'the backup is not as it was written: its last line counts other records',
    },
  ])('is refused with a reason, and nothing is changed: $what', async ({ text, says }) => {
    await using stack = new AsyncDisposableStack();
    const dir = await temporaryDirectory(stack);
    const file = join(dir, 'backup.jsonl');
    if (text !== undefined) await writeFile(file, text);
    const { code, stdout, stderr } = await run(['import', file], { LANEWISE_DATA_DIR: join(dir, 'data') });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(says);
    expect(stderr.trim().split('\n').length).toBeLessThan(8);
    expect(stderr).not.toContain('    at ');
  });
});
