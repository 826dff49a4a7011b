/** At most so many tasks of one key at once; the others wait in order of arrival. Keys don't wait for each other. */
export interface Limiter {
  /** @param task must see to its own errors */
  run(key: string, task: () => Promise<void>): Promise<void>;
}

interface Turns {
  running: number;
  readonly waiting: (() => void)[];
}

export function createLimiter(max: number): Limiter {
  const keys = new Map<string, Turns>();
  return {
    async run(key, task) {
      const turns = keys.get(key) ?? { running: 0, waiting: [] };
      keys.set(key, turns);
      // Who is done hands over to the next, so `running` stands still between the two.
      if (turns.running === max) await new Promise<void>((resolve) => turns.waiting.push(resolve));
      else turns.running++;
      try {
        await task();
      } finally {
        const next = turns.waiting.shift();
        if (next !== undefined) next();
        else if (--turns.running === 0) keys.delete(key);
      }
    },
  };
}
