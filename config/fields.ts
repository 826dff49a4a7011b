import { z } from 'zod';
import { formatDuration, parseDuration } from '../src/core/duration.ts';

/**
 * The kinds of values that the configuration holds. Each takes what YAML gives and what an environment variable
 * gives (always text), and says what it accepts when it refuses.
 */

function fromText(convert: (word: string) => unknown) {
  return (value: unknown): unknown =>
    typeof value === 'string' && value.trim() !== '' ? convert(value.trim()) : value;
}

function numberFromText(word: string): unknown {
  const value = Number(word);
  return Number.isNaN(value) ? word : value;
}

export function integer(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.preprocess(fromText(numberFromText), z.int({ error }).min(min, { error }).max(max, { error }));
}

export function decimal(min: number, max: number) {
  const error = `must be a number from ${min} to ${max}`;
  return z.preprocess(fromText(numberFromText), z.number({ error }).min(min, { error }).max(max, { error }));
}

export const port = integer(0, 65_535);

export function flag() {
  const words: Readonly<Record<string, boolean>> = { true: true, false: false };
  return z.preprocess(
    fromText((word) => words[word] ?? word),
    z.boolean({ error: 'must be true or false' }),
  );
}

export function text(error: string) {
  return z.string({ error }).trim().min(1, { error });
}

export function oneOf<const T extends readonly string[]>(words: T) {
  return z.enum(words, { error: `must be one of ${words.join(', ')}` });
}

/** Go's grammar in, milliseconds out. */
export function duration(minMs: number, maxMs: number) {
  const error = `must be a duration such as 500ms, 90s or 1h30m, from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  return z
    .preprocess((value) => (value === 0 ? '0' : value), z.string({ error }))
    .transform((value, context) => {
      const ms = parseDuration(value.trim());
      if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
      context.addIssue({ code: 'custom', message: error });
      return z.NEVER;
    });
}

/** As browsers write it: `https://ops.example.com`, with the port where it is not the scheme's own. */
export const origin = (() => {
  const error = 'must be an origin such as https://ops.example.com or http://localhost:5173, without a path';
  return z.string({ error }).refine((value) => URL.parse(value)?.origin === value, { error });
})();

/** A YAML list, or the same separated by commas. */
export function list<T extends string>(item: z.ZodType<T>) {
  return z.preprocess(
    fromText((value) => value.split(',').map((part) => part.trim())),
    z.array(item, { error: 'must be a list, or values separated by commas' }),
  );
}
