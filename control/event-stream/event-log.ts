import type { DeploymentEvent } from '../../src/core/deployment.ts';
import { framesOf, readFrameId, type Frame } from './frames.ts';

/**
 * The events of one deployment as frames, oldest first, ready to be sent. It only grows, so a stream's place in it is a
 * number: a thousand streams share one log and none of them has a queue of its own.
 */
export interface EventLog {
  readonly length: number;
  /** @param place from 0 to below `length` */
  at(place: number): Buffer;
  /** An event as it was published. @returns whether it is in the log now; if not, one before it is missing: read. */
  append(event: DeploymentEvent, position: number): boolean;
  /** All events that the store keeps, oldest first. */
  merge(events: readonly DeploymentEvent[]): void;
  /** Whether the event of this frame is known. */
  has(id: string): boolean;
  /** Where to go on after the frame of this id; 0 if it is not known (any more), which is everything that is kept. */
  placeAfter(id: string): number;
}

export function createEventLog(): EventLog {
  const frames: Buffer[] = [];
  /** Event id → places of its frames, `end` excluded. */
  const places = new Map<string, { readonly start: number; readonly end: number }>();
  /** How many events the store kept when last heard of; -1 until then. */
  let kept = -1;

  const add = (event: DeploymentEvent): void => {
    const start = frames.length;
    frames.push(...framesOf(event).map(encodeFrame));
    places.set(event.id, { start, end: frames.length });
  };

  return {
    get length() {
      return frames.length;
    },
    at: (place) => frames[place]!,
    append(event, position) {
      if (places.has(event.id)) return true;
      if (position !== kept + 1) return false;
      kept = position;
      add(event);
      return true;
    },
    merge(events) {
      // Not by position: a store that has lost its latest writes counts them anew.
      for (const event of events) if (!places.has(event.id)) add(event);
      kept = events.length;
    },
    has: (id) => places.has(readFrameId(id).eventId),
    placeAfter(id) {
      const { eventId, frames: sent } = readFrameId(id);
      const place = places.get(eventId);
      if (place === undefined) return 0;
      return sent === undefined ? place.end : Math.min(place.start + sent, place.end);
    },
  };
}

export function encodeFrame(frame: Frame): Buffer {
  return Buffer.from(JSON.stringify(frame));
}
