import type { DeploymentEvent } from '../../../core/deployment.ts';
import { NOTICES_MAX, type Notice } from '../outbox-store.ts';
import { eventRecord, noticeRecord } from '../records.ts';
import { eventsKey, KEYS } from './keys.ts';

/** The last keys and arguments of a script that keeps events and notices; see `change-scripts.ts`. */
export function keepKeys(deploymentId: string): readonly string[] {
  return [eventsKey(deploymentId), KEYS.noticesDue, KEYS.noticesOrder, KEYS.notices];
}

export function keepArguments(
  channel: string,
  events: readonly DeploymentEvent[],
  notices: readonly Notice[] = [],
): readonly string[] {
  return [
    channel,
    String(events.length),
    ...events.map((event) => eventRecord.encode(event)),
    String(NOTICES_MAX),
    ...notices.flatMap((notice) => [notice.id, noticeRecord.encode(notice)]),
  ];
}
