import { describe, expect, it } from 'vitest';
import { until } from '../helpers/patience.ts';
import { Rig } from '../helpers/rig.ts';
import { TestWorker } from '../helpers/worker.ts';

/** Workers that join a lane, seen from outside: through a running proxy and real sockets. */

/** Of which a test sees the beginning: the share stays at its tenth for six minutes. */
const LONG = { LANEWISE_SLOW_START: '1h' };

async function sharesOf(rig: Rig): Promise<Readonly<Record<string, number>>> {
  const { workers } = JSON.parse((await rig.admin('/routes')).body) as {
    workers: readonly { readonly id: string; readonly share: number }[];
  };
  return Object.fromEntries(workers.map(({ id, share }) => [id, share]));
}

/** What each of the keys is dispatched to. */
async function workersOf(rig: Rig, keys: readonly string[]): Promise<string[]> {
  const answers = await rig.sendAll(keys.map((key) => ({ headers: { 'X-Canary-Sticky-Key': key } })));
  return answers.map(({ headers }) => String(headers['x-canary-worker']));
}

const KEYS = Array.from({ length: 1000 }, (_, n) => `customer-${n}`);

describe('with slow_start', () => {
  it('a worker that joins begins with a tenth of its keys, and all others stay where they were', async () => {
    await using before = await Rig.start();
    await using worker = await TestWorker.start('v1');
    await before.register({ id: 'a', url: worker.url });
    await before.register({ id: 'b', url: worker.url });
    // Those that a proxy finds when it starts have been at it for long.
    await using rig = await Rig.start({ settings: LONG, store: before.store });
    const settled = await workersOf(rig, KEYS);
    await rig.register({ id: 'new', url: worker.url });
    expect(await sharesOf(rig)).toEqual({ a: 1, b: 1, new: 0.1 });
    expect(await rig.metric('canary_workers_ramping')).toEqual(new Map([['', 1]]));

    const now = await workersOf(rig, KEYS);
    const moved = now.filter((id, i) => id !== settled[i]);
    expect(new Set(moved)).toEqual(new Set(['new']));
    // A tenth of a third: 33 of these 1,000 keys; four standard deviations are 23.
    expect(Math.abs(moved.length - 33)).toBeLessThan(24);
    // And they stay.
    expect(await workersOf(rig, KEYS)).toEqual(now);
  });

  it('has its full share at the end, as if there had been no slow start', async () => {
    await using rig = await Rig.start({ settings: { LANEWISE_SLOW_START: '300ms' } });
    await using plain = await Rig.start();
    await using worker = await TestWorker.start('v1');
    for (const id of ['a', 'b', 'c']) {
      await rig.register({ id, url: worker.url });
      await plain.register({ id, url: worker.url });
    }
    await until(async () => Object.values(await sharesOf(rig)).every((share) => share === 1));
    expect(await rig.metric('canary_workers_ramping')).toEqual(new Map([['', 0]]));
    expect(await workersOf(rig, KEYS.slice(0, 200))).toEqual(await workersOf(plain, KEYS.slice(0, 200)));
  });

  it('one that was out begins anew: unhealthy in the registry, ejected, or failing its probes', async () => {
    await using before = await Rig.start();
    await using worker = await TestWorker.start('v1');
    await using ill = await TestWorker.start('v1');
    let isWell = true;
    ill.answer = (_job, response) => response.writeHead(isWell ? 200 : 500).end();
    const registered = await before.register({ id: 'unhealthy', url: worker.url });
    await before.register({ id: 'ejected', url: ill.url });
    await before.register({ id: 'probed', url: ill.url, healthPath: '/' });
    await before.register({ id: 'other', url: worker.url });
    await using rig = await Rig.start({
      store: before.store,
      settings: { ...LONG, LANEWISE_EJECTION_TIME: '100ms', LANEWISE_HEALTH_CHECK_INTERVAL: '20ms' },
    });
    expect(await sharesOf(rig)).toEqual({ ejected: 1, other: 1, probed: 1, unhealthy: 1 });

    await rig.register({ ...registered, recordVersion: 2, status: 'unhealthy' });
    await rig.register({ ...registered, recordVersion: 3 });
    expect(await sharesOf(rig)).toEqual({ ejected: 1, other: 1, probed: 1, unhealthy: 0.1 });

    isWell = false;
    await until(async () => {
      await workersOf(rig, KEYS.slice(0, 50));
      const { workers } = JSON.parse((await rig.admin('/routes')).body) as {
        workers: readonly { readonly ejections: number; readonly probes: { failing: boolean } | null }[];
      };
      return workers.some((w) => w.probes?.failing === true) && workers.some((w) => w.ejections > 0);
    });
    isWell = true;
    await until(async () => {
      await workersOf(rig, KEYS.slice(0, 50));
      const { ejected, probed } = await sharesOf(rig);
      return ejected === 0.1 && probed === 0.1;
    });
    expect((await sharesOf(rig))['other']).toBe(1);
  });
});

it('without it, a worker that joins has all of its keys at once', async () => {
  await using rig = await Rig.start();
  await using worker = await TestWorker.start('v1');
  for (const id of ['a', 'b']) await rig.register({ id, url: worker.url });
  expect(await sharesOf(rig)).toEqual({ a: 1, b: 1 });
});
