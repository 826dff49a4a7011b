import type { Deployment, DeploymentEvent, DeploymentStatus } from '../../core/deployment.ts';
import type { Route } from '../../core/route.ts';
import type { RouteSnapshot, RouteUpdate } from '../../core/routing-table.ts';
import type { Worker } from '../../core/worker.ts';
import type { BackupStore } from './backup-store.ts';
import type { EventStore } from './event-store.ts';
import type { LaneStore } from './lane-store.ts';
import type { RequestStore } from './request-store.ts';
import type { IntakeStore } from './intake-store.ts';
import type { JudgeStore } from './judge-store.ts';
import type { Notice, OutboxStore } from './outbox-store.ts';
import type { ActivityStore } from './activity-store.ts';
import type { TelemetryStore } from './telemetry-store.ts';

/**
 * What both planes ask of the store, in the domain's verbs. Two implementations stand behind it, Redis and SQLite,
 * and one contract suite (`test/runtime/store/contract.ts`) says what it means.
 *
 * Rules for all of it:
 * - A method that changes something changes all of it or nothing, in one step that no crash can split.
 * - A routing change (a route or the routing part of a worker) raises the revision by exactly one, in that step, and
 *   is published after it is stored. Publication is a hint; the store is the truth.
 * - A store that cannot be reached rejects with LanewiseError `STORE_UNAVAILABLE`, promptly, never by hanging.
 */
export interface Store
  extends
    DeploymentStore,
    WorkerStore,
    RouteStore,
    TelemetryStore,
    JudgeStore,
    OutboxStore,
    ActivityStore,
    LaneStore,
    RequestStore,
    BackupStore,
    EventStore {
  /** `redis` or `embedded`; for messages only. */
  readonly kind: StoreKind;
  /** On a Redis Cluster what belongs together must share a slot, so queues need a hash tag: `{payments}`. */
  readonly needsHashTags: boolean;
  /** Undefined where nobody can put jobs but by way of us. */
  readonly intake?: IntakeStore;
  /** Whether the store answers right now. @throws STORE_UNAVAILABLE */
  ping(): Promise<void>;
  /** Milliseconds since the epoch by the store's own clock, which runs its leases and buckets. */
  readTime(): Promise<number>;
  /** Lets go of connections and files. Subscriptions end. */
  close(): Promise<void>;
}

export type StoreKind = 'redis' | 'embedded';

/** A route goes along with the deployment's change; `route.revision` and its placeholders are the store's to set. */
export interface NewDeployment {
  readonly deployment: Deployment;
  readonly route: Route;
  /** The revision of the scope's route that `route` was made from, 0 if there was none. */
  readonly basedOnRevision: number;
  readonly events: readonly DeploymentEvent[];
  readonly notices?: readonly Notice[];
  /** How many deployments may be open (not ended) at once. */
  readonly openMax: number;
}

export type CreateResult =
  | { readonly kind: 'saved'; readonly revision: number }
  /** The scope has a deployment that has not ended. */
  | { readonly kind: 'exists'; readonly deploymentId: string }
  | { readonly kind: 'limit'; readonly open: number }
  /** The scope's route has moved on since it was read: read again, decide again. */
  | { readonly kind: 'stale' };

export interface DeploymentChange {
  /** The whole new record; its version is `expectedVersion + 1`. */
  readonly deployment: Deployment;
  readonly expectedVersion: number;
  /** Only where the change moves traffic. */
  readonly route?: Route;
  readonly events: readonly DeploymentEvent[];
  readonly notices?: readonly Notice[];
  /** Of the judge's lease, which must be held with it; without it, whoever may call may change. */
  readonly fence?: number;
}

/** `revision` is that of the routing change, or of the latest one where the change moved no traffic. */
export type SaveResult =
  | { readonly kind: 'saved'; readonly revision: number }
  /** The record has another version by now, or is gone; or the judge's lease has another fence or has run out. */
  | { readonly kind: 'stale' };

export interface DeploymentFilter {
  /** Any of them. */
  readonly status?: DeploymentStatus | readonly DeploymentStatus[];
  readonly queue?: string;
  readonly tenant?: string;
}

export interface PageRange {
  readonly offset: number;
  readonly limit: number;
}

export interface DeploymentPage {
  readonly total: number;
  readonly deployments: readonly Deployment[];
}

