import type { Outcome } from './outcome.ts';
import type { Endpoint, Pool } from './pool.ts';

/**
 * When a proxy stops sending jobs to a worker that keeps failing, and when it tries again; after Envoy's outlier
 * detection and the circuit breaker's half-open state.
 *
 *     healthy ──failures in a row──► ejected ──time is up──► trial ──one good──► healthy
 *                                       ↑______________________|  one bad
 *
 * Ejection moves a lane's jobs among its own workers, never out of it: a bad version must go on failing where the judge
 * sees it. So the last usable worker of a lane is never ejected, and `pool.ts` takes ejected ones where nobody else is left.
 */
export type WorkerHealth =
  | {
      readonly kind: 'healthy';
      /** In a row. */
      readonly failures: number;
      /** Remembered: the next one lasts so many times longer. One is forgotten with each ejection time in health. */
      readonly ejections: number;
      /** Milliseconds on the monotonic clock; since when ejections are forgotten. */
      readonly since: number;
    }
  | { readonly kind: 'ejected'; readonly ejections: number; readonly until: number }
  /** One dispatch at a time, until one of them has shown what the worker is like. */
  | { readonly kind: 'trial'; readonly ejections: number; readonly underWay: boolean };

export interface EjectionPolicy {
  /** In a row; 0: never eject. */
  readonly failures: number;
  /** Milliseconds that the first one lasts. */
  readonly time: number;
  readonly timeMax: number;
  /** Of a lane's workers, 0 to 1; one may be ejected however few there are, unless this is 0. */
  readonly shareMax: number;
}

/**
 * What happened to a worker.
 * - `good`, `bad`: a dispatch has ended, and says that; see `verdictOf`
 * - `undecided`: one has ended that says nothing
 * - `begun`: one goes to it
 * - `eject`: it is due, and the lane can do without it
 * - `time`: the clock went on
 */
export type HealthEvent = 'good' | 'bad' | 'undecided' | 'begun' | 'eject' | 'time';

export const HEALTHY: WorkerHealth = { kind: 'healthy', failures: 0, ejections: 0, since: 0 };

/**
 * @param now milliseconds on the monotonic clock; asked only where it matters
 * @returns the very same state where nothing changed, which for a dispatch that ends well is the rule
 */
export function step(
  health: WorkerHealth,
  event: HealthEvent,
  policy: EjectionPolicy,
  now: () => number,
): WorkerHealth {
  switch (health.kind) {
    case 'healthy':
      if (event === 'good') return health.failures === 0 ? health : { ...health, failures: 0 };
      if (event === 'bad') return { ...health, failures: health.failures + 1 };
      return event === 'eject' ? eject(remembered(health, policy, now()), policy, now()) : health;
    case 'ejected':
      // What began before it was ejected says nothing new.
      return event === 'time' && now() >= health.until
        ? { kind: 'trial', ejections: health.ejections, underWay: false }
        : health;
    case 'trial':
      if (event === 'good')
        return { kind: 'healthy', failures: 0, ejections: health.ejections, since: now() };
      if (event === 'bad') return eject(health.ejections, policy, now());
      if (event === 'begun') return { ...health, underWay: true };
      return event === 'undecided' ? { ...health, underWay: false } : health;
    default:
      return health satisfies never;
  }
}

function eject(before: number, { time, timeMax }: EjectionPolicy, now: number): WorkerHealth {
  const ejections = before + 1;
  return { kind: 'ejected', ejections, until: now + Math.min(timeMax, time * ejections) };
}

function remembered(
  { ejections, since }: WorkerHealth & { readonly kind: 'healthy' },
  { time }: EjectionPolicy,
  now: number,
): number {
  return Math.max(0, ejections - Math.floor((now - since) / time));
}

/** It has failed often enough. Asked again after as many failures more, where the lane could not do without it. */
export function isDue(health: WorkerHealth, { failures }: EjectionPolicy): boolean {
  return health.kind === 'healthy' && failures > 0 && health.failures > 0 && health.failures % failures === 0;
}

export function isOpenTo(health: WorkerHealth): boolean {
  return health.kind === 'healthy' || (health.kind === 'trial' && !health.underWay);
}

/**
 * What the end of a dispatch says of the worker, not of the job: an answer is good, also one of 4xx, unless it is 5xx.
 * @param status of the worker's answer; 0 where there was none
 */
export function verdictOf(outcome: Outcome, status: number): 'good' | 'bad' | 'undecided' {
  switch (outcome) {
    case 'success':
    case 'rejected':
      return 'good';
    case 'failure':
      return status >= 400 && status < 500 ? 'good' : 'bad';
    case 'timeout':
    case 'unreachable':
      return 'bad';
    case 'aborted':
      return 'undecided';
    default:
      return outcome satisfies never;
  }
}

/**
 * Whether the lane can do without one more of its workers.
 * @param shareMax of them that may be out, 0 to 1
 */
export function canSpare(pool: Pool<Endpoint>, endpoint: Endpoint, shareMax: number): boolean {
  let members = 0;
  let out = 1;
  let others = 0;
  for (const member of pool.endpoints) {
    if (!member.takesJobs) continue;
    members++;
    if (member === endpoint) continue;
    if (member.usable) others++;
    else out++;
  }
  return others > 0 && shareMax > 0 && out <= Math.max(1, Math.floor(shareMax * members));
}
