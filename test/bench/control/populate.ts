import { promoted } from '../../../src/core/route.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { aDeployment, aWorker, create } from '../../runtime/store/samples.ts';

/** Deployments, of which a tenth is active and the others have ended, and as many workers, all of them of the active ones. */

const HOUR = 3_600_000;
/** More would wait longer than a call may on a machine that is busy. */
const AT_ONCE = 16;

export function activeOf(size: number): number {
  return size / 10;
}

/** @returns the ids of the active ones */
export async function populate(store: Store, size: number): Promise<readonly string[]> {
  const active = activeOf(size);
  const ids = Array.from(
    { length: size },
    (_, i) => `canary_${String(i).padStart(8, '0')}-7b1a-7000-8a3f-000000000000`,
  );
  await inTurn(size, async (i) => {
    const since = Date.now() - HOUR;
    const times = { startTime: since, lastUpdate: since, activeFrom: since, stepFrom: since };
    const { config } = aDeployment();
    const deployment = aDeployment({
      id: ids[i]!,
      queue: `queue-${i}`,
      currentPercent: 10,
      ...times,
      // So that the judge has the same to do in every tick.
      config: { ...config, autoRollback: false },
    });
    const result = await create(store, deployment, 2 * size);
    if (result.kind !== 'saved') throw new Error(`the store answered ${result.kind}`);
    if (i < active) return;
    const route = promoted((await store.getRoute(deployment.queue))!);
    const ended = { ...deployment, version: 2, status: 'completed' as const };
    await store.saveDeployment({ deployment: ended, expectedVersion: 1, route, events: [] });
  });
  await inTurn(size, async (i) => {
    const isCanary = Math.floor(i / active) === 0;
    const worker = aWorker({
      id: `worker-${i}`,
      queues: [`queue-${i % active}`],
      version: isCanary ? 'v1.3.0' : 'v1.2.0',
      url: 'http://127.0.0.1:1',
    });
    await store.saveWorker(worker, 0);
  });
  return ids.slice(0, active);
}

async function inTurn(count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
