import type { Endpoint } from '../src/core/pool.ts';
import { takesJobs, type RoutedWorker } from '../src/core/worker.ts';
import type { Forwarder } from './forwarder.ts';

interface EndpointActivity {
  readonly seen: boolean;
  readonly processed: number;
  readonly succeeded: number;
  readonly totalMs: number;
}

const NOTHING_DONE: EndpointActivity = { seen: false, processed: 0, succeeded: 0, totalMs: 0 };

/** A worker as this proxy knows it: the registry's record, the connections, what is under way. */
export class WorkerEndpoint implements Endpoint {
  readonly forwarder: Forwarder | undefined;
  worker: RoutedWorker;
  usable: boolean;
  inFlight = 0;
  /** Since it was last taken. */
  #activity: EndpointActivity = NOTHING_DONE;

  constructor(worker: RoutedWorker, forwarder: Forwarder | undefined) {
    this.worker = worker;
    this.usable = takesJobs(worker);
    this.forwarder = forwarder;
  }

  /** A dispatch has ended here that the worker had a hand in. */
  noteJob(succeeded: boolean, latencyMs: number): void {
    const { processed, succeeded: before, totalMs } = this.#activity;
    this.#activity = {
      seen: true,
      processed: processed + 1,
      succeeded: before + (succeeded ? 1 : 0),
      totalMs: totalMs + latencyMs,
    };
  }

  /** It took a connection, though no job. */
  noteSeen(): void {
    if (!this.#activity.seen) this.#activity = { ...this.#activity, seen: true };
  }

  takeActivity(): EndpointActivity {
    const activity = this.#activity;
    this.#activity = NOTHING_DONE;
    return activity;
  }

  update(worker: RoutedWorker): void {
    this.worker = worker;
    this.usable = takesJobs(worker);
  }
}

/**
 * The endpoints of all workers. One that starts again with another version or address is another endpoint, so that
 * what is still under way on the old one is counted for the old version.
 */
export class Endpoints {
  readonly #byId = new Map<string, WorkerEndpoint>();
  readonly #createForwarder: (url: string) => Forwarder;
  readonly #onRetireError: (error: unknown) => void;

  constructor(createForwarder: (url: string) => Forwarder, onRetireError: (error: unknown) => void) {
    this.#createForwarder = createForwarder;
    this.#onRetireError = onRetireError;
  }

  of(worker: RoutedWorker): WorkerEndpoint {
    const known = this.#byId.get(worker.id);
    if (known !== undefined) {
      if (known.worker.version === worker.version && known.worker.url === worker.url) {
        if (known.worker !== worker) known.update(worker);
        return known;
      }
      this.#retire(known);
    }
    const { url } = worker;
    const endpoint = new WorkerEndpoint(worker, url === undefined ? undefined : this.#createForwarder(url));
    this.#byId.set(worker.id, endpoint);
    return endpoint;
  }

  get all(): Iterable<WorkerEndpoint> {
    return this.#byId.values();
  }

  /** Lets go of workers that are no longer registered; what is under way on them goes on. */
  keepOnly(registered: ReadonlyMap<string, unknown>): void {
    for (const [id, endpoint] of this.#byId) {
      if (registered.has(id)) continue;
      this.#byId.delete(id);
      this.#retire(endpoint);
    }
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#byId.values()].map(async (endpoint) => endpoint.forwarder?.destroy()));
  }

  #retire(endpoint: WorkerEndpoint): void {
    endpoint.forwarder?.close().catch(this.#onRetireError);
  }
}
