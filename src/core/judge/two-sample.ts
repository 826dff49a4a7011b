/**
 * A sequential test of two lanes: does the canary hit (fail, be slow) more often per trial than stable does plus a
 * margin? It may be looked at after every job, and the chance of *ever* crossing `1 / alpha` while it does not is at
 * most `alpha`.
 *
 * **The bet.** Somebody bets against the null hypothesis `canary <= stable + margin` at fair or worse odds, so that
 * under it their wealth is a supermartingale from 1; by Ville's inequality it ever reaches `1 / alpha` with
 * probability at most `alpha` (Ramdas, Grünwald, Vovk and Shafer, "Game-theoretic statistics and safe anytime-valid
 * inference", Statistical Science 38, 2023). Wealth is evidence: an e-process.
 *
 * **The odds.** For one block of `n` stable and `x` canary trials, let `(s, c)` be the alternative, which is made from
 * earlier blocks only, and `(p, p + margin)` a point on the border of the null. The bet pays
 *
 *     stable:  s / p for a hit, (1 - s) / (1 - p) for a miss                 expected at rate q: 1 + (q - p) (s - p) / (p (1 - p))
 *     canary:  c / (p + m) for a hit, times exp(-(c - p - m) x) for the block      expected at rate q: at most exp(x (c - p - m) (q / (p + m) - 1))
 *
 * At `(p + t, p + m + t)`, any point of the border, the logarithm of the expected product is at most
 * `t (x (c - p - m) / (p + m) - n (p - s) / (p (1 - p)))`. So the bet is fair or worse on the whole border, and all the
 * more inside the null, exactly when `p` makes that bracket 0. That is the projection of the alternative on the null,
 * weighted by the trials (Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample tests that allow
 * for optional stopping", JSPI 230, 2024, section 4; with a border at a distance, as in Turner and Grünwald, "Exact
 * anytime-valid confidence intervals for contingency tables", 2023).
 *
 * **Poisson for the canary.** A canary trial is counted when it is routed and its hit when it ends, so that a canary
 * whose failures are quick and whose successes are slow is not judged by its failures alone. Hence the form with
 * `exp`, which only needs trials and hits apart; it costs about a tenth of the evidence at 20 % hits.
 *
 * **The bettors.** Nobody knows how bad a canary is, so the wealth is split among three bettors: one who believes in
 * what was seen so far (half), and two who believe in `margin + 4` and `margin + 15` points above stable. A mixture of
 * e-processes is one. All sit out while what was seen so far is inside the null, so a good canary costs no wealth and
 * evidence goes on over the steps of a deployment.
 */
export interface TwoSample {
  /** Natural logarithms of the bettors' wealth. */
  readonly logWealth: readonly number[];
  /** What was seen so far, older trials counting less; only for the next alternative. */
  readonly stable: Trials;
  readonly canary: Trials;
}

export interface Trials {
  readonly trials: number;
  readonly hits: number;
}

/** Trials of both lanes since the last look. */
export interface Increment {
  readonly stable: Trials;
  readonly canary: Trials;
}

export interface Bet {
  /** 0 to 1. */
  readonly margin: number;
  /** Which part of the canary's hits can be seen at all, above 0 to 1; see `evidence.ts`. */
  readonly visible: number;
  /** How much of what was seen before still counts for the next alternative, 0 to 1. */
  readonly memory: number;
  readonly random: () => number;
}

const NOTHING: Trials = { trials: 0, hits: 0 };

const STAKES = [1 / 2, 1 / 4, 1 / 4];
/** Above stable and the margin. The adaptive bettor has none. */
const BELIEFS = [undefined, 0.04, 0.15] as const;

/** What the adaptive bettor believes before any trial, with the weight of one. */
const PRIOR_ABOVE = 0.1;
/** Rates closer to 0 or 1 would bet everything on one job. */
const RATE_MIN = 1e-4;
const RATE_MAX = 0.995;

/** Trials of the canary in one block, and blocks in one look. Small blocks learn within a look. */
const BLOCK_TRIALS = 4;
const BLOCKS_MAX = 32;

export function openTwoSample(): TwoSample {
  return { logWealth: STAKES.map((stake) => Math.log(stake)), stable: NOTHING, canary: NOTHING };
}

/** A new step: the jobs are mixed otherwise, so nothing is believed any more; the wealth is shared out again. */
export function nextStep(test: TwoSample): TwoSample {
  const total = logEvidence(test);
  return { ...openTwoSample(), logWealth: STAKES.map((stake) => total + Math.log(stake)) };
}

