import { oneOf, type Random } from '../fuzz/mutate.ts';

/**
 * What goes wrong, and when; the same for the same seed. Faults of different tracks happen at the same time; those of
 * one track come one after the other, since what the invariants promise needs something left: a worker of each version,
 * a copy of Redis' data.
 */

export const FAULTS = {
  worker: [
    'kill a worker',
    'stop a worker',
    'kill a whole lane',
    'cut a worker off',
    'half-open to a worker',
    'one way to a worker',
    'one way from a worker',
    'resets to a worker',
    'slow to a worker',
    'trickle to a worker',
  ],
  proxy: [
    'kill a proxy',
    'restart a proxy',
    'stop a proxy',
    'cut a proxy off its producers',
    'half-open to a proxy',
    'resets to a proxy',
    'slow to a proxy',
    'trickle to a proxy',
    'full disk of a proxy',
    'clock of a proxy an hour ahead',
    'clock of a proxy an hour behind',
  ],
  control: [
    'kill a control plane',
    'restart a control plane',
    'stop a control plane',
    'kill both control planes',
    'clock of a control plane an hour ahead',
    'clock of a control plane an hour behind',
  ],
  redis: [
    'kill the master',
    'crash of the master, and back at once',
    'shutdown of the master, and back',
    'stop the master',
    'planned fail-over',
    'kill the replica',
    'stop the replica',
    'kill a Sentinel',
    'cut the master off its peers',
    'half-open to the master from its peers',
    'one way to the master from its peers',
    'one way from the master to its peers',
    'cut the replica off its peers',
    'outage of all of Redis',
    'all of Redis hangs',
    'flush',
    'slow commands',
  ],
  wire: [
    'cut off Redis',
    'half-open to Redis',
    'one way to Redis',
    'one way from Redis',
    'resets to Redis',
    'slow to Redis',
    'trickle to Redis',
  ],
} as const;

export type Track = keyof typeof FAULTS;
export type FaultKind = (typeof FAULTS)[Track][number];

export interface PlannedFault {
  readonly track: Track;
  readonly kind: FaultKind;
  /** From the beginning, at the earliest. */
  readonly atMs: number;
  readonly forMs: number;
  /** Which of those that it could hit; taken modulo their number. */
  readonly target: number;
}

const GAP_MS = { least: 500, most: 3000 };
const SHORT_MS = { least: 500, most: 6000 };
const LONG_MS = { least: 10_000, most: 30_000 };
const OUTAGE_MS = 60_000;
/** What a fault of Redis takes besides, until it is whole again. */
const RECOVERY_MS: Readonly<Record<Track, number>> = {
  worker: 1000,
  proxy: 1500,
  control: 1500,
  redis: 6000,
  wire: 500,
};
/** Below it, nothing lasts long. */
const LONG_FORM_MS = 5 * 60_000;

export function planFaults(random: Random, durationMs: number): readonly PlannedFault[] {
  const isLong = durationMs >= LONG_FORM_MS;
  return (Object.keys(FAULTS) as Track[]).flatMap((track) => {
    const planned: PlannedFault[] = [];
    let deck: FaultKind[] = [];
    for (let atMs = between(random, GAP_MS); atMs < durationMs; atMs += between(random, GAP_MS)) {
      // Each kind has had its turn before one comes again.
      if (deck.length === 0) deck = shuffled(random, FAULTS[track]);
      const kind = deck.pop()!;
      let forMs = between(random, isLong && random() < 0.15 ? LONG_MS : SHORT_MS);
      if (isLong && kind === 'outage of all of Redis') forMs = OUTAGE_MS;
      planned.push({ track, kind, atMs, forMs, target: Math.floor(random() * 60) });
      atMs += forMs + RECOVERY_MS[track];
    }
    return planned;
  });
}

function between(random: Random, { least, most }: { readonly least: number; readonly most: number }): number {
  return Math.round(least + random() * (most - least));
}

function shuffled<T>(random: Random, cards: readonly T[]): T[] {
  const left = [...cards];
  return Array.from(cards, () => {
    const card = oneOf(random, left);
    left.splice(left.indexOf(card), 1);
    return card;
  });
}
