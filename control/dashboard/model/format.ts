/** Numbers and times as the dashboard writes them. What nobody knows is a dash, never a made-up 0. */

export const UNKNOWN = '–';

const THIN = '\u202f';

/** At most two decimals, as many as are needed to tell small ones apart. */
export function percent(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : `${trimmed(value)}${THIN}%`;
}

export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  return value >= 10_000 ? `${trimmed(value / 1000)}${THIN}s` : `${trimmed(value)}${THIN}ms`;
}

export function perSecond(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : `${trimmed(value)}${THIN}/s`;
}

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : Math.round(value).toLocaleString('en');
}

export function megabytes(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : `${trimmed(value)}${THIN}MB`;
}

function trimmed(value: number): string {
  const size = Math.abs(value);
  const decimals = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: decimals });
}

/** A share that somebody has set, with the decimals that it was set with. */
export function share(value: number): string {
  return `${value.toLocaleString('en', { maximumFractionDigits: 2 })}${THIN}%`;
}

/** With its sign; the minus is as wide as the plus. */
export function signed(text: string, value: number): string {
  if (value === 0) return `±${text}`;
  return value > 0 ? `+${text}` : `−${text.replace(/^[-−]/, '')}`;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const;

/** The two largest units: `1 h 5 min`, `12 s`. */
export function span(ms: number): string {
  let rest = Math.max(0, Math.round(ms / 1000)) * 1000;
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    if (whole > 0) parts.push(`${whole}${THIN}${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.length === 0 ? `0${THIN}s` : parts.join(' ');
}

/** Its largest unit, for lists. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 5) return 'now';
  return span(seconds * 1000).split(' ')[0]!;
}

/** `14:03:27` of today, else with the day. In the viewer's own time. */
export function clockTime(at: number, now: number): string {
  const [moment, today] = [new Date(at), new Date(now)];
  const time = [moment.getHours(), moment.getMinutes(), moment.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
  if (moment.toDateString() === today.toDateString()) return time;
  const day = moment.toLocaleDateString('en', { day: 'numeric', month: 'short' });
  return `${day}, ${time}`;
}

/** `3 workers`. */
export function plural(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
}

/** Words of the API for people: `rolling_back` → `rolling back`. */
export function words(name: string): string {
  return name.replaceAll('_', ' ');
}
