import { setTimeout as sleep } from 'node:timers/promises';
import { addLanes } from '../src/core/lane-totals.ts';
import type { Logger } from '../src/runtime/log.ts';
import type { TelemetryStore } from '../src/runtime/store/telemetry-store.ts';
import type { DispatchTelemetry } from './telemetry.ts';

/**
 * Sends what the dispatches of open deployments added up to the store, once a second, as deltas. What could not be sent
 * goes along with the next; a proxy that dies loses at most its last second.
 */
export interface TelemetrySenderOptions {
  readonly telemetry: DispatchTelemetry;
  readonly store: TelemetryStore;
  readonly log: Logger;
  /** Milliseconds. */
  readonly every?: number;
}

const EVERY_MS = 1000;

export class TelemetrySender {
  readonly #options: TelemetrySenderOptions;
  readonly #stopped = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(options: TelemetrySenderOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** After the dispatches have ended; sends the rest. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
    await this.#send();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await sleep(this.#options.every ?? EVERY_MS, undefined, { signal, ref: false }).catch(() => {});
      await this.#send();
    }
  }

  async #send(): Promise<void> {
    const { telemetry, store, log } = this.#options;
    await Promise.all(
      Array.from(telemetry.takeRecent(), async ([deploymentId, delta]) => {
        try {
          await store.recordTelemetry(deploymentId, delta);
        } catch (error) {
          // Whether it was stored is not always known; counting a second twice is better than losing it.
          addLanes(telemetry.recentOf(deploymentId), delta);
          log.debug({ err: error, deployment: deploymentId }, 'telemetry could not be sent');
        }
      }),
    );
  }
}
