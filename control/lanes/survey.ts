import type { Clock } from '../../src/core/clock.ts';
import type { Deployment } from '../../src/core/deployment.ts';
import type { LaneQueue } from '../../src/core/lane-keys.ts';
import type { Logger } from '../../src/runtime/log.ts';
import type { Store } from '../../src/runtime/store/store.ts';
import type { DeploymentService } from '../deployments.ts';
import type { JudgeLease } from '../judge/lease.ts';
import { sideBySide } from '../side-by-side.ts';
import { isOutage, moveToStable } from './drain.ts';
import { strandedMoved } from './lane-changes.ts';
import { draining, openOn } from './open-deployments.ts';
import { DRAINER, Outdated, underLease } from './outdated.ts';
import type { QueueCatalog } from './queue-catalog.ts';
import { READINGS_AT_ONCE, readQueue, type QueueReading } from './queue-reading.ts';
import { sweepOf, watchLane, type Stillness } from './stranded.ts';

/**
 * Looks at the lanes of every queue now and then, on the instance that holds the judge's lease: for the metrics, and to
 * move canary jobs to stable that would otherwise lie for ever, since their deployment is over or since nobody reads
 * the lane. What it remembers between looks is only its own: the next holder begins to watch anew.
 */
export interface LaneSurvey {
  /** @throws LanewiseError if queues or deployments cannot be listed */
  tick(): Promise<void>;
  /** What lay in each queue at the last look; nothing where another instance looks. */
  latest(): Iterable<readonly [queue: string, ReadQueue]>;
  readonly counts: LaneSurveyCounts;
}

/** By queue, since this instance started. */
export interface LaneSurveyCounts {
  readonly stranded: ReadonlyMap<string, number>;
  readonly late: ReadonlyMap<string, number>;
  /** Growth of the dead from look to look. */
  readonly dead: ReadonlyMap<string, number>;
}

type SurveyedStore = Pick<Store, 'listDeployments' | 'readDepths' | 'intake' | 'recoverJobs' | 'drainLane'>;

export interface LaneSurveyOptions {
  readonly store: SurveyedStore;
  readonly catalog: Pick<QueueCatalog, 'list'>;
  readonly deployments: Pick<DeploymentService, 'change'>;
  readonly lease: Pick<JudgeLease, 'fence'>;
  readonly clock: Clock;
  readonly log: Logger;
  strandedAfterMs(queue: string): number;
}

export type ReadQueue = QueueReading & { readonly kind: 'read' };

/** A thousand jobs each; the rest at the next look. */
const CHUNKS_A_SWEEP = 64;

interface Seen {
  readonly reading: ReadQueue;
  readonly stillness: Stillness | undefined;
}

/** What goes on at the time of a look. */
interface Scene {
  readonly fence: number;
  readonly open: ReadonlyMap<string, readonly Deployment[]>;
  readonly draining: ReadonlySet<string>;
}

export function createLaneSurvey(options: LaneSurveyOptions): LaneSurvey {
  const { store, catalog, deployments, lease, clock, log } = options;
  const counts = {
    stranded: new Map<string, number>(),
    late: new Map<string, number>(),
    dead: new Map<string, number>(),
  };
  let seen = new Map<string, Seen>();
  /** Under which `seen` was gathered. */
  let heldFence: number | undefined;

  const look = async (lanes: LaneQueue, scene: Scene): Promise<void> => {
    const { name } = lanes;
    const reading = await readQueue(store, lanes);
    if (reading.kind === 'unusable') return void seen.delete(name);
    const { depths } = reading;
    const before = seen.get(name);
    if (before !== undefined) add(counts.dead, name, Math.max(0, depths.dead - before.reading.depths.dead));
    const { canary } = depths.lanes;
    // What a dead consumer holds looks as if it were in work.
    if (canary.inFlight > 0) await store.recoverJobs(lanes);
    const now = clock.now();
    const stillness = watchLane(before?.stillness, canary, now);
    seen.set(name, { reading, stillness });
    const open = scene.open.get(name) ?? [];
    const strandedAfterMs = options.strandedAfterMs(name);
    const isDraining = scene.draining.has(name);
    const sweep = sweepOf({ canary, stillness, open, isDraining, strandedAfterMs }, now);
    if (sweep === 'none' || lease.fence() !== scene.fence) return;
    const { moved } = await moveToStable(store, lanes, CHUNKS_A_SWEEP);
    if (moved === 0) return;
    seen.set(name, { reading, stillness: undefined });
    add(counts[sweep], name, moved);
    log.warn({ queue: name, moved, sweep }, 'canary jobs that nobody would have taken went to stable');
    if (sweep === 'stranded') await tell(open, moved, scene);
  };

  /** The lane is common to all of them, so each of them says it. */
  const tell = async (open: readonly Deployment[], moved: number, { fence }: Scene): Promise<void> => {
    for (const { id } of open) {
      await guarded(id, async () => {
        await deployments.change(id, strandedMoved(moved), DRAINER, underLease(lease, fence));
      });
    }
  };

  const guarded = async (subject: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      const isExpected = error instanceof Outdated || isOutage(error);
      log[isExpected ? 'debug' : 'warn']({ err: error, subject }, 'lanes could not be looked at');
    }
  };

  return {
    counts,
    async tick() {
      const fence = lease.fence();
      if (fence === undefined || fence !== heldFence) seen = new Map();
      heldFence = fence;
      if (fence === undefined) return;
      // The deployments first: one that opens meanwhile is then taken for none, which costs it some canary jobs once.
      const [open, emptied] = await Promise.all([openOn(store), draining(store)]);
      const queues = (await catalog.list()).flatMap(({ lanes }) => lanes ?? []);
      const names = new Set(queues.map(({ name }) => name));
      for (const name of seen.keys()) if (!names.has(name)) seen.delete(name);
      const scene = {
        fence,
        open: Map.groupBy(open, ({ queue }) => queue),
        draining: new Set(emptied.map(({ queue }) => queue)),
      };
      await sideBySide(READINGS_AT_ONCE, queues, (lanes) => guarded(lanes.name, () => look(lanes, scene)));
    },
    *latest() {
      if (lease.fence() === undefined) return;
      for (const [queue, { reading }] of seen) yield [queue, reading];
    },
  };
}

function add(counts: Map<string, number>, queue: string, more: number): void {
  if (more > 0 || !counts.has(queue)) counts.set(queue, (counts.get(queue) ?? 0) + more);
}
