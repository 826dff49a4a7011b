import { describe, expect, it } from 'vitest';
import { Rig } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';
import { until } from '../helpers/patience.ts';

const SETTINGS = { LANEWISE_WORKER_TIMEOUT: '300ms' };

describe('a proxy tells the registry', () => {
  it('which jobs a worker did, and how', async () => {
    await using rig = await Rig.start({ settings: SETTINGS });
    await using worker = await TestWorker.start('v1', (job, response) =>
      response.writeHead(job.headers['x-job-id'] === 'bad' ? 500 : 200).end(),
    );
    await rig.register({ id: 'w', url: worker.url });
    for (const id of ['good', 'bad', 'fine']) await rig.send('jobs', { headers: { 'X-Job-Id': id } });
    await until(async () => (await rig.store.listActivity()).get('w')?.processed === 3);
    expect((await rig.store.listActivity()).get('w')).toMatchObject({
      version: 'v1',
      succeeded: 2,
      failed: 1,
    });
  });

  it('that a worker without jobs still listens, again and again', async () => {
    await using rig = await Rig.start({ settings: SETTINGS });
    await using worker = await TestWorker.start('v1');
    await rig.register({ id: 'w', url: worker.url });
    const seen = new Set<number>();
    await until(async () => {
      const activity = (await rig.store.listActivity()).get('w');
      if (activity !== undefined) seen.add(activity.lastSeen);
      return seen.size >= 3;
    });
    expect((await rig.store.listActivity()).get('w')).toMatchObject({ processed: 0, lastJobAt: null });
    expect(worker.jobs).toEqual([]);
  });

  it('nothing of a worker that is gone, until it listens again', async () => {
    await using rig = await Rig.start({ settings: SETTINGS });
    const worker = await TestWorker.start('v1');
    const { url } = worker;
    await worker.stop();
    await rig.register({ id: 'gone', url });
    await using other = await TestWorker.start('v1');
    await rig.register({ id: 'there', url: other.url });
    const rounds = new Set<number>();
    await until(async () => {
      const activity = await rig.store.listActivity();
      expect(activity.has('gone')).toBe(false);
      rounds.add(activity.get('there')?.lastSeen ?? 0);
      return rounds.size >= 4;
    });
    await using again = await TestWorker.start('v1', undefined, undefined, Number(new URL(url).port));
    expect(again.url).toBe(url);
    await until(async () => (await rig.store.listActivity()).has('gone'));
  });
});

describe('the status of a worker', () => {
  it.each(['unhealthy', 'unreachable'] as const)('%s keeps jobs away from it', async (status) => {
    await using rig = await Rig.start();
    await using worker = await TestWorker.start('v1');
    const record = await rig.register({ id: 'w', url: worker.url });
    expect((await rig.send()).status).toBe(200);
    await rig.register({ ...record, recordVersion: 2, status });
    expect((await rig.send()).status).toBe(503);
    await rig.register({ ...record, recordVersion: 3, status: 'healthy' });
    expect((await rig.send()).status).toBe(200);
  });

  it('degraded halves its share of the keys', async () => {
    await using rig = await Rig.start();
    await using worker = await TestWorker.start('v1');
    await rig.register({ id: 'a', url: worker.url });
    const record = await rig.register({ id: 'b', url: worker.url });
    await rig.register({ ...record, recordVersion: 2, status: 'degraded' });
    const answers = await rig.sendAll(
      Array.from({ length: 3000 }, (_, i) => ({ headers: { 'X-Job-Id': `j${i}` } })),
    );
    const share =
      answers.filter((answer) => answer.headers['x-canary-worker'] === 'b').length / answers.length;
    expect(share).toBeGreaterThan(1 / 3 - 0.04);
    expect(share).toBeLessThan(1 / 3 + 0.04);
  });
});
