import type { DeploymentEvent } from '../../../src/client/api-types.ts';
import { now } from '../live/clock.ts';
import { clockTime } from '../model/format.ts';
import { Icon, type IconName } from './icon.tsx';

const SIGNS: Readonly<Record<DeploymentEvent['type'], readonly [IconName, string]>> = {
  deployment_created: ['plus', 'quiet'],
  percentage_updated: ['moving', 'canary'],
  deployment_promoted: ['healthy', 'good'],
  deployment_rolled_back: ['back', 'bad'],
  health_check_failed: ['failing', 'bad'],
  health_check_recovered: ['healthy', 'good'],
  auto_promotion_triggered: ['moving', 'good'],
  deployment_paused: ['paused', 'quiet'],
  deployment_resumed: ['active', 'quiet'],
  lane_drained: ['moving', 'quiet'],
};

/** What happened, as it happens; newest first. */
export function Events({ events }: { readonly events: readonly DeploymentEvent[] }) {
  return (
    <section class="card" aria-labelledby="events-title">
      <h2 id="events-title">Events</h2>
      <ol class="events" aria-live="polite">
        {events.map(({ id, type, message, timestamp, actor }) => (
          <li key={id} class="event">
            <span class={`event-sign event-${SIGNS[type][1]}`}>
              <Icon name={SIGNS[type][0]} />
            </span>
            <span class="event-text">{message}</span>
            <span class="quiet event-meta">
              <time dateTime={timestamp}>{clockTime(Date.parse(timestamp), now.value)}</time> by {actor}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}
