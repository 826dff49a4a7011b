import type { Deployment } from '../../src/core/deployment.ts';
import { LanewiseError } from '../../src/core/errors.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import { createWatch, type OpenStream, type Watch, type WatchOptions } from './watch.ts';

/**
 * All streams of this instance. One subscription to the store serves them; the deployments that somebody watches are
 * kept in memory, the others cost nothing.
 */
export interface EventStreams {
  /**
   * @param since id of the frame to go on after; left out: from now on. One that is not kept: everything that is.
   * @throws LanewiseError CONNECTION_LIMIT, STORE_UNAVAILABLE
   */
  open(deployment: Pick<Deployment, 'id'>, since: string | undefined): Promise<OpenStream>;
}

export interface EventStreamsOptions extends WatchOptions {
  readonly store: Pick<Store, 'getDeployment' | 'listEvents' | 'subscribeEvents'>;
  /** Of one instance. */
  readonly connectionsMax: number;
}

/** Time enough for others to leave, or for a load balancer to choose another instance. */
const RETRY_AFTER_SECONDS = 5;

export function createEventStreams(options: EventStreamsOptions): EventStreams {
  const { store, connectionsMax } = options;
  const watches = new Map<string, Watch>();
  let isUp = false;
  let connections = 0;

  store.subscribeEvents({
    onUp() {
      isUp = true;
      for (const watch of watches.values()) watch.catchUp();
    },
    onDown() {
      isUp = false;
    },
    onEvent: (event, position) => watches.get(event.deploymentId)?.onEvent(event, position),
    onDeleted: (deploymentId) => watches.get(deploymentId)?.onDeleted(),
  });

  const watchOf = (id: string): Watch => {
    const known = watches.get(id);
    if (known !== undefined) return known;
    const watch = createWatch(id, options, () => watches.delete(id));
    watches.set(id, watch);
    return watch;
  };

  return {
    async open({ id }, since) {
      if (connections >= connectionsMax) throw tooMany(connectionsMax);
      connections += 1;
      try {
        const stream = await watchOf(id).open(since, isUp);
        return {
          ...stream,
          close() {
            connections -= 1;
            stream.close();
          },
        };
      } catch (error) {
        connections -= 1;
        throw error;
      }
    },
  };
}

function tooMany(connectionsMax: number): LanewiseError {
  return new LanewiseError('CONNECTION_LIMIT', 'This instance has no room for another event stream', {
    details: { connections: `at most ${connectionsMax} at once; try again, or another instance` },
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
