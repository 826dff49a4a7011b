import type { DeploymentEvent } from '../../../src/core/deployment.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { eventually } from './recorder.ts';

type Told =
  | { kind: 'up' }
  | { kind: 'down' }
  | { kind: 'event'; event: DeploymentEvent; position: number }
  | { kind: 'deleted'; deploymentId: string };

/** Writes down what a subscriber to events is told, in order. */
export interface EventRecorder extends AsyncDisposable {
  readonly told: readonly Told[];
  close(): Promise<void>;
}

export function listen(store: Store): EventRecorder {
  const told: Told[] = [];
  const subscription = store.subscribeEvents({
    onUp: () => void told.push({ kind: 'up' }),
    onDown: () => void told.push({ kind: 'down' }),
    onEvent: (event, position) => void told.push({ kind: 'event', event, position }),
    onDeleted: (deploymentId) => void told.push({ kind: 'deleted', deploymentId }),
  });
  return { told, close: () => subscription.close(), [Symbol.asyncDispose]: () => subscription.close() };
}

/** Subscribes and waits until the subscription stands. */
export async function listenUp(store: Store): Promise<EventRecorder> {
  const recorder = listen(store);
  await eventually(() => recorder.told.length > 0);
  return recorder;
}
