import type { DeploymentEvent } from '../../core/deployment.ts';
import { damaged, eventRecord } from './records.ts';

/**
 * An event on the wire: `event <position> <json>`, or `deleted <deployment id>`. The script that stores the event puts
 * the first two words in front, so that it never has to take JSON apart.
 */
export type EventMessage =
  | { readonly kind: 'event'; readonly event: DeploymentEvent; readonly position: number }
  | { readonly kind: 'deleted'; readonly deploymentId: string };

/** @throws LanewiseError INTERNAL for anything that the store did not make. */
export function decodeEventMessage(message: string): EventMessage {
  const [, deploymentId] = /^deleted (\S+)$/.exec(message) ?? [];
  if (deploymentId !== undefined) return { kind: 'deleted', deploymentId };
  const [, digits, json] = /^event ([1-9]\d*) (.*)$/s.exec(message) ?? [];
  const position = Number(digits);
  if (json === undefined || !Number.isSafeInteger(position)) {
    throw damaged('message of an event', 'not "event <position> <json>"');
  }
  return { kind: 'event', event: eventRecord.decode(json, 'message of an event'), position };
}
