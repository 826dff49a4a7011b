import {
  HEALTHY,
  isDue,
  isOpenTo,
  step,
  verdictOf,
  type EjectionPolicy,
  type HealthEvent,
} from '../src/core/outlier.ts';
import type { Outcome } from '../src/core/outcome.ts';
import type { Endpoint } from '../src/core/pool.ts';
import { afterProbe, NOT_FAILING, type ProbePolicy } from '../src/core/probe.ts';
import { takesJobs, type RoutedWorker } from '../src/core/worker.ts';
import type { Forwarder } from './forwarder.ts';

interface EndpointActivity {
  readonly seen: boolean;
  readonly processed: number;
  readonly succeeded: number;
  readonly totalMs: number;
}

/** What a worker's health depends on beyond the worker. */
export interface HealthRules {
  readonly policy: EjectionPolicy;
  readonly probing: ProbePolicy;
  /** Milliseconds on the monotonic clock. */
  readonly now: () => number;
  /** All of its lanes can do without it, and no more than so large a share of each is out then. */
  canSpare(endpoint: WorkerEndpoint, shareMax: number): boolean;
  /** Is to call `noteTime` then. */
  onEjected(endpoint: WorkerEndpoint, until: number, last: Outcome): void;
  /** It is healthy again. */
  onReturned(endpoint: WorkerEndpoint): void;
  /** Its probes fail, or do no longer. */
  onProbesTurned(endpoint: WorkerEndpoint): void;
  /** It may be sent jobs, and was not just now: it is new, or the registry had it for gone. */
  onJoined(endpoint: WorkerEndpoint): void;
  /** It may take one more job than before. */
  onOpen(endpoint: WorkerEndpoint): void;
}

/** A worker as this proxy knows it: the registry's record, the connections, what is under way, how it has been. */
export class WorkerEndpoint implements Endpoint {
  readonly forwarder: Forwarder | undefined;
  readonly #rules: HealthRules;
  worker: RoutedWorker;
  takesJobs: boolean;
  usable: boolean;
  share = 1;
  inFlight = 0;
  health = HEALTHY;
  ejections = 0;
  probe = NOT_FAILING;
  readonly probes = { good: 0, failed: 0 };
  /** Since they were last taken. */
  #seen = false;
  #processed = 0;
  #succeeded = 0;
  #totalMs = 0;

  constructor(worker: RoutedWorker, forwarder: Forwarder | undefined, rules: HealthRules) {
    this.worker = worker;
    this.takesJobs = takesJobs(worker);
    this.usable = this.takesJobs;
    this.forwarder = forwarder;
    this.#rules = rules;
    if (this.takesJobs) rules.onJoined(this);
  }

  /** A dispatch goes to it. */
  noteBegun(): void {
    if (this.health.kind !== 'healthy') this.#move('begun');
  }

  /**
   * A dispatch has ended here that the worker had a hand in.
   * @param status of its answer; 0 where there was none
   */
  noteEnded(outcome: Outcome, status: number, latencyMs: number): void {
    if (outcome !== 'aborted') {
      this.#seen = true;
      this.#processed++;
      if (outcome === 'success') this.#succeeded++;
      this.#totalMs += latencyMs;
    }
    this.#move(verdictOf(outcome, status), outcome);
  }

  /** It took no connection. */
  noteUnreachable(): void {
    this.#move('bad', 'unreachable');
  }

  /** A dispatch has left it. */
  noteVacated(): void {
    // Whatever it was that ended a trial without saying how it went.
    if (this.health.kind === 'trial') this.#move('undecided');
    else this.#rules.onOpen(this);
  }

  /** It was asked how it is. */
  noteProbe(isGood: boolean): void {
    this.probes[isGood ? 'good' : 'failed']++;
    const before = this.probe;
    // Whatever the share: those that say themselves that they are not well are not sent jobs to find out.
    this.probe = afterProbe(before, isGood, this.#rules.probing, () => this.#rules.canSpare(this, 1));
    if (this.probe.failing === before.failing) return;
    this.#rules.onProbesTurned(this);
    this.#judgeUsable();
  }

  /** It took a connection, though no job. */
  noteSeen(): void {
    this.#seen = true;
  }

  /** An ejection may be over. */
  noteTime(): void {
    this.#move('time');
  }

  takeActivity(): EndpointActivity {
    const activity = {
      seen: this.#seen,
      processed: this.#processed,
      succeeded: this.#succeeded,
      totalMs: this.#totalMs,
    };
    this.#seen = false;
    this.#processed = this.#succeeded = this.#totalMs = 0;
    return activity;
  }

  update(worker: RoutedWorker): void {
    if (worker.healthPath !== this.worker.healthPath) this.probe = NOT_FAILING;
    const tookJobs = this.takesJobs;
    this.worker = worker;
    this.takesJobs = takesJobs(worker);
    if (this.takesJobs && !tookJobs) this.#rules.onJoined(this);
    this.#judgeUsable();
  }

  #judgeUsable(): void {
    const wasUsable = this.usable;
    this.usable = this.takesJobs && isOpenTo(this.health) && !this.probe.failing;
    if (this.usable && !wasUsable) this.#rules.onOpen(this);
  }

  #move(event: HealthEvent, outcome: Outcome = 'aborted'): void {
    const before = this.health;
    const { policy, now } = this.#rules;
    let health = step(before, event, policy, now);
    if (health === before) return;
    if (event === 'bad' && isDue(health, policy) && this.#rules.canSpare(this, policy.shareMax))
      health = step(health, 'eject', policy, now);
    this.health = health;
    if (health.kind === 'ejected') {
      this.ejections++;
      this.#rules.onEjected(this, health.until, outcome);
    } else if (before.kind === 'trial' && health.kind === 'healthy') {
      this.#rules.onReturned(this);
    }
    this.#judgeUsable();
  }
}

/**
 * The endpoints of all workers. One that starts again with another version or address is another endpoint, so that
 * what is still under way on the old one is counted for the old version.
 */
export class Endpoints {
  readonly #byId = new Map<string, WorkerEndpoint>();
  readonly #createForwarder: (url: string) => Forwarder;
  readonly #rules: HealthRules;
  readonly #onRetireError: (error: unknown) => void;

  constructor(
    createForwarder: (url: string) => Forwarder,
    rules: HealthRules,
    onRetireError: (error: unknown) => void,
  ) {
    this.#createForwarder = createForwarder;
    this.#rules = rules;
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
    const forwarder = url === undefined ? undefined : this.#createForwarder(url);
    const endpoint = new WorkerEndpoint(worker, forwarder, this.#rules);
    this.#byId.set(worker.id, endpoint);
    return endpoint;
  }

  get all(): Iterable<WorkerEndpoint> {
    return this.#byId.values();
  }

  /** Lets go of workers that are no longer registered; what is under way on them goes on. */
  drop(ids: readonly string[]): void {
    for (const id of ids) {
      const endpoint = this.#byId.get(id);
      if (endpoint === undefined) continue;
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
