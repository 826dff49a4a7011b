import type { Deployment, DeploymentConfig, RollbackThresholds } from '../src/core/deployment.ts';
import { hasHashTag } from '../src/core/names.ts';
import type { ErrorDetails } from '../src/core/errors.ts';
import type { Route } from '../src/core/route.ts';
import type { Worker } from '../src/core/worker.ts';
import { event, type Change, type Circumstances } from './deployment-changes.ts';

/** What a request for a deployment says, checked field by field. */
export interface DeploymentRequest {
  readonly queue: string;
  readonly tenant?: string;
  readonly stableVersion: string;
  readonly canaryVersion: string;
  readonly initialPercentage: number;
  readonly createdBy: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** What it says of the configuration; what it leaves out comes from its profile. */
export type DeploymentConfigRequest = Partial<Omit<DeploymentConfig, 'rollbackThresholds'>> & {
  readonly rollbackThresholds?: Partial<RollbackThresholds>;
};

/** The request's own settings over the profile's. */
export function mergeConfig(profile: DeploymentConfig, request: DeploymentConfigRequest): DeploymentConfig {
  return {
    ...profile,
    ...request,
    rollbackThresholds: { ...profile.rollbackThresholds, ...request.rollbackThresholds },
  };
}

export function openDeployment(
  request: DeploymentRequest,
  config: DeploymentConfig,
  circumstances: Circumstances,
): Omit<Change, 'route'> {
  const { now, newId } = circumstances;
  const deployment: Deployment = {
    id: `canary_${newId()}`,
    version: 1,
    queue: request.queue,
    ...(request.tenant !== undefined && { tenant: request.tenant }),
    stableVersion: request.stableVersion,
    canaryVersion: request.canaryVersion,
    currentPercent: request.initialPercentage,
    targetPercent: config.autoPromotion ? 100 : request.initialPercentage,
    status: 'active',
    startTime: now,
    lastUpdate: now,
    step: 1,
    activeFrom: now,
    stepFrom: now,
    config,
    createdBy: request.createdBy,
    ...(request.metadata !== undefined && { metadata: request.metadata }),
  };
  return {
    deployment,
    events: [
      event(deployment, circumstances, 'deployment_created', 'Canary deployment created', {
        percentage: request.initialPercentage,
      }),
    ],
  };
}

/** A queue's keys must share a slot of a Redis Cluster, or no script could move a job between its lanes. */
export function hashTagProblem({ queue }: Pick<DeploymentRequest, 'queue'>) {
  if (hasHashTag(queue)) return undefined;
  const tagged = `{${queue.replaceAll(/[{}]/g, '')}}`;
  return {
    queue_name:
      `must have a part in braces, which Redis Cluster keeps together, got ${queue}: ` +
      `call it ${tagged}, in the producers and the workers too`,
  };
}

/**
 * Promotion is safe to forget: a deployment that starts from a version which a promotion has replaced would send the
 * jobs back to it. While a worker of the promoted version lives, that is a mistake.
 * @param route the one that the scope's jobs follow
 */
export function supersededStable(
  request: Pick<DeploymentRequest, 'queue' | 'stableVersion'>,
  route: Route | undefined,
  workers: readonly Worker[],
): ErrorDetails | undefined {
  if (route === undefined || !route.superseded.includes(request.stableVersion)) return undefined;
  const isPromoted = (worker: Worker): boolean =>
    worker.version === route.stableVersion &&
    worker.queues.includes(request.queue) &&
    worker.status !== 'unreachable';
  if (!workers.some(isPromoted)) return undefined;
  return {
    stable_version:
      `must be ${route.stableVersion}, got ${request.stableVersion}: ${request.queue} was promoted to ` +
      `${route.stableVersion}, and deployments start from there; to go back, make ${request.stableVersion} the canary_version`,
  };
}
