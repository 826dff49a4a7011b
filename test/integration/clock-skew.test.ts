import { describe, expect, test } from 'vitest';
import { until } from '../helpers/patience.ts';
import type { Environment } from '../helpers/process.ts';
import { allApplied, enlist, Fleet } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

/**
 * A machine whose clock is an hour ahead. Everything that processes write and compare is of one clock, or it takes each
 * deployment for overdue and each worker for silent.
 */

const HOUR_MS = 3_600_000;

/** The process takes the wall clock for another one; the monotonic clock goes on as it is. */
const AHEAD: Environment = {
  NODE_OPTIONS: `--import=data:text/javascript,const{now}=Date;Date.now=()=>now()+${HOUR_MS}`,
};

describe('a clock that is an hour ahead', () => {
  test('of a control plane: it says so, and nothing is overdue, silent or stamped an hour early', async () => {
    await using fleet = await Fleet.start(1);
    await using worker = await TestWorker.start('v1');
    await enlist(fleet, { id: 'w', version: 'v1', url: worker.url });
    const id = await fleet.api.createDeployment('v1', 'v2', { max_duration: '30m', min_duration: '1m' });
    await fleet.control.end('SIGTERM');

    const skewed = fleet.newControl(AHEAD);
    await skewed.start();
    await skewed.process.printed(/the clock of this machine is 3600 s ahead of the store's/, 'stderr');
    const { api } = skewed;
    const metric = async (name: string): Promise<number> => {
      const text = await (await fetch(`${api.url}/metrics`)).text();
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
    };
    expect(Math.round((await metric('lanewise_clock_offset_seconds')) / 60)).toBe(60);
    // It has judged, twice: an overdue deployment is rolled back by the first look at it.
    await until(async () => (await metric('canary_judge_last_tick_timestamp_seconds')) > 0);
    const first = await metric('canary_judge_last_tick_timestamp_seconds');
    await until(async () => (await metric('canary_judge_last_tick_timestamp_seconds')) > first);
    expect(Math.abs(first * 1000 - Date.now())).toBeLessThan(HOUR_MS / 2);
    expect(await api.done('GET', `/deployments/${id}`)).toMatchObject({ status: 'active' });

    await api.setPercentage(id, 10);
    const [event] = await api.events(id);
    const { workers } = await api.done('GET', '/workers');
    expect(workers).toMatchObject([{ status: 'healthy' }]);
    for (const at of [event!.timestamp, (workers as { last_seen: string }[])[0]!.last_seen])
      expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(HOUR_MS / 2);
  });

  test('of a proxy: it says so, and routes like the others', async () => {
    await using fleet = await Fleet.start(1);
    await using worker = await TestWorker.start('v1');
    const skewed = fleet.newProxy(AHEAD);
    await skewed.start();
    await skewed.process.printed(/the clock of this machine is 3600 s ahead of the store's/, 'stderr');
    await enlist(
      { api: fleet.api, proxies: [...fleet.proxies, skewed.face] },
      { id: 'w', version: 'v1', url: worker.url },
    );
    const id = await fleet.api.createDeployment('v1', 'v2', { initial_percentage: 5 });
    await allApplied(fleet.api, id, 2);
    expect(await skewed.face.versionsOf(3)).toEqual(new Set(['v1']));
    const [offset] = (await skewed.face.metric('lanewise_clock_offset_seconds')).values();
    expect(Math.round(offset! / 60)).toBe(60);
    const [synced] = (await skewed.face.metric('canary_routes_last_sync_timestamp_seconds')).values();
    expect(Math.abs(synced! * 1000 - Date.now())).toBeLessThan(HOUR_MS / 2);
  });
});
