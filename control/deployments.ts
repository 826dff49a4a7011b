import { randomUUID } from 'node:crypto';
import type { Clock } from '../src/core/clock.ts';
import { isDraining, isEnded } from '../src/core/deployment-states.ts';
import type { Deployment, DeploymentConfig, DeploymentEvent } from '../src/core/deployment.ts';
import { LanewiseError } from '../src/core/errors.ts';
import { effectiveRoute, openSplit, type Route } from '../src/core/route.ts';
import type { Logger } from '../src/runtime/log.ts';
import type { DeploymentFilter, DeploymentPage, PageRange, Store } from '../src/runtime/store/store.ts';
import { isVisibleTo } from './auth.ts';
import type { Credential } from './credentials.ts';
import type { Change, Circumstances, Decide } from './deployment-changes.ts';
import type { Drain } from './lanes/drain.ts';
import { afterPass } from './lanes/lane-changes.ts';
import { DRAINER, Outdated } from './lanes/outdated.ts';
import {
  hashTagProblem,
  openDeployment,
  supersededStable,
  type DeploymentRequest,
} from './new-deployment.ts';
import type { Propagation, PropagationWatch } from './propagation.ts';
import { repeat } from './repeat.ts';
import { createSerial } from './serial.ts';
import { noticesOf } from './webhooks/notices.ts';
import type { Webhook } from './webhooks/webhook.ts';

/**
 * The life of deployments: read, decide, write only if nothing moved meanwhile, else once more. The decisions are in
 * `deployment-changes.ts` and `new-deployment.ts`; this file only carries them to the store and back.
 */
export interface DeploymentService {
  create(request: DeploymentRequest, config: DeploymentConfig, by: Credential): Promise<Changed>;
  change(id: string, decide: Decide, by: Credential, conditions?: Conditions): Promise<Changed>;
  remove(id: string, by: Credential, conditions?: Pick<Conditions, 'check'>): Promise<void>;
  get(id: string, by: Credential): Promise<Deployment>;
  /** Where its scope's routing stands among the proxies. */
  routing(deployment: Deployment): Promise<Propagation>;
  list(filter: DeploymentFilter, by: Credential): Promise<readonly Deployment[]>;
  page(filter: DeploymentFilter, page: PageRange, by: Credential): Promise<DeploymentPage>;
  events(id: string, by: Credential): Promise<readonly DeploymentEvent[]>;
}

export interface Conditions {
  /** Refuses the record that the change would start from, by throwing. */
  readonly check?: (current: Deployment) => void;
  /** Of the judge's lease. */
  readonly fence?: number;
}

interface Changed {
  readonly deployment: Deployment;
  readonly routing: Propagation;
}

export interface DeploymentServiceDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly watch: PropagationWatch;
  readonly maxActiveDeployments: number;
  readonly propagationWaitMs: number;
  readonly drain: Drain;
  /** Who is told of changes. */
  readonly webhooks: readonly Pick<Webhook, 'name' | 'kinds'>[];
  /** Told of every change after it is stored. */
  onChange(change: Change): void;
}

/** What was done, and what it was done to. */
interface Made {
  readonly before: Deployment;
  readonly change: Change;
  readonly revision: number;
}

/** As many jobs as may wait in the usual lane; a longer one is emptied while nobody waits for an answer. */
const CHUNKS_IN_A_CALL = 1;

