import { effect } from '@preact/signals';
import type { DeploymentMetrics, HealthStatus } from '../../../src/client/api-types.ts';
import type { EventFrame } from '../../../src/client/event-frame.ts';
import type { Client } from '../../../src/client/calls.ts';
import { STREAM_START, type StreamState } from '../model/stream-state.ts';
import { openEventStream, type EventStream } from './event-stream.ts';
import { session } from './session.ts';

/**
 * One event stream for each deployment, however many parts of the page listen, and for a while after the last of them
 * has gone: opening one counts as a request, and who goes from the list to a deployment and back must not pay for each
 * row again.
 */
export interface DeploymentListener {
  onState?(state: StreamState): void;
  /** The latest at once, if there is one. */
  onMetrics(metrics: DeploymentMetrics): void;
  onHealth(health: HealthStatus): void;
  /** Anything else that has happened. */
  onEvent(frame: EventFrame): void;
}

const LINGER_MS = 60_000;

const streams = new Map<string, SharedStream>();

/** @returns what ends it */
export function listenTo(client: Client, id: string, listener: DeploymentListener): () => void {
  const shared = streams.get(id) ?? new SharedStream(client, id, () => streams.delete(id));
  streams.set(id, shared);
  return shared.add(listener);
}

class SharedStream {
  readonly #stream: EventStream;
  readonly #listeners = new Set<DeploymentListener>();
  readonly #onGone: () => void;
  #linger: ReturnType<typeof setTimeout> | undefined;
  #state = STREAM_START;
  #metrics: DeploymentMetrics | undefined;
  /** As a stream starts. */
  #health: HealthStatus = 'unknown';

  constructor(client: Client, id: string, onGone: () => void) {
    this.#onGone = onGone;
    this.#stream = openEventStream(client, id, {
      onState: (state) => {
        this.#state = state;
        for (const listener of this.#listeners) listener.onState?.(state);
      },
      onFrame: (frame) => this.#take(frame),
    });
  }

  add(listener: DeploymentListener): () => void {
    clearTimeout(this.#linger);
    this.#listeners.add(listener);
    listener.onState?.(this.#state);
    if (this.#metrics !== undefined) {
      listener.onMetrics(this.#metrics);
      listener.onHealth(this.#health);
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#linger = setTimeout(() => this.close(), LINGER_MS);
    };
  }

  close(): void {
    clearTimeout(this.#linger);
    this.#stream.close();
    this.#onGone();
  }

  #take(frame: EventFrame): void {
    switch (frame.type) {
      case 'metrics_updated':
        this.#metrics = frame.data as unknown as DeploymentMetrics;
        for (const listener of this.#listeners) listener.onMetrics(this.#metrics);
        return;
      case 'health_status_changed':
        this.#health = frame.data['new_status'] as HealthStatus;
        for (const listener of this.#listeners) listener.onHealth(this.#health);
        // The judge's own changes are kept, and are events.
        if (frame.id === undefined) return;
        break;
      default:
    }
    for (const listener of this.#listeners) listener.onEvent(frame);
  }
}

// They are of whoever has signed in.
effect(() => {
  const { client } = session.value ?? {};
  if (client === undefined) for (const stream of streams.values()) stream.close();
});
