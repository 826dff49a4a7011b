import { Counter, type Registry } from 'prom-client';
import { DEPLOYMENT_STATUSES, type Deployment } from '../src/core/deployment.ts';
import { CRITERIA } from '../src/core/judge/evidence.ts';
import { scopeKey, type Route } from '../src/core/route.ts';
import type { Logger } from '../src/runtime/log.ts';
import { computedGauge, type Sample } from '../src/runtime/metrics/computed.ts';
import type { Store } from '../src/runtime/store/store.ts';
import type { Change } from './deployment-changes.ts';

/**
 * The control plane's metrics. What is (weights, statuses) is read from the store when somebody scrapes; what happened
 * (promotions, rollbacks) is counted where it was done, so that the sum over instances is the total.
 */
export interface ControlMetrics {
  readonly registry: Registry;
  count(change: Change): void;
}

/** Scopes shown; a fleet with more would pay for series that nobody looks at one by one. */
const SCOPES_MAX = 2000;
/** Deployments read at once. */
const PAGE = 500;

export function createControlMetrics(
  store: Store,
  log: Logger,
  version: string,
  registry: Registry,
): ControlMetrics {
  /** A scrape without these samples is better than none while the store is away. */
  const orNone = (read: () => Promise<readonly Sample[]>) => () =>
    read().catch((error: unknown) => {
      log.warn({ err: error }, 'a scrape could not read the store');
      return [];
    });

  computedGauge(registry, 'lanewise_build_info', 'Always 1; the labels say which build this is.', () => [
    { labels: { version, component: 'control' }, value: 1 },
  ]);
  computedGauge(
    registry,
    'canary_traffic_weight_ratio',
    'Share of the jobs of a queue that its route sends to each lane, 0 to 1; tenants with routes of their own apart.',
    orNone(() => trafficWeights(store)),
  );
  computedGauge(
    registry,
    'canary_deployment_status',
    'Status of the latest deployment of each queue and tenant: 1 for the one it has, 0 for the others.',
    orNone(() => deploymentStatuses(store)),
  );
  const registers = [registry];
  const promotions = new Counter({
    name: 'canary_promotions_total',
    help: 'Deployments promoted by this instance.',
    labelNames: ['queue'],
    registers,
  });
  const rollbacks = new Counter({
    name: 'canary_rollbacks_total',
    help: 'Deployments rolled back by this instance, by kind of reason.',
    labelNames: ['queue', 'reason'],
    registers,
  });

  return {
    registry,
    count({ deployment: { queue }, events }) {
      for (const { type, data } of events) {
        if (type === 'deployment_promoted') promotions.inc({ queue });
        // The free text of a reason would make a series of its own each time.
        if (type === 'deployment_rolled_back') rollbacks.inc({ queue, reason: kindOf(data?.['cause']) });
      }
    },
  };
}

const CAUSES: ReadonlySet<unknown> = new Set([...CRITERIA, 'max_duration']);

function kindOf(cause: unknown): string {
  return typeof cause === 'string' && CAUSES.has(cause) ? cause : 'manual';
}

async function trafficWeights(store: Store): Promise<readonly Sample[]> {
  const ofQueues: Route[] = [];
  for await (const routes of store.walkRoutes()) {
    ofQueues.push(...routes.filter(({ tenant }) => tenant === undefined));
    if (ofQueues.length >= SCOPES_MAX) break;
  }
  return ofQueues.slice(0, SCOPES_MAX).flatMap(({ queue, split }) => {
    const percentage = split?.percentage ?? 0;
    return [
      { labels: { queue, lane: 'canary' }, value: percentage / 100 },
      { labels: { queue, lane: 'stable' }, value: (100 - percentage) / 100 },
    ];
  });
}

/** Reads from the newest on, no further than needed: those that have ended pile up. */
async function deploymentStatuses(store: Store): Promise<readonly Sample[]> {
  const latest = new Map<string, Deployment>();
  for (let offset = 0, isLast = false; !isLast && latest.size < SCOPES_MAX; offset += PAGE) {
    const { total, deployments } = await store.pageDeployments({}, { offset, limit: PAGE });
    for (const deployment of deployments) {
      const scope = scopeKey(deployment.queue, deployment.tenant);
      if (!latest.has(scope)) latest.set(scope, deployment);
    }
    isLast = offset + PAGE >= total;
  }
  return [...latest.values()].slice(0, SCOPES_MAX).flatMap(({ id, queue, status: current }) =>
    DEPLOYMENT_STATUSES.map((status) => ({
      labels: { deployment: id, queue, status },
      value: status === current ? 1 : 0,
    })),
  );
}
