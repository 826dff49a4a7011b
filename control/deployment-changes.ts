import { nextStatus } from '../src/core/deployment-states.ts';
import type { Deployment, DeploymentEvent, EventType, RoutingStrategy } from '../src/core/deployment.ts';
import { promoted, rolledBack, withPercentage, type Route } from '../src/core/route.ts';

/**
 * What each action makes of a deployment and its scope's route: the new record, the new route and the event that tells
 * of it, which the store then keeps in one step. Pure; refusals come from the state table.
 */
export interface Change {
  readonly deployment: Deployment;
  /** Only where the change moves traffic. */
  readonly route?: Route;
  readonly events: readonly DeploymentEvent[];
}

/** What a change takes from outside. */
export interface Circumstances {
  readonly now: number;
  /** The name of a credential, or `judge`. */
  readonly actor: string;
  readonly newId: () => string;
}

/**
 * How an action changes what it finds.
 * @param route the scope's, if it is split by this deployment
 * @returns undefined where it can't be done without that route
 * @throws LanewiseError DEPLOYMENT_NOT_ACTIVE
 */
export type Decide = (
  deployment: Deployment,
  route: Route | undefined,
  circumstances: Circumstances,
) => Change | undefined;

export function setPercentage(percentage: number): Decide {
  return (deployment, route, circumstances) => {
    const status = nextStatus(deployment.status, 'set_percentage');
    if (route === undefined) return undefined;
    return {
      deployment: next(deployment, circumstances, {
        status,
        currentPercent: percentage,
        targetPercent: percentage,
      }),
      route: withPercentage(route, percentage),
      events: [
        event(deployment, circumstances, 'percentage_updated', `Traffic split updated to ${percentage}%`, {
          old_percentage: deployment.currentPercent,
          new_percentage: percentage,
        }),
      ],
    };
  };
}

export const pause: Decide = (before, _route, circumstances) => {
  const deployment = next(before, circumstances, { status: nextStatus(before.status, 'pause') });
  const message = `Deployment paused at ${before.currentPercent}%`;
  const data = statusChange(before, deployment);
  return { deployment, events: [event(before, circumstances, 'deployment_paused', message, data)] };
};

export const resume: Decide = (before, _route, circumstances) => {
  const deployment = next(before, circumstances, { status: nextStatus(before.status, 'resume') });
  const message = `Deployment resumed at ${before.currentPercent}%`;
  const data = statusChange(before, deployment);
  return { deployment, events: [event(before, circumstances, 'deployment_resumed', message, data)] };
};

export const PROMOTED_MESSAGE = 'Deployment promoted to 100%';

export const promote: Decide = (before, route, circumstances) => {
  const status = nextStatus(before.status, 'promote');
  if (route === undefined) return undefined;
  const changes = { status, currentPercent: 100, targetPercent: 100 };
  const deployment = settle(next(before, circumstances, changes));
  const data = { ...percentageChange(before, deployment), ...statusChange(before, deployment) };
  return {
    deployment,
    route: promoted(route),
    events: [event(before, circumstances, 'deployment_promoted', PROMOTED_MESSAGE, data)],
  };
};

export function rolledBackMessage(reason: string): string {
  return `Deployment rolled back: ${reason}`;
}

/** Possible without a route: getting back must not depend on anything else being in order. */
export function rollBack(reason: string): Decide {
  return (before, route, circumstances) => {
    const status = nextStatus(before.status, 'roll_back');
    const changes = { status, currentPercent: 0, targetPercent: 0 };
    const deployment = settle(next(before, circumstances, changes));
    const data = { reason, ...percentageChange(before, deployment), ...statusChange(before, deployment) };
    return {
      deployment,
      ...(route !== undefined && { route: rolledBack(route) }),
      events: [event(before, circumstances, 'deployment_rolled_back', rolledBackMessage(reason), data)],
    };
  };
}

/**
 * Whether a lane has to be drained before a promotion or rollback is over. The one place that knows: with `true` a
 * deployment stays `promoting` or `rolling_back` after the action, and whoever drains it takes the `finish` step.
 */
const DRAINS: Readonly<Record<RoutingStrategy, boolean>> = {
  // A dispatch in flight ends by itself; nothing waits anywhere.
  hash_ring: false,
  // Nothing is stored in lanes yet.
  split_queue: false,
  stream_group: false,
};

/** Takes the `finish` step at once where nothing is left to do, so that both transitions are one write. */
function settle(deployment: Deployment): Deployment {
  if (DRAINS[deployment.config.routingStrategy]) return deployment;
  return {
    ...deployment,
    status: nextStatus(deployment.status, 'finish'),
    completedAt: deployment.lastUpdate,
  };
}

function next(deployment: Deployment, { now }: Circumstances, changes: Partial<Deployment>): Deployment {
  return { ...deployment, ...changes, version: deployment.version + 1, lastUpdate: now };
}

/** What an event says of a change, so that it can be told without the record that it was made on. */
function percentageChange(before: Deployment, after: Deployment) {
  return { old_percentage: before.currentPercent, new_percentage: after.currentPercent };
}

function statusChange(before: Deployment, after: Deployment) {
  return { old_status: before.status, new_status: after.status };
}

/** An event of `deployment`, now. */
export function event(
  { id }: Pick<Deployment, 'id'>,
  { now, actor, newId }: Circumstances,
  type: EventType,
  message: string,
  data?: Readonly<Record<string, unknown>>,
): DeploymentEvent {
  return {
    id: `event_${newId()}`,
    deploymentId: id,
    type,
    message,
    timestamp: now,
    actor,
    ...(data !== undefined && { data }),
  };
}