/** Anything else can't be the id of a deployment, so nobody has to be asked. */
const DEPLOYMENT_ID = /^canary_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function createDeploymentService(deps: DeploymentServiceDeps): DeploymentService {
  const { store, clock, log, watch, propagationWaitMs, webhooks } = deps;
  const serial = createSerial();

  const circumstances = (by: Credential): Circumstances => ({
    now: clock.now(),
    actor: by.name,
    newId: randomUUID,
  });

  const foundBy = (deployment: Deployment | undefined, by: Credential): Deployment => {
    if (deployment !== undefined && isVisibleTo(by, deployment.tenant)) return deployment;
    throw new LanewiseError('DEPLOYMENT_NOT_FOUND', 'There is no such deployment', {
      details: { id: 'is not the id of a deployment' },
    });
  };

  const get = async (id: string, by: Credential): Promise<Deployment> =>
    foundBy(DEPLOYMENT_ID.test(id) ? await store.getDeployment(id) : undefined, by);

  const stored = async (change: Change, revision: number): Promise<Changed> => {
    const { deployment, events } = change;
    for (const { type, actor, message } of events) {
      log.info({ deployment: deployment.id, queue: deployment.queue, type, actor, revision }, message);
    }
    deps.onChange(change);
    const wait = change.route === undefined ? 0 : propagationWaitMs;
    return { deployment, routing: await watch.wait(revision, wait) };
  };

  /** @returns undefined if something moved meanwhile */
  const tryCreate = async (
    request: DeploymentRequest,
    config: DeploymentConfig,
    by: Credential,
  ): Promise<readonly [Change, number] | undefined> => {
    const route = await store.getRoute(request.queue, request.tenant);
    const details = await supersededProblem(store, request, route);
    if (details !== undefined) {
      throw new LanewiseError('VALIDATION_FAILED', `stable_version ${details.stable_version}`, { details });
    }
    const opened = openDeployment(request, config, circumstances(by));
    const change = { ...opened, route: openSplit(route, opened.deployment) };
    const result = await store.createDeployment({
      ...change,
      basedOnRevision: route?.revision ?? 0,
      openMax: deps.maxActiveDeployments,
    });
    switch (result.kind) {
      case 'saved':
        return [change, result.revision];
      case 'stale':
        return undefined;
      case 'exists':
        throw alreadyExists(request, result.deploymentId);
      case 'limit':
        throw new LanewiseError('CONCURRENCY_LIMIT', `${result.open} deployments are active already`, {
          details: { deployments: `at most ${deps.maxActiveDeployments} may be active; end one first` },
        });
      default:
        return result satisfies never;
    }
  };

  /** @returns undefined if something moved meanwhile */
  const tryChange = async (
    id: string,
    decide: Decide,
    by: Credential,
    { check, fence }: Conditions,
  ): Promise<Made | undefined> => {
    const found = DEPLOYMENT_ID.test(id) ? await store.getRoutedDeployment(id) : undefined;
    const current = foundBy(found?.deployment, by);
    check?.(current);
    const route = found?.route;
    const own = route !== undefined && isRouteOf(route, current) ? route : undefined;
    const change = decide(current, own, circumstances(by));
    if (change === undefined) return undefined;
    const result = await store.saveDeployment({
      ...change,
      notices: noticesOf(change.deployment, change.events, webhooks),
      expectedVersion: current.version,
      ...(fence !== undefined && { fence }),
    });
    return result.kind === 'saved' ? { before: current, change, revision: result.revision } : undefined;
  };

  const make = (id: string, decide: Decide, by: Credential, conditions: Conditions): Promise<Made> =>
    serial.run(id, () => repeat(() => tryChange(id, decide, by, conditions)));

  /**
   * What a promotion or rollback decided is in force with its route; what lies in the lane that it gave up is mostly
   * little, and then the deployment ends with this very call. Otherwise, or if anything fails, the drainer ends it.
   */
  const beginDrain = async (deployment: Deployment): Promise<Changed | undefined> => {
    try {
      const { moved, verdict } = await deps.drain.look(deployment, CHUNKS_IN_A_CALL);
      if (moved === 0 && verdict.kind === 'go_on') return undefined;
      const decide = afterPass(deployment, moved, verdict);
      const { change, revision } = await make(deployment.id, decide, DRAINER, {});
      return await stored(change, revision);
    } catch (error) {
      const isExpected = error instanceof Outdated;
      log[isExpected ? 'debug' : 'warn'](
        { err: error, deployment: deployment.id },
        'a canary lane is drained later',
      );
      return undefined;
    }
  };

  /** @returns undefined if something moved meanwhile */
  const tryRemove = async (
    id: string,
    by: Credential,
    { check }: Pick<Conditions, 'check'>,
  ): Promise<true | undefined> => {
    const current = await get(id, by);
    check?.(current);
    if (!isEnded(current.status)) {
      throw new LanewiseError(
        'DEPLOYMENT_ACTIVE',
        `A deployment that is ${current.status} cannot be deleted`,
        {
          details: {
            status: `must be completed or failed, is ${current.status}; promote or roll back first`,
          },
        },
      );
    }
    const { kind } = await store.deleteDeployment(id, current.version);
    if (kind === 'stale') return undefined;
    log.info({ deployment: id, queue: current.queue, actor: by.name }, 'Deployment deleted');
    return true;
  };

  return {
    async create(request, config, by) {
      const details = store.needsHashTags ? hashTagProblem(request) : undefined;
      if (details !== undefined) {
        throw new LanewiseError('VALIDATION_FAILED', `queue_name ${details.queue_name}`, { details });
      }
      return stored(...(await repeat(() => tryCreate(request, config, by))));
    },
    async change(id, decide, by, conditions = {}) {
      const { before, change, revision } = await make(id, decide, by, conditions);
      const isBegun = before.status !== change.deployment.status && isDraining(change.deployment.status);
      // Waiting for the proxies comes after the turn: it must not hold up the next change.
      const [told, finished] = await Promise.all([
        stored(change, revision),
        isBegun ? beginDrain(change.deployment) : undefined,
      ]);
      return finished === undefined ? told : { ...told, deployment: finished.deployment };
    },
    async remove(id, by, conditions = {}) {
      await serial.run(id, () => repeat(() => tryRemove(id, by, conditions)));
    },
    get,
    async routing({ queue, tenant }) {
      const route = await store.getRoute(queue, tenant);
      return watch.look(route?.revision ?? 0);
    },
    async list(filter, by) {
      const visible = visibleTo(by, filter);
      return visible === undefined ? [] : store.listDeployments(visible);
    },
    async page(filter, page, by) {
      const visible = visibleTo(by, filter);
      return visible === undefined ? { total: 0, deployments: [] } : store.pageDeployments(visible, page);
    },
    async events(id, by) {
      await get(id, by);
      return store.listEvents(id);
    },
  };
}

