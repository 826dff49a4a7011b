import { randomUUID } from 'node:crypto';
import type { Clock } from '../src/core/clock.ts';
import { isEnded } from '../src/core/deployment-states.ts';
import type { Deployment, DeploymentConfig, DeploymentEvent } from '../src/core/deployment.ts';
import { LanewiseError } from '../src/core/errors.ts';
import { effectiveRoute, openSplit, type Route } from '../src/core/route.ts';
import type { Logger } from '../src/runtime/log.ts';
import type { DeploymentFilter, Store } from '../src/runtime/store/store.ts';
import { isVisibleTo } from './auth.ts';
import type { Credential } from './credentials.ts';
import type { Change, Circumstances, Decide } from './deployment-changes.ts';
import {
  hashTagProblem,
  openDeployment,
  supersededStable,
  type DeploymentRequest,
} from './new-deployment.ts';
import type { Propagation, PropagationWatch } from './propagation.ts';
import { repeat } from './repeat.ts';
import { createSerial } from './serial.ts';

/**
 * The life of deployments: read, decide, write only if nothing moved meanwhile, else once more. The decisions are in
 * `deployment-changes.ts` and `new-deployment.ts`; this file only carries them to the store and back.
 */
export interface DeploymentService {
  create(request: DeploymentRequest, config: DeploymentConfig, by: Credential): Promise<Changed>;
  /** @param check refuses the record that the change would start from, by throwing */
  change(id: string, decide: Decide, by: Credential, check?: (current: Deployment) => void): Promise<Changed>;
  /** @param check as of `change` */
  remove(id: string, by: Credential, check?: (current: Deployment) => void): Promise<void>;
  get(id: string, by: Credential): Promise<Deployment>;
  /** Where its scope's routing stands among the proxies. */
  routing(deployment: Deployment): Promise<Propagation>;
  list(filter: DeploymentFilter, by: Credential): Promise<readonly Deployment[]>;
  events(id: string, by: Credential): Promise<readonly DeploymentEvent[]>;
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
  /** Told of every change after it is stored. */
  onChange(change: Change): void;
}

/** Anything else can't be the id of a deployment, so nobody has to be asked. */
const DEPLOYMENT_ID = /^canary_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function createDeploymentService(deps: DeploymentServiceDeps): DeploymentService {
  const { store, clock, log, watch, propagationWaitMs } = deps;
  const serial = createSerial();

  const circumstances = (by: Credential): Circumstances => ({
    now: clock.now(),
    actor: by.name,
    newId: randomUUID,
  });

  const get = async (id: string, by: Credential): Promise<Deployment> => {
    const deployment = DEPLOYMENT_ID.test(id) ? await store.getDeployment(id) : undefined;
    if (deployment !== undefined && isVisibleTo(by, deployment.tenant)) return deployment;
    throw new LanewiseError('DEPLOYMENT_NOT_FOUND', 'There is no such deployment', {
      details: { id: 'is not the id of a deployment' },
    });
  };

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
    check: (current: Deployment) => void,
  ): Promise<readonly [Change, number] | undefined> => {
    const current = await get(id, by);
    check(current);
    const route = await store.getRoute(current.queue, current.tenant);
    const own = route?.split?.deploymentId === id ? route : undefined;
    const change = decide(current, own, circumstances(by));
    if (change === undefined) return undefined;
    const result = await store.saveDeployment({ ...change, expectedVersion: current.version });
    return result.kind === 'saved' ? [change, result.revision] : undefined;
  };

  /** @returns undefined if something moved meanwhile */
  const tryRemove = async (
    id: string,
    by: Credential,
    check: (current: Deployment) => void,
  ): Promise<true | undefined> => {
    const current = await get(id, by);
    check(current);
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
    async change(id, decide, by, check = () => {}) {
      // Waiting for the proxies comes after the turn: it must not hold up the next change.
      return stored(...(await serial.run(id, () => repeat(() => tryChange(id, decide, by, check)))));
    },
    async remove(id, by, check = () => {}) {
      await serial.run(id, () => repeat(() => tryRemove(id, by, check)));
    },
    get,
    async routing({ queue, tenant }) {
      const route = await store.getRoute(queue, tenant);
      return watch.look(route?.revision ?? 0);
    },
    async list(filter, by) {
      if (by.tenant === undefined) return store.listDeployments(filter);
      if (filter.tenant !== undefined && filter.tenant !== by.tenant) return [];
      return store.listDeployments({ ...filter, tenant: by.tenant });
    },
    async events(id, by) {
      await get(id, by);
      return store.listEvents(id);
    },
  };
}

async function supersededProblem(store: Store, request: DeploymentRequest, own: Route | undefined) {
  const route = await followedRoute(store, request, own);
  if (route === undefined || !route.superseded.includes(request.stableVersion)) return undefined;
  return supersededStable(request, route, await store.listWorkers());
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
