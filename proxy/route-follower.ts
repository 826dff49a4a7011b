import type { RouteSnapshot, RouteUpdate, RoutingTable, TableChange } from '../src/core/routing-table.ts';
import type { Endpoint } from '../src/core/pool.ts';
import type { Clock } from '../src/core/clock.ts';
import type { Logger } from '../src/runtime/log.ts';
import { pause, startPeriodic, type Periodic } from '../src/runtime/periodic.ts';
import type { RouteHead, RouteListener, RouteStore, Subscription } from '../src/runtime/store/store.ts';
import type { LastGoodRoutes } from './last-good-routes.ts';
import { TroubleLog } from './trouble-log.ts';
import { readOrGiveBack } from './lost-store.ts';
import { RouteSaver } from './route-saver.ts';
import { readWholeSnapshot } from './whole-snapshot.ts';

/**
 * Keeps the routing table at the store's revision, and goes on with what it has when the store is gone.
 *
 * Messages are hints. A subscription that stands (again) means: read the snapshot. After that, an update that
 * follows the table's revision is applied as it is; a hole means: read the snapshot. A poll finds what no message
 * told of. What was applied is reported, with a lease, so that the control plane knows who routes by what.
 */
export interface FollowerOptions {
  readonly proxyId: string;
  readonly store: RouteStore;
  readonly table: RoutingTable<Endpoint>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** Absent where the store itself is on this disk. */
  readonly lastGood?: LastGoodRoutes;
  /** Called after the table has changed. */
  readonly onChanged: (change: TableChange) => void;
  readonly timing?: Partial<FollowerTiming>;
}

export interface FollowerTiming {
  /** Milliseconds between looks at the store's revision, ± a fifth. */
  readonly poll: number;
  /** How long a report counts; renewed at two fifths of it. */
  readonly lease: number;
  /** Before a failed read is tried again, ± a fifth. */
  readonly retry: number;
  /** Least time between two writes of the last good routes; from one that failed to the next, doubled each time. */
  readonly save: number;
}

const TIMING: FollowerTiming = { poll: 5000, lease: 5000, retry: 500, save: 1000 };

/** No revision of any store. */
const NOTHING: RouteHead = { epoch: '', revision: -1 };

