import type { Deployment, Fallback, RoutingStrategy } from './deployment.ts';

/**
 * What the proxies need to know about one *scope*, a queue or a queue and tenant. A route outlives its deployments:
 * it remembers which version is the stable one and which versions are out, so that a promotion is safe to forget.
 */
export interface Route {
  readonly queue: string;
  readonly tenant?: string;
  /** Of the routing change that wrote this; set by the store. */
  readonly revision: number;
  /** Of its latest deployment. */
  readonly strategy: RoutingStrategy;
  /** The version that its latest decision left as the stable one. */
  readonly stableVersion: string;
  /** Versions that a promotion replaced. They serve only while no worker of a better version can. */
  readonly superseded: readonly string[];
  /** Versions that were rolled back. They get nothing until a new deployment names them. */
  readonly rejected: readonly string[];
  /** The deployment that has not ended, if any. */
  readonly split?: Split;
  /** Revision at which the latest deployment was promoted, 0 if none ever was. */
  readonly promotedAt: number;
  /** Revision at which the latest deployment was opened or ended, as opposed to a mere change of percentage. */
  readonly decidedAt: number;
}

export interface Split {
  readonly deploymentId: string;
  readonly canaryVersion: string;
  readonly percentage: number;
  /** The number of this percentage in its deployment: what the telemetry of its jobs is kept under. */
  readonly step: number;
  readonly sticky: boolean;
  readonly fallback: Fallback;
  readonly retryOnStable: boolean;
  /** Whether distinct keys are counted. */
  readonly countsKeys: boolean;
}

/** A route as the domain writes it: revisions that stand for "this very change" are filled in by the store. */
export const THIS_REVISION = -1;

/** Releases remembered of each kind; older workers than that are not expected to live. */
const REMEMBERED_VERSIONS_MAX = 64;

/** Unambiguous: queue names hold no `|`. */
export function scopeKey(queue: string, tenant?: string): string {
  return tenant === undefined ? queue : `${queue}|${tenant}`;
}

function without(versions: readonly string[], ...gone: readonly string[]): readonly string[] {
  return versions.filter((v) => !gone.includes(v));
}

function remember(versions: readonly string[], version: string): readonly string[] {
  return [...without(versions, version), version].slice(-REMEMBERED_VERSIONS_MAX);
}

/**
 * A deployment begins. Naming a version lifts what was held against it; a stable version that is no longer named is
 * one that the new stable version replaces.
 */
export function openSplit(previous: Route | undefined, deployment: Deployment): Route {
  const { stableVersion, canaryVersion } = deployment;
  return {
    queue: deployment.queue,
    ...(deployment.tenant !== undefined && { tenant: deployment.tenant }),
    revision: THIS_REVISION,
    strategy: deployment.config.routingStrategy,
    stableVersion,
    superseded: without(
      previous === undefined ? [] : [...previous.superseded, previous.stableVersion],
      stableVersion,
      canaryVersion,
    ).slice(-REMEMBERED_VERSIONS_MAX),
    rejected: without(previous?.rejected ?? [], stableVersion, canaryVersion),
    split: {
      deploymentId: deployment.id,
      canaryVersion,
      percentage: deployment.currentPercent,
      step: deployment.step,
      sticky: deployment.config.stickyRouting,
      fallback: deployment.config.fallback,
      retryOnStable: deployment.config.retryOnStable,
      countsKeys: deployment.config.requiredKeys > 0,
    },
    promotedAt: previous?.promotedAt ?? 0,
    decidedAt: THIS_REVISION,
  };
}

export function withPercentage(route: Route, percentage: number, step: number): Route {
  const { split } = route;
  if (split === undefined) return route;
  return { ...route, revision: THIS_REVISION, split: { ...split, percentage, step } };
}

/** The canary version takes over; the old stable one is kept as a last resort. */
export function promoted(route: Route): Route {
  const { split, ...rest } = route;
  if (split === undefined) return route;
  return {
    ...rest,
    revision: THIS_REVISION,
    stableVersion: split.canaryVersion,
    superseded: remember(route.superseded, route.stableVersion),
    promotedAt: THIS_REVISION,
    decidedAt: THIS_REVISION,
  };
}

/** The canary version is out. */
export function rolledBack(route: Route): Route {
  const { split, ...rest } = route;
  if (split === undefined) return route;
  return {
    ...rest,
    revision: THIS_REVISION,
    rejected: remember(route.rejected, split.canaryVersion),
    decidedAt: THIS_REVISION,
  };
}

/**
 * A promotion is taken back before it is over: the version that it replaced is the stable one again. `promotedAt` stays,
 * so a tenant is held at the version that its deployment began from.
 */
export function promotionTakenBack(
  route: Route,
  { stableVersion, canaryVersion }: Pick<Deployment, 'stableVersion' | 'canaryVersion'>,
): Route {
  return {
    ...route,
    revision: THIS_REVISION,
    stableVersion,
    superseded: without(route.superseded, stableVersion),
    rejected: remember(route.rejected, canaryVersion),
    decidedAt: THIS_REVISION,
  };
}

/** Puts the revision of the change in every place that stands for it. */
export function stampRoute(route: Route, revision: number): Route {
  return {
    ...route,
    revision,
    promotedAt: route.promotedAt === THIS_REVISION ? revision : route.promotedAt,
    decidedAt: route.decidedAt === THIS_REVISION ? revision : route.decidedAt,
  };
}

/**
 * The route that a tenant's jobs follow:
 * - the tenant's own, while a deployment of its own is open;
 * - the tenant's own, where it had a promotion later than the queue's latest one and the queue does not stand on that
 *   version (yet): a deployment of the queue that starts from another version must not take the tenant back;
 * - else the queue's, but for the versions that were rolled back for this tenant: one of those it gets again only
 *   from a deployment of the queue that was opened later, or by its promotion.
 */
export function effectiveRoute(queueRoute: Route | undefined, tenantRoute: Route): Route {
  if (queueRoute === undefined || tenantRoute.split !== undefined) return tenantRoute;
  const keepsPromotion =
    tenantRoute.promotedAt > queueRoute.promotedAt && queueRoute.stableVersion !== tenantRoute.stableVersion;
  if (keepsPromotion) return tenantRoute;

  const { split, ...unsplit } = queueRoute;
  const { rejected } = tenantRoute;
  const isTakenBack =
    split !== undefined &&
    rejected.includes(split.canaryVersion) &&
    tenantRoute.decidedAt > queueRoute.decidedAt;
  const more = without(rejected, ...queueRoute.rejected);
  if (more.length === 0) return queueRoute;
  return { ...(isTakenBack ? unsplit : queueRoute), rejected: [...queueRoute.rejected, ...more] };
}
