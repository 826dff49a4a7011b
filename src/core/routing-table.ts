import type { CompiledRoute } from './decide.ts';
import type { RoutingStrategy } from './deployment.ts';
import { laneSeed, laneThreshold } from './lane.ts';
import { membershipOf, type Membership } from './membership.ts';
import type { BoundedLoad, Endpoint, Pool } from './pool.ts';
import { effectiveRoute, scopeKey, type Route } from './route.ts';
import { SharedPools } from './shared-pools.ts';
import type { RoutedWorker } from './worker.ts';

/**
 * The whole routing state of a proxy. A change compiles the queues that it touches and swaps them by reference; a
 * dispatch reads its queue once, so it sees one consistent state. The cost of a change does not depend on how many
 * other queues there are.
 */

export type RouteChange =
  | { readonly kind: 'route'; readonly route: Route }
  | { readonly kind: 'worker'; readonly worker: RoutedWorker }
  | { readonly kind: 'worker_removed'; readonly workerId: string };

/** One routing change as it is published. Revisions of an epoch have no holes. */
export interface RouteUpdate {
  readonly epoch: string;
  readonly revision: number;
  readonly change: RouteChange;
}

/** Everything at one revision. */
export interface RouteSnapshot {
  readonly epoch: string;
  readonly revision: number;
  readonly routes: readonly Route[];
  readonly workers: readonly RoutedWorker[];
  /** What is there but can't be read; absent where there is none. */
  readonly unreadable?: Unreadable;
}

export interface Unreadable {
  /** Scope keys of routes. */
  readonly scopes: readonly string[];
  readonly workers: readonly string[];
}

/** What the configuration says of a queue. */
export interface QueuePolicy {
  /** Wins over the deployment's. */
  readonly strategy: RoutingStrategy | undefined;
  /** For a queue that neither configuration nor a deployment gave one. */
  readonly strategyDefault: RoutingStrategy;
  readonly laneOverride: boolean;
  readonly boundedLoad: BoundedLoad;
}

export interface TableContext<E extends Endpoint> {
  /** The same worker (id, version, url) gives the same endpoint, so that its connections and counts survive. */
  endpointOf(worker: RoutedWorker): E;
  policyOf(queue: string): QueuePolicy;
}

export interface CompiledQueue<E extends Endpoint> {
  readonly policy: QueuePolicy;
  readonly route: CompiledRoute<E>;
  /** Tenants that do not follow the queue. */
  readonly tenants: ReadonlyMap<string, CompiledRoute<E>>;
}

/** What became different, so that who follows the table has to look at nothing else. */
export interface TableChange {
  /** That were compiled anew, or are gone. */
  readonly queues: ReadonlySet<string>;
  /** Ids of workers that are no longer registered. */
  readonly gone: readonly string[];
}

interface QueueInputs {
  readonly workers: Set<string>;
  /** Scope keys of its routes. */
  readonly scopes: Set<string>;
}

export class RoutingTable<E extends Endpoint> {
  readonly #context: TableContext<E>;
  readonly #routes = new Map<string, Route>();
  readonly #workers = new Map<string, RoutedWorker>();
  readonly #inputs = new Map<string, QueueInputs>();
  readonly #queues = new Map<string, CompiledQueue<E>>();
  readonly #pools = new SharedPools<E>();
  #epoch = '';
  #revision = 0;

  constructor(context: TableContext<E>) {
    this.#context = context;
  }

  get epoch(): string {
    return this.#epoch;
  }

  get revision(): number {
    return this.#revision;
  }

  get queues(): ReadonlyMap<string, CompiledQueue<E>> {
    return this.#queues;
  }

  get workers(): ReadonlyMap<string, RoutedWorker> {
    return this.#workers;
  }

  endpointOf(worker: RoutedWorker): E {
    return this.#context.endpointOf(worker);
  }

  /** The route that a job follows; undefined for a queue that nobody serves. */
  routeFor(queue: string, tenant: string | undefined): CompiledRoute<E> | undefined {
    const compiled = this.#queues.get(queue);
    if (compiled === undefined) return undefined;
    return (tenant !== undefined && compiled.tenants.get(tenant)) || compiled.route;
  }

