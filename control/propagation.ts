import type { Logger } from '../src/runtime/log.ts';
import type { ProxyReport, RouteHead, RouteStore } from '../src/runtime/store/store.ts';

/** How far a routing change has come. */
export interface Propagation {
  readonly revision: number;
  /** Proxies that live; null where the store could not say. */
  readonly proxies: number | null;
  /** Of those, the ones that route by this revision or a later one. */
  readonly applied: number | null;
}

/**
 * Waits for proxies to apply a change. All waiters share one subscription, which stands before anybody waits, and one
 * reading of the reports at a time, which is not made before as many reports have come as were missing at the last one: a
 * thousand proxies that report within milliseconds cost two or three reads.
 */
export interface PropagationWatch {
  /** Resolves when every live proxy has applied the revision or `waitMs` has passed; never rejects. */
  wait(revision: number, waitMs: number): Promise<Propagation>;
  /** Right now, without waiting. @throws STORE_UNAVAILABLE */
  look(revision: number): Promise<Propagation>;
  close(): Promise<void>;
}

export function propagationOf(change: RouteHead, reports: readonly ProxyReport[]): Known {
  const applied = reports.filter((r) => r.epoch === change.epoch && r.revision >= change.revision);
  return { revision: change.revision, proxies: reports.length, applied: applied.length };
}

interface Waiter {
  readonly change: RouteHead;
  /** The latest that is known. */
  state: Propagation;
  finish(): void;
}

type Known = Propagation & { readonly proxies: number; readonly applied: number };

/** Who waits is told that a proxy is gone, or of a report that was not announced, no later than this. */
const LOOK_EVERY_MS = 100;

type ReportStore = Pick<RouteStore, 'listReports' | 'subscribeReports' | 'readHead'>;

export function createPropagationWatch(store: ReportStore, log: Logger): PropagationWatch {
  const waiters = new Set<Waiter>();
  let reading = false;
  let readAgain = false;
  /** Reports since the last reading began. */
  let heard = 0;
  /** The least that any waiter is still to hear, by the last reading. */
  let missing = 0;
  let nextLook: NodeJS.Timeout | undefined;

  /** Reads, and again if by then there may be enough. */
  const refresh = async (): Promise<void> => {
    if (waiters.size === 0) return;
    readAgain = true;
    if (reading) return;
    reading = true;
    clearTimeout(nextLook);
    try {
      while (readAgain && waiters.size > 0) {
        readAgain = false;
        heard = 0;
        missing = Infinity;
        const reports = await store.listReports();
        for (const waiter of waiters) {
          const { proxies, applied } = (waiter.state = propagationOf(waiter.change, reports));
          if (applied === proxies) waiter.finish();
          else missing = Math.min(missing, proxies - applied);
        }
        readAgain ||= heard >= missing;
      }
    } catch (error) {
      // The change itself is stored; who has applied it can be asked later.
      log.warn({ err: error }, 'the reports of the proxies could not be read');
    } finally {
      reading = false;
      // Also where they could not be read: the store may be back before anybody has waited long enough.
      if (waiters.size > 0) nextLook = setTimeout(() => void refresh(), LOOK_EVERY_MS);
    }
  };

  const subscription = store.subscribeReports(() => {
    heard++;
    if (heard >= missing) void refresh();
  });

  const waitFor = async (change: RouteHead, waitMs: number): Promise<Propagation> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { change, state: unknownAt(change.revision), finish: resolve };
    // A last look, in case that the hint was lost.
    const timer = setTimeout(() => void refresh().finally(resolve), waitMs);
    waiters.add(waiter);
    void refresh();
    await promise;
    clearTimeout(timer);
    waiters.delete(waiter);
    return waiter.state;
  };

  return {
    async wait(revision, waitMs) {
      try {
        const { epoch } = await store.readHead();
        return await waitFor({ epoch, revision }, waitMs);
      } catch (error) {
        log.warn({ err: error }, 'the epoch of the routes could not be read');
        return unknownAt(revision);
      }
    },
    async look(revision) {
      const [{ epoch }, reports] = await Promise.all([store.readHead(), store.listReports()]);
      return propagationOf({ epoch, revision }, reports);
    },
    close: async () => {
      clearTimeout(nextLook);
      await subscription.close();
    },
  };
}

function unknownAt(revision: number): Propagation {
  return { revision, proxies: null, applied: null };
}