export class RouteFollower {
  readonly #options: FollowerOptions;
  readonly #timing: FollowerTiming;
  readonly #stopped = new AbortController();
  #subscription: Subscription | undefined;
  #pending: RouteUpdate[] = [];
  #flushing: NodeJS.Immediate | undefined;
  #reading: Promise<boolean> | undefined;
  #isRetrying = false;
  #reporting = false;
  #reported: RouteHead = NOTHING;
  readonly #saver: RouteSaver | undefined;
  #rounds: readonly Periodic[] = [];
  #lastSyncAt: number | undefined;
  #warnedOfEmptyStore = false;
  /** Parts of the store's routes can't be read; until they can, the table has what was known of them. */
  #isPartial = false;
  readonly #reads: TroubleLog;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.#reads = new TroubleLog(options.log, {
      fails: 'routes could not be read; going on with those at hand',
      works: 'routes can be read again',
    });
    const { lastGood, table, clock, log } = options;
    this.#saver =
      lastGood &&
      new RouteSaver({
        lastGood,
        snapshot: () => table.snapshot(),
        clock,
        log,
        leastMs: this.#timing.save,
        pause: (ms, signal) => pause(this.#jittered(ms), signal),
      });
  }

  /** Milliseconds since the epoch of the latest moment at which the table was known to be the store's. */
  get lastSyncAt(): number | undefined {
    return this.#lastSyncAt;
  }

  /** For how long the last good routes on disk have been behind the table; undefined where none are kept. */
  get unsavedMs(): number | undefined {
    return this.#saver?.behindMs;
  }

  /** The table holds routes, from the store or from the disk. */
  get hasRoutes(): boolean {
    return this.#options.table.epoch !== '';
  }

  /** Resolves once there are routes to go by or it is clear that none can be had now; follows from then on. */
  async start(): Promise<void> {
    const { lastGood, table, log, store } = this.#options;
    const saved = await lastGood?.load();
    if (saved !== undefined) {
      this.#options.onChanged(table.replace(saved));
      log.info({ epoch: saved.epoch, revision: saved.revision }, 'routes loaded from disk');
    }
    const listener: RouteListener = {
      onUp: () => this.#resync(),
      onUpdate: (update) => this.#take(update),
      onDown: () => log.warn('route subscription lost; going on with the routes at hand'),
    };
    this.#subscription = store.subscribeRoutes(listener);
    await this.#read();
    this.#rounds = [
      startPeriodic(
        () => this.#jittered(this.#timing.poll),
        () => this.#poll(),
      ),
      startPeriodic(
        () => this.#jittered(this.#timing.lease * 0.4),
        () => this.#renew(),
      ),
    ];
  }

  /**
   * Reads the snapshot for somebody who was told that the table is behind. However many ask, at most one more read than
   * the one under way is made, and each asker gets one that began after it asked.
   * @returns whether the table is now the store's
   */
  async refresh(): Promise<boolean> {
    await this.#reading;
    return this.#readAndFlush();
  }

  /** Says good-bye, so that nobody waits for this proxy. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    clearImmediate(this.#flushing);
    await this.#subscription?.close();
    await Promise.all(this.#rounds.map((rounds) => rounds.stop()));
    await this.#reading;
    await this.#saver?.stop();
    await this.#options.store.withdrawReport(this.#options.proxyId).catch(() => {});
  }

  #take(update: RouteUpdate): void {
    this.#pending.push(update);
    // All that one read of the socket brought is applied, compiled and reported together.
    this.#flushing ??= setImmediate(() => {
      this.#flushing = undefined;
      this.#flush();
    });
  }

  #flush(): void {
    const { table } = this.#options;
    if (this.#reading !== undefined) return; // The snapshot comes first; it flushes when it is in.
    const pending = this.#pending.filter((u) => u.epoch !== table.epoch || u.revision > table.revision);
    this.#pending = [];
    const follows = pending.every((u, i) => u.epoch === table.epoch && u.revision === table.revision + 1 + i);
    if (!follows) {
      this.#resync();
      return;
    }
    if (pending.length === 0) return;
    this.#changed(table.apply(pending));
  }

  #changed(change: TableChange): void {
    this.#lastSyncAt = this.#options.clock.now();
    this.#options.onChanged(change);
    void this.#report();
    this.#saver?.changed();
  }

  #resync(): void {
    void this.#readAndFlush();
  }

  async #readAndFlush(): Promise<boolean> {
    const isRead = await this.#read();
    this.#flush();
    return isRead;
  }

  /** Reads the snapshot, once however many ask; tries again until it is in. */
  async #read(): Promise<boolean> {
    this.#reading ??= this.#readOnce();
    return this.#reading;
  }

  async #retryLater(): Promise<void> {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    const goesOn = await this.#pause(this.#timing.retry);
    this.#isRetrying = false;
    if (goesOn) this.#resync();
  }

  /** @returns whether the table is the store's */
  async #readOnce(): Promise<boolean> {
    const { table, log, clock } = this.#options;
    const before = { epoch: table.epoch, revision: table.revision };
    const wasPartial = this.#isPartial;
    try {
      const { snapshot, isPartial } = await readWholeSnapshot(
        { readSnapshot: () => this.#readSnapshot() },
        () => table.snapshot(),
      );
      this.#reads.worked();
      this.#isPartial = isPartial;
      if (snapshot.epoch !== before.epoch && snapshot.revision === 0 && before.epoch !== '') {
        // A store that has lost everything is no reason to forget it too.
        if (!this.#warnedOfEmptyStore)
          log.warn({ epoch: snapshot.epoch }, 'the store is empty; keeping the last good routes');
        this.#warnedOfEmptyStore = true;
        return false;
      }
      this.#warnedOfEmptyStore = false;
      // Updates may have come in while the snapshot was read; but one that is older than the table was *before*
      // means that the store went back (a fail-over lost its last writes), and the store is the truth.
      const isNewer = snapshot.epoch !== table.epoch || snapshot.revision > table.revision;
      const wentBack = snapshot.epoch === before.epoch && snapshot.revision < before.revision;
      if (isNewer || wentBack || wasPartial) {
        if (wentBack)
          log.warn({ from: before.revision, to: snapshot.revision }, 'the store went back; following it');
        this.#changed(table.replace(snapshot));
      } else {
        this.#lastSyncAt = clock.now();
        this.#reported = NOTHING;
        void this.#report();
      }
      return true;
    } catch (error) {
      this.#reads.failed(error);
      void this.#retryLater();
      return false;
    } finally {
      this.#reading = undefined;
    }
  }

  #readSnapshot(): Promise<RouteSnapshot> {
    const { store, table, log, clock } = this.#options;
    return readOrGiveBack(store, this.#lastSyncAt === undefined ? undefined : table.snapshot(), {
      now: () => clock.now(),
      onLost: (epoch) =>
        log.warn({ epoch }, 'the store has lost its routes; it is given back the last good ones'),
    });
  }

  async #poll(): Promise<void> {
    const { store, table, clock, log } = this.#options;
    try {
      const head = await store.readHead();
      const isCurrent = head.epoch === table.epoch && head.revision === table.revision;
      if (isCurrent && !this.#isPartial) this.#lastSyncAt = clock.now();
      else await this.#read();
    } catch (error) {
      log.debug({ err: error }, 'the revision could not be read');
    }
  }

  async #renew(): Promise<void> {
    this.#reported = NOTHING;
    await this.#report();
  }

  /** Reports the revision in use; one report at a time, the latest revision last. */
  async #report(): Promise<void> {
    if (this.#reporting || this.#stopped.signal.aborted) return;
    const { store, table, proxyId, log } = this.#options;
    this.#reporting = true;
    try {
      while (this.#reported.revision !== table.revision || this.#reported.epoch !== table.epoch) {
        const head = { epoch: table.epoch, revision: table.revision };
        await store.reportApplied({ proxyId, ...head }, this.#timing.lease);
        this.#reported = head;
      }
    } catch (error) {
      log.debug({ err: error }, 'the revision could not be reported');
    } finally {
      this.#reporting = false;
    }
  }

  #jittered(ms: number): number {
    return ms * (0.8 + 0.4 * this.#options.random());
  }

  /** Waits for about that long. @returns whether to go on */
  #pause(ms: number): Promise<boolean> {
    return pause(this.#jittered(ms), this.#stopped.signal);
  }
}