  /** Replaces everything, whatever the revisions are. */
  replace(snapshot: RouteSnapshot): TableChange {
    const touched = new Set<string>(this.#inputs.keys());
    const routes = new Map(snapshot.routes.map((r) => [scopeKey(r.queue, r.tenant), r]));
    const workers = new Set(snapshot.workers.map((w) => w.id));
    for (const key of this.#routes.keys()) if (!routes.has(key)) this.#removeRoute(key);
    const gone = [...this.#workers.keys()].filter((id) => !workers.has(id));
    for (const id of gone) this.#removeWorker(id, touched);
    for (const route of snapshot.routes) this.#putRoute(route, touched);
    for (const worker of snapshot.workers) this.#putWorker(worker, touched);
    this.#epoch = snapshot.epoch;
    this.#revision = snapshot.revision;
    this.#compile(touched);
    return { queues: touched, gone };
  }

  /**
   * Applies changes that follow the current revision one by one.
   * @throws RangeError, with nothing applied, if one of them does not follow the one before
   */
  apply(updates: readonly RouteUpdate[]): TableChange {
    let last = this.#revision;
    for (const { epoch, revision } of updates) {
      if (epoch !== this.#epoch || revision !== last + 1) {
        throw new RangeError(`update ${epoch}/${revision} does not follow ${this.#epoch}/${last}`);
      }
      last = revision;
    }
    const touched = new Set<string>();
    const removed = new Set<string>();
    for (const { revision, change } of updates) {
      this.#revision = revision;
      switch (change.kind) {
        case 'route':
          this.#putRoute(change.route, touched);
          break;
        case 'worker':
          this.#putWorker(change.worker, touched);
          break;
        case 'worker_removed':
          this.#removeWorker(change.workerId, touched);
          removed.add(change.workerId);
          break;
        default:
          change satisfies never;
      }
    }
    this.#compile(touched);
    return { queues: touched, gone: [...removed].filter((id) => !this.#workers.has(id)) };
  }

  snapshot(): RouteSnapshot {
    return {
      epoch: this.#epoch,
      revision: this.#revision,
      routes: [...this.#routes.values()],
      workers: [...this.#workers.values()],
    };
  }

  #inputsOf(queue: string): QueueInputs {
    let inputs = this.#inputs.get(queue);
    if (inputs === undefined) this.#inputs.set(queue, (inputs = { workers: new Set(), scopes: new Set() }));
    return inputs;
  }

  #putRoute(route: Route, touched: Set<string>): void {
    const key = scopeKey(route.queue, route.tenant);
    this.#routes.set(key, route);
    this.#inputsOf(route.queue).scopes.add(key);
    touched.add(route.queue);
  }

  #removeRoute(key: string): void {
    const route = this.#routes.get(key);
    this.#routes.delete(key);
    if (route !== undefined) this.#inputsOf(route.queue).scopes.delete(key);
  }

  #putWorker(worker: RoutedWorker, touched: Set<string>): void {
    this.#removeWorker(worker.id, touched);
    this.#workers.set(worker.id, worker);
    for (const queue of worker.queues) {
      this.#inputsOf(queue).workers.add(worker.id);
      touched.add(queue);
    }
  }

  #removeWorker(id: string, touched: Set<string>): void {
    for (const queue of this.#workers.get(id)?.queues ?? []) {
      this.#inputsOf(queue).workers.delete(id);
      touched.add(queue);
    }
    this.#workers.delete(id);
  }

  #compile(queues: ReadonlySet<string>): void {
    for (const queue of queues) {
      const inputs = this.#inputs.get(queue);
      if (inputs === undefined) continue;
      const previous = this.#queues.get(queue);
      if (inputs.workers.size === 0 && inputs.scopes.size === 0) {
        this.#inputs.delete(queue);
        this.#queues.delete(queue);
      } else {
        const next = this.#compileQueue(queue, inputs);
        // Jobs come here, so none of them shall wait for a ring.
        if (previous !== undefined && poolsOf(previous).some((pool) => pool.hasRing)) buildRings(next);
        this.#queues.set(queue, next);
      }
      // After the new ones were taken, so that what both use is kept.
      if (previous !== undefined) this.#release(previous);
    }
  }

  #compileQueue(queue: string, inputs: QueueInputs): CompiledQueue<E> {
    const policy = this.#context.policyOf(queue);
    const endpoints = [...inputs.workers]
      .toSorted()
      .map((id) => this.#context.endpointOf(this.#workers.get(id)!));
    const queueRoute = this.#routes.get(scopeKey(queue));
    const tenants = new Map<string, CompiledRoute<E>>();
    for (const key of inputs.scopes) {
      const own = this.#routes.get(key)!;
      if (own.tenant === undefined) continue;
      const route = effectiveRoute(queueRoute, own);
      if (route !== queueRoute)
        tenants.set(own.tenant, compileRoute(queue, policy, route, endpoints, this.#pools));
    }
    return {
      policy,
      route: compileRoute(queue, policy, queueRoute, endpoints, this.#pools),
      tenants: tenants.size === 0 ? NO_TENANTS : tenants,
    };
  }

  #release(queue: CompiledQueue<E>): void {
    for (const pool of poolsOf(queue)) this.#pools.release(pool);
  }
}

function poolsOf<E extends Endpoint>({ route, tenants }: CompiledQueue<E>): readonly Pool<E>[] {
  return [route, ...tenants.values()].flatMap(({ canary, stable, reserve }) => [canary, stable, reserve]);
}

function buildRings(queue: CompiledQueue<Endpoint>): void {
  for (const pool of poolsOf(queue)) void pool.ring;
}

const NO_TENANTS: ReadonlyMap<string, never> = new Map<string, never>();

function compileRoute<E extends Endpoint>(
  queue: string,
  policy: QueuePolicy,
  route: Route | undefined,
  endpoints: readonly E[],
  pools: SharedPools<E>,
): CompiledRoute<E> {
  const split = route?.split;
  const membersOf = (place: Membership): Pool<E> =>
    pools.take(endpoints.filter((e) => membershipOf(e.worker, route) === place));
  return {
    queue,
    tenant: route?.tenant,
    strategy: policy.strategy ?? route?.strategy ?? policy.strategyDefault,
    percentage: split?.percentage ?? 0,
    versions: { stable: route?.stableVersion ?? '', canary: split?.canaryVersion ?? '' },
    sticky: split?.sticky ?? true,
    seed: split === undefined ? 0 : laneSeed(split.deploymentId),
    threshold: split === undefined ? 0 : laneThreshold(split.percentage),
    fallsBack: split?.fallback !== 'none',
    retriesOnStable: split?.retryOnStable ?? false,
    deploymentId: split?.deploymentId,
    step: split?.step ?? 0,
    countsKeys: split?.countsKeys ?? false,
    boundedLoad: policy.boundedLoad,
    canary: membersOf('canary'),
    stable: membersOf('stable'),
    reserve: membersOf('reserve'),
  };
}
