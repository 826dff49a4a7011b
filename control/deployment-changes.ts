import { nextStatus } from '../src/core/deployment-states.ts';
import type { Deployment, DeploymentEvent, EventType, RoutingStrategy } from '../src/core/deployment.ts';
import { promoted, promotionTakenBack, rolledBack, withPercentage, type Route } from '../src/core/route.ts';

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
 * @param route the scope's, if it is this deployment's: split by it, or as its promotion left it, while that lasts
 * @returns undefined where it can't be done without that route
 * @throws LanewiseError DEPLOYMENT_NOT_ACTIVE
 */
export type Decide = (
  deployment: Deployment,
  route: Route | undefined,
  circumstances: Circumstances,
) => Change | undefined;

/** @param evidence what an automatic step was decided by */
export function setPercentage(percentage: number, evidence: EventData = {}): Decide {
  return (before, route, circumstances) => {
    const status = nextStatus(before.status, 'set_percentage');
    if (route === undefined) return undefined;
    const moved = percentage !== before.currentPercent;
    const deployment = next(before, circumstances, {
      status,
      currentPercent: percentage,
      targetPercent: before.config.autoPromotion ? 100 : percentage,
      // Setting what it was before changes nothing for the jobs, so what is known of them still holds.
      ...(moved && { step: before.step + 1, stepFrom: circumstances.now }),
    });
    const data = { ...percentageChange(before, deployment), ...evidence };
    const message = `Traffic split updated to ${percentage}%`;
    return {
      deployment,
      route: withPercentage(route, percentage, deployment.step),
      events: [event(before, circumstances, 'percentage_updated', message, data)],
    };
  };
}

export const pause: Decide = (before, _route, circumstances) => {
  const status = nextStatus(before.status, 'pause');
  const deployment = next(before, circumstances, { status, pausedAt: circumstances.now });
  const message = `Deployment paused at ${before.currentPercent}%`;
  const data = statusChange(before, deployment);
  return { deployment, events: [event(before, circumstances, 'deployment_paused', message, data)] };
};

export const resume: Decide = (before, _route, circumstances) => {
  const status = nextStatus(before.status, 'resume');
  const { pausedAt, ...rest } = before;
  const pausedMs = Math.max(0, circumstances.now - (pausedAt ?? circumstances.now));
  const deployment = next(rest, circumstances, {
    status,
    activeFrom: before.activeFrom + pausedMs,
    stepFrom: before.stepFrom + pausedMs,
  });
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

/** By the rules. @param message why, in plain words and numbers */
export function promoteAutomatically(message: string, evidence: EventData): Decide {
  return (before, route, circumstances) => {
    const change = promote(before, route, circumstances);
    if (change === undefined) return undefined;
    const triggered = event(before, circumstances, 'auto_promotion_triggered', message, evidence);
    const events = change.events.map((e) => ({ ...e, data: { ...e.data, automatic: true } }));
    return { ...change, events: [triggered, ...events] };
  };
}

export function rolledBackMessage(reason: string): string {
  return `Deployment rolled back: ${reason}`;
}

/** Possible without a route: getting back must not depend on anything else being in order. */
export function rollBack(reason: string, evidence: EventData = {}): Decide {
  return (before, route, circumstances) => {
    const status = nextStatus(before.status, 'roll_back');
    const changes = { status, currentPercent: 0, targetPercent: 0 };
    const deployment = settle(next(before, circumstances, changes));
    const data = {
      reason,
      ...percentageChange(before, deployment),
      ...statusChange(before, deployment),
      ...evidence,
    };
    const back = before.status === 'promoting' ? promotionTakenBack : rolledBack;
    return {
      deployment,
      ...(route !== undefined && { route: back(route, before) }),
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
  split_queue: true,
  stream_group: true,
};

/** Takes the `finish` step at once where nothing is left to do, so that both transitions are one write. */
function settle(deployment: Deployment): Deployment {
  const { lastUpdate, drain } = deployment;
  if (DRAINS[deployment.config.routingStrategy]) {
    return { ...deployment, drain: { since: lastUpdate, moved: drain?.moved ?? 0 } };
  }
  return { ...deployment, status: nextStatus(deployment.status, 'finish'), completedAt: lastUpdate };
}

export type EventData = Readonly<Record<string, unknown>>;

/** The record after a change. */
export function next(
  deployment: Deployment,
  { now }: Circumstances,
  changes: Partial<Deployment>,
): Deployment {
  return { ...deployment, ...changes, version: deployment.version + 1, lastUpdate: now };
}

/** What an event says of a change, so that it can be told without the record that it was made on. */
function percentageChange(before: Deployment, after: Deployment) {
  return { old_percentage: before.currentPercent, new_percentage: after.currentPercent };
}

export function statusChange(before: Deployment, after: Deployment) {
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
