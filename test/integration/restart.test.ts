import { describe, expect, test, vi } from 'vitest';
import type { JsonObject } from '../helpers/api.ts';
import { NotingWorker } from '../helpers/load.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { enlist, Fleet, Standalone, type System } from '../helpers/system.ts';

/** Everything that an operator has decided outlives every process, however it ended. */

const SETTINGS = { LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring' } as const;

const SYSTEMS = [
  { name: 'a standalone process', start: () => Standalone.start(SETTINGS) },
  { name: 'two planes on Redis', start: () => Fleet.start(2, SETTINGS) },
] as const;

const SIGNALS = ['SIGKILL', 'SIGTERM'] as const;

function by<T>(nameOf: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => nameOf(a).localeCompare(nameOf(b));
}

/** All that the API and the proxies tell. */
async function everything({ api, proxies }: System, ids: readonly string[]) {
  const [deployments, workers, ...events] = await Promise.all([
    api.done('GET', '/deployments'),
    api.done('GET', '/workers'),
    ...ids.map((id) => api.done('GET', `/deployments/${id}/events`)),
  ]);
  const routes = await Promise.all(
    proxies.map(async (proxy) => {
      const { revision, queues, workers: routed } = await proxy.routes();
      return {
        revision,
        queues: queues.toSorted(by(({ queue, tenant }) => `${queue} ${tenant}`)),
        workers: routed.toSorted(by(({ id }) => id)),
      };
    }),
  );
  // A worker is seen all the time, and its figures grow with each job; what was registered stands.
  const registered = (workers.workers as JsonObject[]).map(
    ({ last_seen: _seen, metrics: _metrics, ...rest }) => rest,
  );
  return { deployments, workers: registered, events, routes } as const;
}

describe.each(SYSTEMS)('$name', ({ start }) => {
  test('has its deployments, workers, events, routes and revision after kill -9 and after SIGTERM', async () => {
    await using system: System = await start();
    await using one = await NotingWorker.start('v1');
    await using two = await NotingWorker.start('v2');
    await enlist(system, { id: 'one', version: 'v1', url: one.url });
    await enlist(system, { id: 'two', version: 'v2', url: two.url, lane: 'canary' });
    const id = await system.api.createDeployment('v1', 'v2', { metadata: { ticket: 'OPS-1' } });
    const tenants = await system.api.createDeployment('v1', 'v2', {
      tenant_id: 'acme',
      initial_percentage: 5,
    });
    const other = await system.api.createDeployment('v1', 'v2', { queue_name: 'emails' });
    await system.api.rollBack(other);
    await system.api.setPercentage(id, 25.25);

    const before = await everything(system, [id, tenants, other]);
    expect(before.deployments.count).toBe(3);
    expect(before.routes[0]!.queues).toHaveLength(3);
    for (const signal of SIGNALS) {
      const exits = await system.restart(signal);
      for (const exit of exits) {
        expect(exit).toEqual(signal === 'SIGTERM' ? { code: 0, signal: null } : { code: null, signal });
      }
      expect(await everything(system, [id, tenants, other])).toEqual(before);
      // And it goes on from there.
      expect(await system.proxies[0]!.versionsOf(40)).toEqual(new Set(['v1', 'v2']));
    }
    const routing = await system.api.setPercentage(id, 30);
    expect(routing.revision).toBe(before.routes[0]!.revision + 1);
  });

  test('never goes back to the version before a promotion: not after restarts, a delete, the next deployment', async () => {
    await using system: System = await start();
    await using one = await NotingWorker.start('v1');
    await using two = await NotingWorker.start('v2');
    await using three = await NotingWorker.start('v3');
    await enlist(system, { id: 'one', version: 'v1', url: one.url });
    await enlist(system, { id: 'two', version: 'v2', url: two.url, lane: 'canary' });
    const goTo = async (...versions: string[]): Promise<void> => {
      for (const proxy of system.proxies) expect(await proxy.versionsOf(40)).toEqual(new Set(versions));
    };

    const first = await system.api.createDeployment('v1', 'v2');
    await system.api.promote(first);
    await goTo('v2');
    await system.restart('SIGKILL');
    await goTo('v2');
    await system.api.done('DELETE', `/deployments/${first}`);
    await goTo('v2');
    await system.restart('SIGTERM');
    await goTo('v2');
    // The old worker comes up again and says what it always said.
    await enlist(system, { id: 'one-again', version: 'v1', url: one.url, lane: 'stable' });
    await enlist(system, { id: 'three', version: 'v3', url: three.url, lane: 'canary' });

    const second = await system.api.createDeployment('v2', 'v3');
    await goTo('v2');
    await system.api.setPercentage(second, 50);
    await goTo('v2', 'v3');
    await system.restart('SIGKILL');
    await goTo('v2', 'v3');
    await system.api.rollBack(second);
    await system.api.done('DELETE', `/deployments/${second}`);
    await system.restart('SIGKILL');
    await goTo('v2');

    // Only where nobody else is left, better the old version than none.
    await system.api.done('DELETE', '/workers/two');
    for (const proxy of system.proxies) {
      await vi.waitUntil(
        async () => (await proxy.routes()).workers.every(({ id }) => id !== 'two'),
        PATIENCE,
      );
    }
    await goTo('v1');
  });
});

test('the generated token stays the same, so that scripts that have it go on working', async () => {
  await using system = await Standalone.start();
  const { token } = system.api;
  await system.restart('SIGKILL');
  expect(system.api.token).toBe(token);
  expect((await system.api.call('GET', '/deployments')).status).toBe(200);
});
