import { computed, signal } from '@preact/signals';

/** Whether what is shown is up to date, and since when it is not. */
export interface Freshness {
  /** Milliseconds since the epoch; undefined while all is up to date. */
  readonly staleSince: number | undefined;
  readonly reason: string;
}

const UP_TO_DATE: Freshness = { staleSince: undefined, reason: '' };

/** Of each source that the page shows, while it shows it. */
const sources = signal<ReadonlyMap<string, Freshness>>(new Map());

/** The one that has been out of date the longest. */
export const freshness = computed(() =>
  [...sources.value.values()].reduce<Freshness>((worst, source) => {
    if (source.staleSince === undefined) return worst;
    return worst.staleSince === undefined || source.staleSince < worst.staleSince ? source : worst;
  }, UP_TO_DATE),
);

export function markFresh(source: string): void {
  if (sources.peek().get(source)?.staleSince === undefined && sources.peek().has(source)) return;
  sources.value = new Map(sources.peek()).set(source, UP_TO_DATE);
}

/** @param since kept if the source was out of date before */
export function markStale(source: string, since: number, reason: string): void {
  const before = sources.peek().get(source)?.staleSince;
  sources.value = new Map(sources.peek()).set(source, { staleSince: before ?? since, reason });
}

/** It is shown no longer. */
export function forgetSource(source: string): void {
  const rest = new Map(sources.peek());
  if (rest.delete(source)) sources.value = rest;
}
