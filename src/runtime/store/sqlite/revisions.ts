import { EventEmitter } from 'node:events';
import type { RouteChange, RouteUpdate } from '../../../core/routing-table.ts';
import { notify } from '../notify.ts';
import type { RouteHead, RouteListener, Subscription } from '../store.ts';
import { numberOf, textOf, type Database } from './database.ts';

/**
 * The revision counter and the bus that tells of it. A change raises the counter inside the transaction that stores
 * it; the update leaves once that has committed, on a later turn of the event loop, in order.
 */
export interface Revisions {
  head(): RouteHead;
  /** The revision that the transaction under way shall have. */
  next(): number;
  /** Within the transaction under way; for what is stored without being told of. */
  raiseAbove(other: number): void;
  /** Tells the subscribers of a change that has been committed. */
  publish(revision: number, change: RouteChange): void;
  subscribe(listener: RouteListener): Subscription;
  close(): void;
}

export function createRevisions(db: Database): Revisions {
  const bus = new EventEmitter<{ update: [RouteUpdate] }>().setMaxListeners(0);
  const epoch = textOf(db.get("SELECT value FROM meta WHERE key = 'epoch'"), 'value');
  const revision = (): number => numberOf(db.get("SELECT value FROM meta WHERE key = 'revision'"), 'value');
  const set = (value: number): void => db.run("UPDATE meta SET value = ? WHERE key = 'revision'", value);
  return {
    head: () => ({ epoch, revision: revision() }),
    next() {
      const next = revision() + 1;
      set(next);
      return next;
    },
    raiseAbove: (other) => set(Math.max(revision(), other) + 1),
    publish(revisionOfChange, change) {
      bus.emit('update', { epoch, revision: revisionOfChange, change });
    },
    subscribe(listener) {
      let closed = false;
      // Immediates run in the order in which they were set, so `onUp` comes before every update.
      const tell = (call: () => void): void => {
        setImmediate(() => {
          if (!closed) notify(call);
        });
      };
      const onUpdate = (update: RouteUpdate): void => tell(() => listener.onUpdate(update));
      tell(() => listener.onUp());
      bus.on('update', onUpdate);
      return {
        async close() {
          closed = true;
          bus.off('update', onUpdate);
        },
      };
    },
    close: () => void bus.removeAllListeners(),
  };
}
