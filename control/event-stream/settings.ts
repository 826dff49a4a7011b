import { toHealthJson, toMetricsJson } from '../api/observation-json.ts';
import type { Observer } from '../observations.ts';
import type { EventStreamsOptions } from './event-streams.ts';
import type { LiveObserver } from './watch.ts';

/** What can be set of event streams; everything has a default. */
export type EventStreamSettings = Pick<
  EventStreamsOptions,
  'observer' | 'metricsIntervalMs' | 'bufferedBytesMax' | 'connectionsMax'
>;

const DEFAULTS = {
  // Telemetry comes once a second; people read slower.
  metricsIntervalMs: 5000,
  // Thousands of events: who is so far behind does not read at all.
  bufferedBytesMax: 1024 * 1024,
  connectionsMax: 10_000,
};

export function eventStreamSettings(
  given: Partial<EventStreamSettings> = {},
  observer: Observer,
): EventStreamSettings {
  return { ...DEFAULTS, observer: toLiveObserver(observer), ...given };
}

/** An observation as the API words it. */
function toLiveObserver(observer: Observer): LiveObserver {
  return {
    async observe(deployment) {
      const observation = await observer.observe(deployment);
      return { metrics: toMetricsJson(deployment, observation), health: toHealthJson(observation) };
    },
  };
}
