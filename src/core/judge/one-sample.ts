/**
 * A sequential test of one rate: is it above `most`? With `n` trials of which `s` hit, the evidence is the mixture of
 * likelihood ratios against `most` over a few alternatives above it, and one that bets nothing:
 *
 *     E(n, s) = w0 + sum over q of w (q / most)^s ((1 - q) / (1 - most))^(n - s)
 *
 * Each term is a martingale at rate `most` and a supermartingale below it, so their mixture is an e-process, and it
 * ever reaches `1 / alpha` with probability at most `alpha` (Ville's inequality; Robbins, "Statistical methods related
 * to the law of the iterated logarithm", 1970).
 *
 * It depends on the counts alone and grows with `s`. So where not all hits are known yet, counting the unknown trials
 * as misses gives less evidence than there is, never more.
 */

/** The bettor that bets nothing keeps its half through the steps of a deployment. */
const IDLE = 1 / 2;
/** Where between `most` and 1 the alternatives lie. */
const ALTERNATIVES = [0.03, 0.1, 0.3, 0.7, 0.999];

/** Below it, one hit would decide. */
const RATE_MIN = 1e-4;

/** @param most 0 to 1; at 1 nothing can be above it. @returns the natural logarithm of the evidence */
export function logEvidenceAbove(most: number, trials: number, hits: number): number {
  const border = Math.max(RATE_MIN, most);
  if (border >= 1 || trials <= 0) return 0;
  const logs = ALTERNATIVES.map((part) => {
    const q = border + part * (1 - border);
    return hits * Math.log(q / border) + (trials - hits) * Math.log((1 - q) / (1 - border));
  });
  const weight = (1 - IDLE) / ALTERNATIVES.length;
  const highest = Math.max(0, ...logs);
  const sum = logs.reduce(
    (total, log) => total + weight * Math.exp(log - highest),
    IDLE * Math.exp(-highest),
  );
  return highest + Math.log(sum);
}
