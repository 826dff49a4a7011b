import { mkdir, mkdtemp, readFile, rm, stat, writeFile, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Clock } from '../../../src/core/clock.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { openEmbeddedStore } from '../../../src/runtime/store/sqlite/embedded-store.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { describeStoreContract } from './contract.ts';
import { eventually, recordUp } from './recorder.ts';
import { BUCKET_MS, STEP_KEPT_MS } from '../../../src/runtime/store/telemetry-store.ts';
import { aDeployment, aJudgement, anEvent, aWorker, create, leaseOf, promote } from './samples.ts';
import { delta, exact } from './totals.ts';

async function temporaryDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'lanewise-store-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

function open(dataDir: string, clock: Clock = systemClock): Store {
  return openEmbeddedStore({ dataDir, clock });
}

describe('the embedded store', () => {
  describeStoreContract(async () => {
    let now = Date.UTC(2026, 0);
    const store = open(await temporaryDir(), { now: () => now, monotonic: () => now });
    return {
      store,
      other: store,
      elapse(ms) {
        now += ms;
      },
      [Symbol.asyncDispose]: () => store.close(),
    };
  });

  it('keeps everything over a restart, its epoch included', async () => {
    const dir = await temporaryDir();
    const before = open(dir);
    const deployment = aDeployment();
    await create(before, deployment);
    await promote(before, deployment);
    await before.saveWorker(aWorker(), 0);
    const [snapshot, list, events] = [
      await before.readSnapshot(),
      await before.listDeployments(),
      await before.listEvents(deployment.id),
    ];
    await before.close();
    const after = open(dir);
    expect(await after.readSnapshot()).toEqual(snapshot);
    expect(await after.listDeployments()).toEqual(list);
    expect(await after.listEvents(deployment.id)).toEqual(events);
    expect(await create(after, aDeployment())).toEqual({ kind: 'saved', revision: 4 });
    await after.close();
  });

  it('keeps telemetry, judgements and notices over a restart, and the fence of the lease only goes up', async () => {
    const dir = await temporaryDir();
    const before = open(dir);
    const deployment = aDeployment();
    await create(before, deployment);
    const [part, judgement] = [delta([1, 2, 3]), aJudgement()];
    await before.recordTelemetry(deployment.id, 2, part);
    const fence = await leaseOf(before, 'judge');
    const notices = [{ id: 'notice', webhook: 'ops', event: anEvent(deployment.id, 'judged') }];
    const saving = { deploymentId: deployment.id, judgement, events: [], notices };
    expect(await before.saveJudgement({ ...saving, fence })).toBe(true);
    await before.close();
    const after = open(dir);
    expect(exact((await after.readStep(deployment.id, 2)).lanes)).toEqual(exact(part));
    expect(exact(await after.readTelemetry(deployment.id, 60_000))).toEqual(exact(part));
    expect(await after.readJudgement(deployment.id)).toEqual(judgement);
    expect(await after.takeNotices(10, 60_000)).toMatchObject([{ id: 'notice', attempt: 1 }]);
    // Whoever held it ended with the process.
    expect(await after.saveJudgement({ ...saving, fence })).toBe(false);
    expect(await leaseOf(after, 'judge')).toBeGreaterThan(fence);
    await after.close();
  });

  it('lets go of a step that was not written to for its time, and of those of a deleted deployment', async () => {
    let now = Date.UTC(2026, 0);
    const store = open(await temporaryDir(), { now: () => now, monotonic: () => now });
    const deployment = aDeployment({ id: 'canary_deleted' });
    await create(store, deployment);
    for (const id of ['canary_idle', 'canary_busy', 'canary_deleted']) {
      await store.recordTelemetry(id, 1, delta([1]));
    }
    const routed = async (id: string): Promise<number> => (await store.readStep(id, 1)).lanes.canary.routed;
    await store.deleteDeployment('canary_deleted', 1);
    expect(await routed('canary_deleted')).toBe(0);
    now += STEP_KEPT_MS;
    await store.recordTelemetry('canary_busy', 1, delta([1]));
    expect([await routed('canary_idle'), await routed('canary_busy')]).toEqual([1, 2]);
    now += BUCKET_MS;
    await store.recordTelemetry('canary_busy', 1, delta([1]));
    expect([await routed('canary_idle'), await routed('canary_busy')]).toEqual([0, 3]);
    await store.close();
  });

  it('drops a notice that it can not read, and gives out the others', async () => {
    const dir = await temporaryDir();
    const first = open(dir);
    const deployment = aDeployment();
    await create(first, deployment);
    const ids = ['bad', 'good'];
    await first.saveDeployment({
      deployment: { ...deployment, version: 2 },
      expectedVersion: 1,
      events: [],
      notices: ids.map((id) => ({ id, webhook: 'ops', event: anEvent(deployment.id, id) })),
    });
    await first.close();
    const db = new DatabaseSync(join(dir, 'lanewise.db'));
    db.exec(`UPDATE notices SET record = '{"id":7}' WHERE id = 'bad'`);
    db.close();
    const store = open(dir);
    expect((await store.takeNotices(10, 0)).map(({ id }) => id)).toEqual(['good']);
    expect((await store.takeNotices(10, 60_000)).map(({ id }) => id)).toEqual(['good']);
    await store.close();
  });

  it('writes all of a change or nothing: a listener sees no update of one that failed', async () => {
    const store = open(await temporaryDir());
    await using recorder = await recordUp(store);
    const deployment = aDeployment();
    // An event that has no JSON fails after the deployment itself has been written.
    const events = [{ data: { loop: 1n } } as never];
    const creation = { deployment, route: { queue: 'payments' } as never, basedOnRevision: 0, openMax: 9 };
    await expect(store.createDeployment({ ...creation, events })).rejects.toThrow(TypeError);
    expect(await store.listDeployments()).toEqual([]);
    expect(await create(store, deployment)).toEqual({ kind: 'saved', revision: 1 });
    await eventually(() => recorder.updates.length > 0);
    expect(recorder.revisions).toEqual([1]);
    await store.close();
  });

  it('keeps its files from other users', async () => {
    const dir = join(await temporaryDir(), 'a', 'b');
    const store = open(dir);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    expect((await stat(join(dir, 'lanewise.db'))).mode & 0o777).toBe(0o600);
    await store.close();
  });

  it('belongs to one process, and is free again when that has closed it', async () => {
    const dir = await temporaryDir();
    const store = open(dir);
    expect(() => open(dir)).toThrow(`data directory ${dir} is in use by another Lanewise process`);
    await store.saveWorker(aWorker(), 0);
    await store.close();
    await open(dir).close();
  });

  it('refuses a data directory that is none, and says what is needed', async () => {
    const file = join(await temporaryDir(), 'file');
    await writeFile(file, '');
    const needed = 'it must be a directory that this process may create';
    expect(() => open(file)).toThrow(new RegExp(`data directory ${file} can't be used.*${needed}`));
    expect(() => open('/proc/lanewise')).toThrow("data directory /proc/lanewise can't be used (ENOENT");
  });

  it('refuses a file that is no store and leaves it as it is', async () => {
    const dir = await temporaryDir();
    const path = join(dir, 'lanewise.db');
    await writeFile(path, 'not a database at all'.repeat(100));
    expect(() => open(dir)).toThrow(`in the data directory ${dir}, lanewise.db is not a Lanewise store`);
    expect(await readFile(path, 'utf8')).toMatch(/^not a database/);

    const foreign = join(await temporaryDir(), 'foreign');
    await mkdir(foreign);
    const db = new DatabaseSync(join(foreign, 'lanewise.db'));
    db.exec('CREATE TABLE songs (title TEXT)');
    db.close();
    expect(() => open(foreign)).toThrow('is not a Lanewise store');
  });

  it.each([
    ['is cut off in its header', (size: number) => 100 - size],
    ['has lost its second half', (size: number) => -Math.floor(size / 8192) * 4096],
    ['has lost its last page', () => -4096],
    ['has lost its last byte', () => -1],
  ])('refuses a file that %s, says what to do, and leaves it as it is', async (_what, changeOf) => {
    const dir = await temporaryDir();
    const path = join(dir, 'lanewise.db');
    const first = open(dir);
    for (let i = 0; i < 100; i++) await create(first, aDeployment({ queue: `queue-${i}` }));
    await first.close();
    const { size } = await stat(path);
    await truncate(path, size + changeOf(size));
    const before = await readFile(path);
    expect(() => open(dir)).toThrow(
      /lanewise\.db is damaged \(.*\): move .* away .*, and import the last backup there: lanewise import <file>/,
    );
    expect(before.equals(await readFile(path))).toBe(true);
  });

  it('refuses a file of which pages were overwritten', async () => {
    const dir = await temporaryDir();
    const path = join(dir, 'lanewise.db');
    const first = open(dir);
    for (let i = 0; i < 100; i++) await create(first, aDeployment({ queue: `queue-${i}` }));
    await first.close();
    const bytes = await readFile(path);
    bytes.fill(0xa5, 4096 * 8, 4096 * 30);
    await writeFile(path, bytes);
    expect(() => open(dir)).toThrow('lanewise.db is damaged (');
  });

  it('refuses a file that a newer release has written', async () => {
    const dir = await temporaryDir();
    await open(dir).close();
    const db = new DatabaseSync(join(dir, 'lanewise.db'));
    db.exec("UPDATE meta SET value = 99 WHERE key = 'schema_version'");
    db.close();
    expect(() => open(dir)).toThrow('was written by a newer Lanewise (schema 99; this one reads up to 3)');
  });

  it('takes over what an earlier release has written, under its own schema', async () => {
    const dir = await temporaryDir();
    const recorded = new DatabaseSync(join(dir, 'lanewise.db'));
    recorded.exec(await readFile(new URL('recorded/schema-1.sql', import.meta.url), 'utf8'));
    recorded.close();
    const store = open(dir);
    const [active, ended] = await store.listDeployments();
    expect(active).toMatchObject({
      id: 'canary_active',
      status: 'active',
      currentPercent: 25,
      tenant: 'acme',
    });
    expect(ended).toMatchObject({ id: 'canary_ended', status: 'completed' });
    expect((await store.listEvents('canary_active')).map(({ message }) => message)).toEqual([
      'to 25',
      'created',
    ]);
    expect(await store.readSnapshot()).toMatchObject({
      epoch: '01a20784-a1ea-7001-b001-2b1332bc4327',
      revision: 5,
      routes: [
        { queue: 'mails', revision: 4, split: { percentage: 25 } },
        { queue: 'payments', stableVersion: 'v1.3.0', superseded: ['v1.2.0'] },
      ],
      workers: [{ id: 'worker-1', version: 'v1.2.0' }],
    });
    // And what the newer schemas are for works on it.
    expect((await store.listWorkers({ queue: 'payments' })).map(({ id }) => id)).toEqual(['worker-1']);
    const judgement = aJudgement();
    const saving = { judgement, fence: await leaseOf(store, 'judge'), events: [], notices: [] };
    expect(await store.saveJudgement({ ...saving, deploymentId: 'canary_active' })).toBe(true);
    expect(await store.readJudgement('canary_active')).toEqual(judgement);
    await store.close();
    const db = new DatabaseSync(join(dir, 'lanewise.db'));
    onTestFinished(() => db.close());
    expect(db.prepare("SELECT value FROM meta WHERE key = 'schema_version'").get()).toEqual({ value: 3 });
  });

  it('leaves a file as it was when it knows no way from its schema', async () => {
    const dir = await temporaryDir();
    await open(dir).close();
    const path = join(dir, 'lanewise.db');
    const db = new DatabaseSync(path);
    db.exec("UPDATE meta SET value = 0 WHERE key = 'schema_version'");
    db.close();
    const before = await readFile(path);
    expect(() => open(dir)).toThrow(
      'lanewise.db has schema 0, from which this Lanewise (schema 3) knows no way',
    );
    expect(before.equals(await readFile(path))).toBe(true);
  });

  it('rejects a damaged record and goes on with the others', async () => {
    const dir = await temporaryDir();
    const first = open(dir);
    await create(first, aDeployment({ id: 'canary_bad' }));
    await create(first, aDeployment({ id: 'canary_good', queue: 'mails' }));
    await first.close();
    const db = new DatabaseSync(join(dir, 'lanewise.db'));
    db.exec(`UPDATE deployments SET record = '{"id":7}' WHERE id = 'canary_bad'`);
    db.close();
    const store = open(dir);
    await expect(store.getDeployment('canary_bad')).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringMatching(/deployment canary_bad is damaged: id: .*expected string/),
    });
    expect(await store.getDeployment('canary_good')).toMatchObject({ queue: 'mails' });
    await store.close();
  });
});
