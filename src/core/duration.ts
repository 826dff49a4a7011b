/**
 * Durations in Go's grammar (`time.ParseDuration`), since that is what the API speaks: `2h`, `1h30m`, `1.5h`,
 * `500ms` in; Go's canonical form (`Duration.String`) out: `2h0m0s`, `1h30m0s`, `500ms`.
 */

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

// Each term is anchored and consumes at least a digit and a unit, so matching is linear.
const TERM = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/** Go's durations are 64-bit nanoseconds; this is 292 years in milliseconds. */
const MS_MAX = 2 ** 63 / 1e6;

/** @returns milliseconds, or undefined if `text` is not a duration. Negative durations are not taken. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (text.length === 0 || text.length > 64) return undefined;
  let ms = 0;
  TERM.lastIndex = 0;
  while (TERM.lastIndex < text.length) {
    const term = TERM.exec(text);
    if (!term) return undefined;
    ms += Number(term[1]) * UNIT_MS[term[2]!]!;
  }
  return ms < MS_MAX ? wholeNanoseconds(ms) : undefined;
}

/** Go's canonical form of a number of milliseconds (0 or more). */
export function formatDuration(milliseconds: number): string {
  const ms = wholeNanoseconds(milliseconds);
  if (ms === 0) return '0s';
  if (ms < 1e-3) return `${decimal(ms * 1e6)}ns`;
  if (ms < 1) return `${decimal(ms * 1e3)}µs`;
  if (ms < 1000) return `${decimal(ms)}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = `${decimal((ms % 60_000) / 1000)}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  if (minutes > 0) return `${minutes}m${seconds}`;
  return seconds;
}

/** Nanoseconds are the grammar's grain; this removes the noise of adding fractions, as far as a double has the digits. */
function wholeNanoseconds(ms: number): number {
  return ms * 1e6 <= Number.MAX_SAFE_INTEGER ? Math.round(ms * 1e6) / 1e6 : ms;
}

/** At most nine decimals and no exponent. */
function decimal(value: number): string {
  return value.toFixed(9).replace(/\.?0+$/, '');
}
