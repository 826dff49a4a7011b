import type { Routing } from '../../client/api-types.ts';

/** Figures as people read them. */

const NONE = '–';

export function percent(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : `${round(value, 2)} %`;
}

export function milliseconds(value: number | null): string {
  return value === null ? NONE : `${round(value, 1)} ms`;
}

export function figure(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : String(round(value, 1));
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** `3m`, from a timestamp. */
export function age(timestamp: string, now: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - Date.parse(timestamp)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)}h` : `${Math.round(seconds / 86_400)}d`;
}

export function inSync({ proxies, applied }: Routing): string {
  return proxies === null || applied === null ? 'nobody can say' : `${applied} of ${proxies} proxies in sync`;
}
