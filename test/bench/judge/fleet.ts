import { merge, record, type Histogram } from '../../../src/core/histogram.ts';
import {
  addLanes,
  createLanesTotals,
  type LanesTotals,
  type LaneTotals,
} from '../../../src/core/lane-totals.ts';
import { LANES } from '../../../src/core/lane.ts';
import { OUTCOME_INDEX } from '../../../src/core/outcome.ts';

/** Simulated jobs of two lanes, tick by tick, as the telemetry of a fleet would tell of them. */
export interface Behaviour {
  /** 0 to 1. */
  readonly errors: number;
  /** Factor on the latencies. */
  readonly slowness?: number;
  /** Share of the jobs that never end, 0 to 1. */
  readonly hangs?: number;
}

export interface Scene {
  /** Jobs of both lanes. */
  readonly perSecond: number;
  /** Share of the canary, 0 to 1. */
  readonly split: number;
  readonly stable: Behaviour;
  readonly canary: Behaviour;
}

export interface Tick {
  /** Milliseconds from the start. */
  readonly at: number;
  /** Of the whole run so far. */
  readonly totals: LanesTotals;
  /** Of the window that ends now. */
  readonly window: LanesTotals;
  /** Of this second. */
  readonly second: LanesTotals;
}

export const TICK_MS = 1000;
export const WINDOW_MS = 300_000;

/** Median and spread of a usual job: log-normal, so that p95 is 2.3 × the median. */
const MEDIAN_MS = 200;
const SIGMA = 0.5;

export function* ticksOf(scene: Scene, ticks: number, random: () => number): Generator<Tick> {
  const seconds: LanesTotals[] = [];
  let totals = createLanesTotals();
  const window = createLanesTotals();
  const lanes = [
    { lane: 'stable' as const, rate: scene.perSecond * (1 - scene.split), behaviour: scene.stable },
    { lane: 'canary' as const, rate: scene.perSecond * scene.split, behaviour: scene.canary },
  ];
  for (let tick = 1; tick <= ticks; tick++) {
    const second = createLanesTotals();
    for (const { lane, rate, behaviour } of lanes)
      work(second[lane], poisson(rate, random), behaviour, random);
    seconds.push(second);
    addLanes(window, second);
    if (seconds.length > WINDOW_MS / TICK_MS) takeAway(window, seconds.shift()!);
    const next = createLanesTotals();
    addLanes(next, totals);
    addLanes(next, second);
    totals = next;
    yield { at: tick * TICK_MS, totals, window, second };
  }
}

function work(
  lane: LaneTotals,
  jobs: number,
  { errors, slowness = 1, hangs = 0 }: Behaviour,
  random: () => number,
): void {
  for (let i = 0; i < jobs; i++) {
    lane.routed++;
    if (hangs > 0 && random() < hangs) continue;
    lane.outcomes[random() < errors ? OUTCOME_INDEX.failure : OUTCOME_INDEX.success]! += 1;
    record(lane.latency, MEDIAN_MS * slowness * Math.exp(SIGMA * normal(random)));
  }
}

function takeAway(from: LanesTotals, gone: LanesTotals): void {
  for (const lane of LANES) {
    from[lane].routed -= gone[lane].routed;
    gone[lane].outcomes.forEach((count, i) => (from[lane].outcomes[i]! -= count));
    subtract(from[lane].latency, gone[lane].latency);
  }
}

function subtract(from: Histogram, gone: Histogram): void {
  const negative = {
    ...gone,
    counts: gone.counts.map((n) => -n),
    count: -gone.count,
    sum: -gone.sum,
    max: 0,
  };
  merge(from, negative);
}

/** Box-Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Knuth's product for small means, the normal limit for large ones. */
function poisson(mean: number, random: () => number): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count++;
  return count;
}
