import type { Logger } from '../../log.ts';
import { decodeEventMessage, type EventMessage } from '../event-message.ts';
import type { EventListener, EventStore } from '../event-store.ts';
import type { RedisConnection } from './connection.ts';
import { channelsOf } from './keys.ts';

export function createEvents(connection: RedisConnection, log: Logger): EventStore {
  return {
    subscribeEvents: (listener) =>
      connection.subscribe(channelsOf(connection.db).events, {
        onUp: () => listener.onUp(),
        onDown: () => listener.onDown(),
        onMessage(message) {
          const readable = read(message, log);
          if (readable !== undefined) tell(listener, readable);
        },
      }),
  };
}

function tell(listener: EventListener, message: EventMessage): void {
  if (message.kind === 'deleted') listener.onDeleted(message.deploymentId);
  else listener.onEvent(message.event, message.position);
}

/** One that can't be read leaves a gap in the positions, which makes the listener read the list. */
function read(message: string, log: Logger): EventMessage | undefined {
  try {
    return decodeEventMessage(message);
  } catch (error) {
    log.warn({ err: error }, 'an unreadable message of an event was ignored');
    return undefined;
  }
}