/** Undefined where nothing is. */
function visibleTo({ tenant }: Credential, filter: DeploymentFilter): DeploymentFilter | undefined {
  if (tenant === undefined) return filter;
  return filter.tenant !== undefined && filter.tenant !== tenant ? undefined : { ...filter, tenant };
}

/** Whether a deployment may go by what the route says, and change it. */
function isRouteOf({ split, stableVersion }: Route, { id, status, canaryVersion }: Deployment): boolean {
  if (split !== undefined) return split.deploymentId === id;
  // The scope has no other deployment until this one has ended.
  return status === 'promoting' && stableVersion === canaryVersion;
}

async function supersededProblem(store: Store, request: DeploymentRequest, own: Route | undefined) {
  const route = await followedRoute(store, request, own);
  if (route === undefined || !route.superseded.includes(request.stableVersion)) return undefined;
  return supersededStable(request, route, await store.listWorkers({ queue: request.queue }));
}

/** The route that the jobs of the request's scope follow right now. */
async function followedRoute(store: Store, { queue, tenant }: DeploymentRequest, own: Route | undefined) {
  if (tenant === undefined) return own;
  const queueRoute = await store.getRoute(queue);
  return own === undefined ? queueRoute : effectiveRoute(queueRoute, own);
}

function alreadyExists({ queue, tenant }: DeploymentRequest, deploymentId: string): LanewiseError {
  const scope = tenant === undefined ? queue : `${queue} of ${tenant}`;
  return new LanewiseError('DEPLOYMENT_EXISTS', `${scope} has a deployment that has not ended`, {
    details: { queue_name: `is taken by ${deploymentId}; promote it or roll it back first` },
  });
}
