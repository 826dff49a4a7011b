import type { DeploymentEvent } from '../../src/core/deployment.ts';
import { toInstant } from '../api/fields.ts';

/**
 * What a stream of events consists of: the documented messages, made from stored events. One event may be several
 * messages (a promotion is a trigger, a percentage and a status), and a connection may break between them. So that a
 * client which goes on after the last id it has seen never loses a sibling, only the last message of an event carries
 * the event's own id; the ones before it carry that id and their number: `event_….1`, `event_….2`, `event_…`.
 */

export type FrameType =
  | 'deployment_status_changed'
  | 'percentage_updated'
  | 'health_status_changed'
  | 'metrics_updated'
  | 'promotion_triggered'
  | 'rollback_triggered';

export interface Frame {
  /** Where a later connection can go on (`?since=`). Left out of what is not kept: live metrics and health. */
  readonly id?: string;
  readonly type: FrameType;
  readonly deployment_id: string;
  readonly timestamp: string;
  readonly data: unknown;
}

interface Told {
  readonly type: FrameType;
  readonly data: Readonly<Record<string, unknown>>;
}

/** In the order in which they are sent: why, then what. None for an event that says nothing to a stream. */
export function framesOf(event: DeploymentEvent): readonly Frame[] {
  const told = [...triggerOf(event), ...percentageOf(event), ...statusOf(event)];
  return told.map(({ type, data }, i) => ({
    id: i === told.length - 1 ? event.id : `${event.id}.${i + 1}`,
    type,
    deployment_id: event.deploymentId,
    timestamp: toInstant(event.timestamp),
    data,
  }));
}

/** A frame's id, taken apart. @returns the event, and how many of its frames came with it; all if undefined */
export function readFrameId(id: string): { readonly eventId: string; readonly frames: number | undefined } {
  const [, eventId = id, frames] = /^(.+)\.(\d+)$/.exec(id) ?? [];
  return { eventId, frames: frames === undefined ? undefined : Number(frames) };
}

function triggerOf({ type, message, data = {} }: DeploymentEvent): readonly Told[] {
  switch (type) {
    case 'auto_promotion_triggered':
      return [{ type: 'promotion_triggered', data: { automatic: true, message } }];
    case 'deployment_promoted':
      // The rules' own event has told of it already.
      if (data['automatic'] === true) return [];
      return [{ type: 'promotion_triggered', data: { automatic: false, message } }];
    case 'deployment_rolled_back':
      return [{ type: 'rollback_triggered', data: { reason: data['reason'] ?? message } }];
    case 'health_check_failed':
    case 'health_check_recovered':
      return [
        {
          type: 'health_status_changed',
          data: {
            old_status: data['old_health'] ?? 'unknown',
            new_status: data['new_health'] ?? (type === 'health_check_failed' ? 'failing' : 'healthy'),
            message,
          },
        },
      ];
    case 'deployment_created':
    case 'percentage_updated':
    case 'deployment_paused':
    case 'deployment_resumed':
    case 'lane_drained':
      return [];
    default:
      return type satisfies never;
  }
}

function percentageOf({ type, data = {} }: DeploymentEvent): readonly Told[] {
  const { old_percentage, new_percentage } = data;
  if (typeof old_percentage !== 'number' || typeof new_percentage !== 'number') return [];
  // Setting what it was before is news to whoever waits for it; a promotion at 100 % moves nothing.
  if (old_percentage === new_percentage && type !== 'percentage_updated') return [];
  return [{ type: 'percentage_updated', data: { old_percentage, new_percentage } }];
}

function statusOf({ data = {} }: DeploymentEvent): readonly Told[] {
  const { old_status, new_status } = data;
  if (typeof old_status !== 'string' || typeof new_status !== 'string' || old_status === new_status)
    return [];
  return [{ type: 'deployment_status_changed', data: { old_status, new_status } }];
}