/** A deployment and the route of its scope, which may be another one's by now. */
export interface RoutedDeployment {
  readonly deployment: Deployment;
  readonly route: Route | undefined;
}

export interface DeploymentStore {
  createDeployment(creation: NewDeployment): Promise<CreateResult>;
  /** A deployment that has ended gives its scope free for the next one, in the same step. */
  saveDeployment(change: DeploymentChange): Promise<SaveResult>;
  /** With its events and its judgement. The scope's route stays; telemetry goes when its time is over. */
  deleteDeployment(id: string, expectedVersion: number): Promise<SaveResult>;
  getDeployment(id: string): Promise<Deployment | undefined>;
  /** What a change starts from, of one moment. */
  getRoutedDeployment(id: string): Promise<RoutedDeployment | undefined>;
  /** Newest first. */
  listDeployments(filter?: DeploymentFilter): Promise<readonly Deployment[]>;
  /** A part of that list, which is all that is read where the filter allows it; `total` is of the whole list. */
  pageDeployments(filter: DeploymentFilter, page: PageRange): Promise<DeploymentPage>;
  /** Newest first; empty for an unknown deployment. */
  listEvents(deploymentId: string): Promise<readonly DeploymentEvent[]>;
  getRoute(queue: string, tenant?: string): Promise<Route | undefined>;
  /**
   * All routes in any order, a few hundred at a time: for whoever looks at them now and then, and is to hold nobody up. One
   * that changes meanwhile comes as it was or as it is.
   */
  walkRoutes(): AsyncIterable<readonly Route[]>;
}

export interface WorkerStore {
  /**
   * Stores a worker's record if it is still at `expectedVersion` (0: must not exist); `worker.recordVersion` is
   * `expectedVersion + 1`. It is a routing change if its routing part (`toRoutedWorker`) is new or differs from the
   * stored one; otherwise (`lastSeen`, metrics, metadata) the revision stands.
   */
  saveWorker(worker: Worker, expectedVersion: number): Promise<SaveResult>;
  removeWorker(id: string, expectedVersion: number): Promise<SaveResult>;
  getWorker(id: string): Promise<Worker | undefined>;
  /** By id. With a queue only its workers are read. */
  listWorkers(filter?: WorkerFilter): Promise<readonly Worker[]>;
  /** A part of that list, which is all that is read; `total` is of the whole list. */
  pageWorkers(filter: WorkerFilter, page: PageRange): Promise<WorkerPage>;
  /** Queues that a worker serves, by name. */
  listServedQueues(): Promise<readonly string[]>;
}

export interface WorkerFilter {
  readonly queue?: string;
}

export interface WorkerPage {
  readonly total: number;
  readonly workers: readonly Worker[];
}

/** Revisions count within an epoch; a store that was lost or replaced has another one. */
export interface RouteHead {
  readonly epoch: string;
  readonly revision: number;
}

export interface ProxyReport extends RouteHead {
  readonly proxyId: string;
}

/** What a subscriber is told. */
export interface RouteListener {
  /** The subscription stands (again): from here on no update goes unheard until `onDown`. Read the snapshot now. */
  onUp(): void;
  onUpdate(update: RouteUpdate): void;
  /** The subscription is lost; the store goes on trying until it is closed. */
  onDown(): void;
}

export interface Subscription {
  close(): Promise<void>;
}

export interface RouteStore {
  /** Routes and workers at one revision, with nothing in between. */
  readSnapshot(): Promise<RouteSnapshot>;
  readHead(): Promise<RouteHead>;
  /**
   * Gives a store that has lost everything back what is remembered of it: routes and workers that it doesn't have. Does
   * nothing where the store is still of the origin that is remembered. Absent where a store can't be lost alone.
   */
  seedRoutes?(remembered: RouteSnapshot, now: number): Promise<void>;
  /** Returns at once; tells by `onUp` when it stands. */
  subscribeRoutes(listener: RouteListener): Subscription;
  /** A proxy says which revision it routes by. The report counts for `leaseMs`. Published to `subscribeReports`. */
  reportApplied(report: ProxyReport, leaseMs: number): Promise<void>;
  /** A proxy that stops in good order no longer counts. */
  withdrawReport(proxyId: string): Promise<void>;
  /** Reports whose lease runs. */
  listReports(): Promise<readonly ProxyReport[]>;
  /** Calls `onReport` after each report, while it stands. A hint: `listReports` is the truth. */
  subscribeReports(onReport: () => void): Subscription;
}
