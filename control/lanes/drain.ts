import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/core/clock.ts';
import type { Deployment } from '../../src/core/deployment.ts';
import { LanewiseError } from '../../src/core/errors.ts';
import type { LaneQueue } from '../../src/core/lane-keys.ts';
import type { Logger } from '../../src/runtime/log.ts';
import type { DrainResult } from '../../src/runtime/store/lane-store.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import { drainVerdict, type DrainPass, type DrainVerdict } from './drain-verdict.ts';
import { openOn } from './open-deployments.ts';
import type { QueueCatalog } from './queue-catalog.ts';

/**
 * Gets the jobs of a canary lane that was given up to the stable one. First the fence, so that a proxy which has not
 * heard of the change can't put more in; then chunk by chunk, each of which is atomic, so that a crash between two
 * loses nothing and anybody may go on, even two at a time.
 */
export interface Drain {
  /** One look at a deployment that is promoting or rolling back. @throws STORE_UNAVAILABLE */
  look(deployment: Deployment, chunksMax: number): Promise<DrainLook>;
}

export interface DrainLook {
  /** To be noted, whatever the verdict. */
  readonly moved: number;
  readonly verdict: DrainVerdict;
  /** Whether another look would move more at once. */
  readonly hasMore: boolean;
}

type DrainedStore = Pick<
  Store,
  'readHead' | 'getRoute' | 'fenceQueue' | 'drainLane' | 'readDepths' | 'listDeployments'
>;

export interface DrainOptions {
  readonly store: DrainedStore;
  readonly catalog: Pick<QueueCatalog, 'lanesOf'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Jobs moved in one step: some milliseconds, in which a Redis serves nobody else. */
const CHUNK = 1000;

export function createDrain({ store, catalog, clock, log }: DrainOptions): Drain {
  const fence = async ({ queue, tenant }: Deployment, lanes: LaneQueue): Promise<void> => {
    const [head, route] = await Promise.all([store.readHead(), store.getRoute(queue, tenant)]);
    // Nothing changes the route of a scope while its deployment drains, so its revision is that of the decision.
    // But a fail-over between the two reads may have lost it: a fence ahead of the store would stop everybody.
    const revision = Math.min(route?.revision ?? head.revision, head.revision);
    await store.fenceQueue(lanes, tenant, { ...head, revision });
  };

  const pass = async (deployment: Deployment, lanes: LaneQueue, chunksMax: number): Promise<DrainPass> => {
    await fence(deployment, lanes);
    const keptFor = (await openOn(store, deployment.queue)).filter(({ id }) => id !== deployment.id);
    if (keptFor.length > 0) {
      const left = (await store.readDepths(lanes)).lanes.canary;
      return { kind: 'kept', keptFor: keptFor.map(({ id }) => id), left };
    }
    return { kind: 'moved', ...(await moveToStable(store, lanes, chunksMax)) };
  };

  return {
    async look(deployment, chunksMax) {
      const { queue, config, drain, lastUpdate } = deployment;
      const lanes = catalog.lanesOf(queue, config.routingStrategy);
      const found = lanes === undefined ? EMPTY : await pass(deployment, lanes, chunksMax).catch(failed);
      const elapsedMs = clock.now() - (drain?.since ?? lastUpdate);
      const verdict = drainVerdict(found, elapsedMs, config.drainTimeoutMs);
      if (found.kind !== 'moved') return { moved: 0, verdict, hasMore: false };
      const { moved, left } = found;
      return { moved, verdict, hasMore: moved > 0 && left.waiting + left.delayed > 0 };
    },
  };

  /** Where the queue itself can't be used, waiting may help, until it is no longer worth it. */
  function failed(error: unknown): DrainPass {
    if (isOutage(error)) throw error;
    log.warn({ err: error }, 'a canary lane could not be drained');
    return { kind: 'failed' };
  }
}

const EMPTY: DrainPass = { kind: 'moved', moved: 0, left: { waiting: 0, delayed: 0, inFlight: 0 } };

/**
 * Moves what waits and what is delayed, at most so many chunks of it.
 * @throws what the store throws, unless something was moved before
 */
export async function moveToStable(
  store: Pick<Store, 'drainLane'>,
  lanes: LaneQueue,
  chunksMax: number,
): Promise<{ readonly moved: number; readonly left: DrainResult }> {
  let moved = 0;
  let left = await store.drainLane(lanes, 'canary', 'stable', CHUNK);
  moved += left.moved;
  for (let chunk = 1; chunk < chunksMax && left.moved > 0 && left.waiting + left.delayed > 0; chunk++) {
    // The embedded store answers without waiting for anything; the process has other things to do.
    await turn();
    try {
      left = await store.drainLane(lanes, 'canary', 'stable', CHUNK);
    } catch {
      // It shows at the next look. What was moved until now must not be forgotten.
      break;
    }
    moved += left.moved;
  }
  return { moved, left };
}

export function isOutage(error: unknown): boolean {
  return error instanceof LanewiseError && error.code === 'STORE_UNAVAILABLE';
}
