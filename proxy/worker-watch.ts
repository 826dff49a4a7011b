import type { Clock } from '../src/core/clock.ts';
import type { AddressGuard } from '../src/runtime/addresses/address-guard.ts';
import type { Logger } from '../src/runtime/log.ts';
import { startPeriodic, type Periodic } from '../src/runtime/periodic.ts';
import type { ActivityStore, WorkerSighting } from '../src/runtime/store/activity-store.ts';
import type { Endpoints, WorkerEndpoint } from './endpoint.ts';
import { saysWell, takesConnection } from './probe-worker.ts';

/**
 * What this proxy sees of the workers, told to the registry: the jobs that they did, and that they are there. A worker
 * that has had no job for a while is probed by its health path, or without one by a TCP connection, so that one that was
 * registered by a single call stays usable for as long as it is well, and one that comes back is found.
 */
export interface WorkerWatchOptions {
  readonly endpoints: Endpoints;
  readonly store: ActivityStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly workerTimeoutMs: number;
  readonly guard: AddressGuard;
}

/** Sightings are told this often at the least; the time-out is minutes. */
const TELL_EVERY_MS_MAX = 2000;
/** Three chances to be seen within the time-out. */
const PROBES_PER_TIMEOUT = 3;
const PROBE_TIMEOUT_MS_MAX = 2000;
const PROBES_AT_ONCE = 64;

export class WorkerWatch {
  readonly #options: WorkerWatchOptions;
  readonly #rounds: Periodic;
  /** When each was seen or probed last, on the monotonic clock. */
  readonly #looked = new WeakMap<WorkerEndpoint, number>();

  /** Begins at once. */
  constructor(options: WorkerWatchOptions) {
    this.#options = options;
    const everyMs = Math.min(TELL_EVERY_MS_MAX, options.workerTimeoutMs / 10);
    this.#rounds = startPeriodic(
      () => everyMs,
      async () => {
        await this.#tell();
        await this.#probeQuiet();
      },
    );
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
    await this.#tell();
  }

  async #tell(): Promise<void> {
    const { endpoints, store, clock, log } = this.#options;
    const sightings: WorkerSighting[] = [];
    for (const endpoint of endpoints.all) {
      const { seen, processed, succeeded, totalMs } = endpoint.takeActivity();
      if (!seen) continue;
      this.#looked.set(endpoint, clock.monotonic());
      const { id: workerId, version } = endpoint.worker;
      sightings.push({ workerId, version, processed, succeeded, failed: processed - succeeded, totalMs });
    }
    if (sightings.length === 0) return;
    try {
      await store.noteActivity(sightings);
    } catch (error) {
      // They are seen again soon; the counts of these few seconds are lost, which no decision rests on.
      log.debug({ err: error }, 'worker activity could not be told');
    }
  }

  async #probeQuiet(): Promise<void> {
    const { endpoints, clock, random, workerTimeoutMs } = this.#options;
    const now = clock.monotonic();
    // Not all proxies, nor all workers of one, at the same time.
    const afterMs = (workerTimeoutMs / PROBES_PER_TIMEOUT) * (0.75 + 0.25 * random());
    const quiet = [...endpoints.all].filter(
      (endpoint) =>
        endpoint.worker.url !== undefined && now - (this.#looked.get(endpoint) ?? -Infinity) > afterMs,
    );
    for (let i = 0; i < quiet.length; i += PROBES_AT_ONCE) {
      await Promise.all(quiet.slice(i, i + PROBES_AT_ONCE).map((endpoint) => this.#probe(endpoint)));
    }
  }

  async #probe(endpoint: WorkerEndpoint): Promise<void> {
    this.#looked.set(endpoint, this.#options.clock.monotonic());
    const timeoutMs = Math.min(PROBE_TIMEOUT_MS_MAX, this.#options.workerTimeoutMs / PROBES_PER_TIMEOUT);
    const { url, healthPath } = endpoint.worker;
    const isThere =
      healthPath === undefined || endpoint.forwarder === undefined
        ? takesConnection(url!, timeoutMs, this.#options.guard)
        : saysWell(endpoint.forwarder, healthPath, timeoutMs);
    if (await isThere) endpoint.noteSeen();
  }
}
