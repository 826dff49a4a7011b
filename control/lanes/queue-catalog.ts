import { laneQueueOf, type LaneSettings } from '../../config/lane-queues.ts';
import type { RoutingStrategy } from '../../src/core/deployment.ts';
import type { LaneQueue } from '../../src/core/lane-keys.ts';
import type { Route } from '../../src/core/route.ts';
import type { Store } from '../../src/runtime/store/store.ts';

/**
 * The queues that there are, and how their jobs wait. Nobody registers a queue: it is known by its route, by the
 * configuration, or by a worker that serves it, and its strategy follows from the first two, as in the proxies.
 */
export interface QueueCatalog {
  /** By name. */
  list(): Promise<readonly KnownQueue[]>;
  /** Any name will do: producers make queues by using them. */
  get(name: string): Promise<KnownQueue>;
  /** The lanes that a deployment splits; undefined for hash_ring. */
  lanesOf(name: string, strategy: RoutingStrategy): LaneQueue | undefined;
}

export interface KnownQueue {
  readonly name: string;
  readonly strategy: RoutingStrategy;
  /** None for hash_ring. */
  readonly lanes: LaneQueue | undefined;
}

export interface QueueSettings extends LaneSettings {
  readonly routing_strategy?: RoutingStrategy | undefined;
}

export interface QueueCatalogOptions {
  readonly store: Pick<Store, 'walkRoutes' | 'listServedQueues' | 'getRoute'>;
  readonly queues: Readonly<Record<string, QueueSettings>>;
  /** For a queue that neither its settings nor a deployment give one. */
  readonly strategyDefault: RoutingStrategy;
}

export function createQueueCatalog({ store, queues, strategyDefault }: QueueCatalogOptions): QueueCatalog {
  const known = (name: string, routes: readonly Route[]): KnownQueue => {
    const pinned = Object.hasOwn(queues, name) ? queues[name]?.routing_strategy : undefined;
    const strategy = pinned ?? routedStrategy(routes) ?? strategyDefault;
    return { name, strategy, lanes: laneQueueOf(queues, name, strategy) };
  };
  return {
    async list() {
      const [routes, served] = await Promise.all([allRoutes(store), store.listServedQueues()]);
      const byName = Map.groupBy(routes, ({ queue }) => queue);
      const names = new Set([...byName.keys(), ...Object.keys(queues), ...served]);
      // By code unit: the same order everywhere, whatever the locale.
      return [...names].toSorted().map((name) => known(name, byName.get(name) ?? []));
    },
    async get(name) {
      const route = await store.getRoute(name);
      if (route !== undefined) return known(name, [route]);
      const ofTenants = (await allRoutes(store)).filter(({ queue }) => queue === name);
      return known(name, ofTenants);
    },
    lanesOf: (name, strategy) => laneQueueOf(queues, name, strategy),
  };
}

/** The queue's own route says; where only tenants have routes, the one that was decided last. */
function routedStrategy(routes: readonly Route[]): RoutingStrategy | undefined {
  const own = routes.find(({ tenant }) => tenant === undefined);
  return (own ?? routes.toSorted((a, b) => b.decidedAt - a.decidedAt)[0])?.strategy;
}

async function allRoutes(store: Pick<Store, 'walkRoutes'>): Promise<readonly Route[]> {
  const all: Route[] = [];
  for await (const routes of store.walkRoutes()) all.push(...routes);
  return all;
}
