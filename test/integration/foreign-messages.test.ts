import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { channelsOf } from '../../src/runtime/store/redis/keys.ts';
import { until } from '../helpers/patience.ts';
import { startRedis } from '../helpers/redis.ts';
import { allApplied, enlist, Fleet } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

/** Whoever can reach Redis can publish on our channels: by mistake, with a loop around it. */

const LARGE = 100 * 1024 * 1024;
/** Less than one of them more than a process has at the beginning. */
const RESIDENT_MAX = 250;

/** Idle processes collect their garbage when they feel like it. */
const COLLECTING = `--expose-gc --import=data:text/javascript,setInterval(gc,1000).unref()`;

async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) / 1024;
}

test('rubbish and 100 MB on every channel: both planes live, follow the next change, and keep none of it', async () => {
  // By default Redis cuts off a subscriber that lags by 32 MB; here each gets all of it.
  await using redis = await startRedis({ args: ['--client-output-buffer-limit', 'pubsub 0 0 0'] });
  await using fleet = await Fleet.start(1, { NODE_OPTIONS: COLLECTING }, 1, redis.url);
  await using worker = await TestWorker.start('v1');
  await enlist(fleet, { id: 'w', version: 'v1', url: worker.url });
  const id = await fleet.api.createDeployment('v1', 'v2');
  await allApplied(fleet.api, id, 1);

  const client = redis.client();
  const { epoch, revision } = await fleet.proxies[0]!.routes();
  const { routes, reports, events } = channelsOf(0);
  const next = `${epoch} ${revision + 1} route`;
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const small = ['', 'rubbish', '\u0000', `${next} {`, `${next} {"__proto__":{}}`, `${next} ${deep}`];
  for (const channel of [routes, reports, events]) {
    for (const message of [...small, 'event 1 {}', `event 1 ${deep}`]) await client.publish(channel, message);
    await client.publish(channel, Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28]));
  }
  // One for each plane. On a slow machine it is cut off by the time-outs of the connection, which does as well.
  for (const channel of [routes, events])
    expect(await client.publish(channel, 'x'.repeat(LARGE))).toBeGreaterThan(0);

  const moved = (): Promise<boolean> =>
    fleet.api.setPercentage(id, 40).then(
      () => true,
      () => false,
    );
  await until(moved);
  await allApplied(fleet.api, id, 1);
  expect(await fleet.proxies[0]!.percentage()).toBe(40);
  expect(await fleet.proxies[0]!.versionsOf(5)).toEqual(new Set(['v1']));
  for (const { process } of [fleet.controls[0]!, fleet.members[0]!]) {
    expect(process.hasExited).toBe(false);
    await until(async () => (await residentMegabytes(process.pid)) < RESIDENT_MAX);
  }
  expect(fleet.members[0]!.process.stderr).toContain('an unreadable route update was ignored');
});
