import type { Clock } from '../src/core/clock.ts';
import { canSpare, type EjectionPolicy } from '../src/core/outlier.ts';
import type { Outcome } from '../src/core/outcome.ts';
import type { ProbePolicy } from '../src/core/probe.ts';
import type { RoutingTable } from '../src/core/routing-table.ts';
import type { Logger } from '../src/runtime/log.ts';
import type { HealthRules, WorkerEndpoint } from './endpoint.ts';
import type { Ramps } from './ramps.ts';
import type { WaitingRoom } from './waiting-room.ts';

/** The world around the health of workers: the clock, the lanes that must not run dry, who waits, the log. */
export interface EjectionsOptions {
  readonly policy: EjectionPolicy;
  readonly probing: ProbePolicy;
  readonly clock: Clock;
  readonly log: Logger;
  /** Known only once there are endpoints to compile it from. */
  readonly table: () => RoutingTable<WorkerEndpoint>;
  readonly waitingRoom: WaitingRoom;
  readonly ramps: Ramps;
}

export class Ejections implements HealthRules {
  readonly policy: EjectionPolicy;
  readonly probing: ProbePolicy;
  readonly #options: EjectionsOptions;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(options: EjectionsOptions) {
    this.#options = options;
    this.policy = options.policy;
    this.probing = options.probing;
  }

  readonly now = (): number => this.#options.clock.monotonic();

  /** In every lane of every queue that it serves. */
  canSpare(endpoint: WorkerEndpoint, shareMax: number): boolean {
    const { queues } = this.#options.table();
    return endpoint.worker.queues.every((queue) => {
      const compiled = queues.get(queue);
      if (compiled === undefined) return true;
      return [compiled.route, ...compiled.tenants.values()].every(({ canary, stable, reserve }) =>
        [canary, stable, reserve].every(
          (pool) => !pool.endpoints.includes(endpoint) || canSpare(pool, endpoint, shareMax),
        ),
      );
    });
  }

  onEjected(endpoint: WorkerEndpoint, until: number, last: Outcome): void {
    const { id: worker, version } = endpoint.worker;
    const forMs = Math.round(until - this.now());
    this.#options.log.warn({ worker, version, last, forMs }, 'worker ejected');
    this.#await(endpoint, until);
  }

  /** Timers may come a moment early. */
  #await(endpoint: WorkerEndpoint, until: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.now() < until) this.#await(endpoint, until);
      else endpoint.noteTime();
    }, until - this.now());
    timer.unref();
    this.#timers.add(timer);
  }

  onReturned(endpoint: WorkerEndpoint): void {
    const { id: worker, version } = endpoint.worker;
    this.#options.log.info({ worker, version }, 'ejected worker is back');
    this.#options.ramps.begin(endpoint);
  }

  onProbesTurned(endpoint: WorkerEndpoint): void {
    const { id: worker, version, healthPath } = endpoint.worker;
    const { log, ramps } = this.#options;
    if (endpoint.probe.failing) {
      log.warn({ worker, version, healthPath }, 'worker fails its probes');
    } else {
      log.info({ worker, version, healthPath }, 'worker passes its probes again');
      ramps.begin(endpoint);
    }
  }

  onJoined(endpoint: WorkerEndpoint): void {
    this.#options.ramps.begin(endpoint);
  }

  onOpen(endpoint: WorkerEndpoint): void {
    this.#options.waitingRoom.free(endpoint);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
