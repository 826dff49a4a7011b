import { decideLane } from '../src/core/decide.ts';
import type { RoutingStrategy } from '../src/core/deployment.ts';
import { bullmqHeaderProblem } from '../src/core/bullmq-job.ts';
import { hashKey } from '../src/core/hash.ts';
import { isOfBullmq, type LaneQueue } from '../src/core/lane-keys.ts';
import type { Lane } from '../src/core/lane.ts';
import type { QueueJob } from '../src/core/queue-job.ts';
import type { QueuePolicy, RoutingTable } from '../src/core/routing-table.ts';
import type { Endpoint } from '../src/core/pool.ts';
import type { RouteHead } from '../src/runtime/store/store.ts';
import {
  badBullmqOptions,
  mixedStrategies,
  nobodyServes,
  notBatched,
  overrideNotAllowed,
  strategyChanged,
} from './dispatch-errors.ts';
import type { JobDraft } from './enqueue-draft.ts';

/**
 * Which lane each of some jobs goes to, all by one state of the routes: that one's head goes along to the store, which
 * refuses what was routed before a roll-back. No worker is asked for, since the lane may be read by somebody else.
 */
export interface LaneRoutes {
  readonly table: RoutingTable<Endpoint>;
  /** What the configuration says of a queue that it names; undefined for any other. */
  readonly policyOf: (queue: string) => QueuePolicy | undefined;
  /** Undefined for a strategy without lanes. */
  readonly laneQueueOf: (queue: string, strategy: RoutingStrategy) => LaneQueue | undefined;
}

export interface EnqueuePlan {
  readonly queue: LaneQueue;
  readonly strategy: RoutingStrategy;
  readonly routedBy: RouteHead;
  /** In the order of the drafts. */
  readonly jobs: readonly PlannedJob[];
}

export interface PlannedJob {
  readonly draft: JobDraft;
  readonly lane: Lane;
  /** Of either lane; empty where no deployment has named one. */
  readonly versions: Readonly<Record<Lane, string>>;
  readonly deploymentId: string | undefined;
}

/**
 * The strategy that a job follows. Undefined for a queue that nobody knows: no deployment, no worker, no
 * configuration. Were it taken on trust, each misspelt name would make a list that nobody ever reads.
 */
export function strategyFor(
  { table, policyOf }: LaneRoutes,
  queue: string,
  tenant: string | undefined,
): RoutingStrategy | undefined {
  const route = table.routeFor(queue, tenant);
  if (route !== undefined) return route.strategy;
  const policy = policyOf(queue);
  return policy && (policy.strategy ?? policy.strategyDefault);
}

/**
 * @param isBatch decides what to say where the strategy has no lanes
 * @throws LanewiseError NO_WORKER_AVAILABLE, INVALID_DISPATCH, QUEUE_UNAVAILABLE
 */
export function planEnqueue(
  routes: LaneRoutes,
  queue: string,
  drafts: readonly JobDraft[],
  isBatch: boolean,
  random: () => number,
): EnqueuePlan {
  const strategies = new Set<RoutingStrategy>();
  const jobs = drafts.map((draft): PlannedJob => {
    const { tenant, override, key } = draft;
    const strategy = strategyFor(routes, queue, tenant);
    if (strategy === undefined) throw nobodyServes(queue);
    strategies.add(strategy);
    const policy = routes.table.queues.get(queue)?.policy ?? routes.policyOf(queue);
    if (override !== undefined && policy?.laneOverride !== true) throw overrideNotAllowed(queue);
    const route = routes.table.routeFor(queue, tenant);
    return {
      draft,
      lane: route === undefined ? 'stable' : decideLane(route, hashKey(key), override, random),
      versions: route?.versions ?? NO_VERSIONS,
      deploymentId: route?.deploymentId,
    };
  });
  const [strategy, ...others] = strategies;
  if (strategy === undefined) throw nobodyServes(queue);
  if (others.length > 0) throw mixedStrategies(queue, [strategy, ...others]);
  const laneQueue = routes.laneQueueOf(queue, strategy);
  if (laneQueue === undefined) throw isBatch ? notBatched(queue, strategy) : strategyChanged(queue);
  if (isOfBullmq(laneQueue)) checkBullmqOptions(drafts);
  const { epoch, revision } = routes.table;
  return { queue: laneQueue, strategy, routedBy: { epoch, revision }, jobs };
}

/** @param enqueuedAt milliseconds since the epoch */
export function jobOf({ draft, lane, versions }: PlannedJob, enqueuedAt: number): QueueJob {
  const { id, key, tenant, content } = draft;
  return {
    id,
    key,
    ...(tenant !== undefined && { tenant }),
    ...content,
    attempt: 1,
    lane,
    version: versions[lane],
    enqueuedAt,
    history: [],
  };
}

/** @throws LanewiseError INVALID_DISPATCH */
function checkBullmqOptions(drafts: readonly JobDraft[]): void {
  for (const { id, content } of drafts) {
    const problem = bullmqHeaderProblem(content.headers);
    if (problem !== undefined) throw badBullmqOptions(id, problem);
  }
}

const NO_VERSIONS = { stable: '', canary: '' };