/** Natural logarithm of the evidence against the null. */
export function logEvidence({ logWealth }: TwoSample): number {
  const most = Math.max(...logWealth);
  return most + Math.log(logWealth.reduce((sum, log) => sum + Math.exp(log - most), 0));
}

/** One look: bets block by block, the blocks being a random order of the trials. */
export function observe(test: TwoSample, increment: Increment, bet: Bet): TwoSample {
  const { stable, canary } = increment;
  const blocks = Math.max(1, Math.min(BLOCKS_MAX, Math.ceil(canary.trials / BLOCK_TRIALS)));
  const stableBlocks = inBlocks(stable, blocks, bet.random);
  const canaryBlocks = inBlocks(canary, blocks, bet.random);
  let state: TwoSample = {
    logWealth: test.logWealth,
    stable: scaled(test.stable, bet.memory),
    canary: scaled(test.canary, bet.memory),
  };
  for (let i = 0; i < blocks; i++) {
    const block = { stable: stableBlocks[i]!, canary: canaryBlocks[i]! };
    state = {
      logWealth: wager(state, block, bet),
      stable: added(state.stable, block.stable),
      canary: added(state.canary, block.canary),
    };
  }
  return state;
}

function wager(test: TwoSample, { stable, canary }: Increment, { margin, visible }: Bet): readonly number[] {
  // Without a notion of stable there is nothing to compare with.
  if (test.stable.trials === 0) return test.logWealth;
  const s = clamp((test.stable.hits + 0.25) / (test.stable.trials + 1));
  const border = s + margin;
  const prior = Math.min(RATE_MAX, border + PRIOR_ABOVE);
  const seen = (test.canary.hits + prior) / (test.canary.trials * visible + 1);
  if (border >= RATE_MAX || seen <= border) return test.logWealth;
  const exposure = canary.trials * visible;
  return test.logWealth.map((log, i) => {
    const above = BELIEFS[i];
    const c = Math.min(RATE_MAX, above === undefined ? seen : border + above);
    if (c <= border) return log;
    const p = borderPoint(s, c, margin, stable.trials, exposure);
    const canaryLog = canary.hits * Math.log(c / (p + margin)) - (c - p - margin) * exposure;
    const stableLog =
      stable.hits * Math.log(s / p) + (stable.trials - stable.hits) * Math.log((1 - s) / (1 - p));
    return log + canaryLog + stableLog;
  });
}

/** The `p` at which the odds are fair; between `s` and `c - margin`, where the bracket falls from above 0 to below. */
function borderPoint(s: number, c: number, margin: number, n: number, x: number): number {
  if (n === 0) return c - margin;
  if (x === 0) return s;
  let low = s;
  let high = c - margin;
  // 2^-40 of at most 1.
  for (let i = 0; i < 40; i++) {
    const p = (low + high) / 2;
    const bracket = (x * (c - p - margin)) / (p + margin) - (n * (p - s)) / (p * (1 - p));
    if (bracket > 0) low = p;
    else high = p;
  }
  return (low + high) / 2;
}

/**
 * The trials in equal blocks, the hits at random places: which of the jobs of one look came first is not known, and
 * under the null every order is as likely as any other.
 */
function inBlocks({ trials, hits }: Trials, blocks: number, random: () => number): readonly Trials[] {
  if (blocks === 1) return [{ trials, hits }];
  const share = trials / blocks;
  const sizes = Array.from({ length: blocks }, (_, i) => Math.round((i + 1) * share) - Math.round(i * share));
  const misses = [...sizes];
  let left = trials;
  for (let hit = 0; hit < Math.min(hits, trials); hit++) {
    let place = Math.floor(random() * left);
    let block = 0;
    while (place >= misses[block]!) place -= misses[block++]!;
    misses[block]!--;
    left--;
  }
  return sizes.map((size, i) => ({ trials: size, hits: size - misses[i]! }));
}

function scaled({ trials, hits }: Trials, by: number): Trials {
  return { trials: trials * by, hits: hits * by };
}

function added(a: Trials, b: Trials): Trials {
  return { trials: a.trials + b.trials, hits: a.hits + b.hits };
}

function clamp(rate: number): number {
  return Math.min(RATE_MAX, Math.max(RATE_MIN, rate));
}
