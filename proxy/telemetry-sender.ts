import { addLanes } from '../src/core/lane-totals.ts';
import type { Logger } from '../src/runtime/log.ts';
import { startPeriodic, type Periodic } from '../src/runtime/periodic.ts';
import type { TelemetryStore } from '../src/runtime/store/telemetry-store.ts';
import type { DispatchTelemetry } from './telemetry.ts';

/**
 * Sends what the dispatches of open deployments added up to, step by step, to the store, once a second, as deltas.
 * What could not be sent goes along with the next of its step; a proxy that dies loses at most its last second.
 */
export interface TelemetrySenderOptions {
  readonly telemetry: DispatchTelemetry;
  readonly store: Pick<TelemetryStore, 'recordTelemetry'>;
  readonly log: Logger;
  /** Milliseconds. */
  readonly every?: number;
}

const EVERY_MS = 1000;

export class TelemetrySender {
  readonly #options: TelemetrySenderOptions;
  readonly #rounds: Periodic;

  /** Begins at once. */
  constructor(options: TelemetrySenderOptions) {
    this.#options = options;
    this.#rounds = startPeriodic(
      () => options.every ?? EVERY_MS,
      () => this.#send(),
    );
  }

  /** After the dispatches have ended; sends the rest. */
  async stop(): Promise<void> {
    await this.#rounds.stop();
    await this.#send();
  }

  async #send(): Promise<void> {
    const { telemetry, store, log } = this.#options;
    await Promise.all(
      telemetry.takeRecent().map(async ({ deploymentId, step, totals }) => {
        try {
          await store.recordTelemetry(deploymentId, step, totals);
        } catch (error) {
          // Whether it was stored is not always known; counting a second twice is better than losing it.
          addLanes(telemetry.recentOf(deploymentId, step), totals);
          log.debug({ err: error, deployment: deploymentId, step }, 'telemetry could not be sent');
        }
      }),
    );
  }
}
