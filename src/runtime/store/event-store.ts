import type { DeploymentEvent } from '../../core/deployment.ts';
import type { Subscription } from './store.ts';

/**
 * What a subscriber to events is told, on every instance, wherever the change was made. As with routes, publication is
 * a hint and the store is the truth; `position` is how a lost hint is noticed.
 */
export interface EventListener {
  /** The subscription stands (again): from here on nothing goes unheard until `onDown`. Read what was missed now. */
  onUp(): void;
  /** @param position of the event among those of its deployment that are kept, oldest first, from 1 */
  onEvent(event: DeploymentEvent, position: number): void;
  /** The deployment is gone, and its events with it. */
  onDeleted(deploymentId: string): void;
  /** The subscription is lost; the store goes on trying until it is closed. */
  onDown(): void;
}

export interface EventStore {
  /**
   * Tells of every event of every deployment after it is stored, those of one deployment in the order in which they are
   * kept. Returns at once; tells by `onUp` when it stands.
   */
  subscribeEvents(listener: EventListener): Subscription;
}
