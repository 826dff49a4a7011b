import { EventEmitter } from 'node:events';
import type { DeploymentEvent } from '../../../core/deployment.ts';
import type { EventListener, EventStore } from '../event-store.ts';
import { notify } from '../notify.ts';

/**
 * Tells of events within the process. They leave once their transaction has committed, on a later turn of the event
 * loop, in order.
 */
export interface EventBus extends EventStore {
  event(event: DeploymentEvent, position: number): void;
  deleted(deploymentId: string): void;
  close(): void;
}

type Telling = (listener: EventListener) => void;

export function createEventBus(): EventBus {
  const bus = new EventEmitter<{ telling: [Telling] }>().setMaxListeners(0);
  return {
    event: (event, position) => void bus.emit('telling', (listener) => listener.onEvent(event, position)),
    deleted: (deploymentId) => void bus.emit('telling', (listener) => listener.onDeleted(deploymentId)),
    subscribeEvents(listener) {
      let closed = false;
      // Immediates run in the order in which they were set, so `onUp` comes before everything else.
      const tell = (telling: Telling): void => {
        setImmediate(() => {
          if (!closed) notify(() => telling(listener));
        });
      };
      tell((told) => told.onUp());
      bus.on('telling', tell);
      return {
        async close() {
          closed = true;
          bus.off('telling', tell);
        },
      };
    },
    close: () => void bus.removeAllListeners(),
  };
}
