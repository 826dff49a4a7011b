import { z } from '@hono/zod-openapi';
import { formatDuration, parseDuration } from '../../src/core/duration.ts';
import { isPercentage } from '../../src/core/lane.ts';
import { isNamed, type NameGrammar } from '../../src/core/names.ts';
import { expecting } from '../http/problems.ts';

/** The kinds of fields that requests are made of. Each says once what it accepts; see `http/problems.ts`. */

export function named(grammar: NameGrammar) {
  const error = expecting(grammar.accepted);
  return z
    .string({ error })
    .refine((value) => isNamed(grammar, value), { error })
    .openapi({ pattern: grammar.pattern.source, description: grammar.accepted });
}

export function oneOf<const T extends readonly string[]>(words: T) {
  return z.enum(words, { error: expecting(`one of ${words.join(', ')}`) });
}

export const flag = z.boolean({ error: expecting('true or false') });

export function text(lengthMax: number) {
  const error = expecting(`1 to ${lengthMax} characters of text`);
  // Control characters would end up in logs and terminals.
  return z.string({ error }).refine((value) => value.length <= lengthMax && /^\P{Cc}+$/u.test(value), {
    error,
  });
}

/** Go's grammar; `parseDuration` makes milliseconds of it. */
export function duration(minMs: number, maxMs: number) {
  const error = expecting(
    `a duration such as 500ms, 90s or 1h30m, from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`,
  );
  return z.string({ error }).refine(
    (value) => {
      const ms = parseDuration(value);
      return ms !== undefined && ms >= minMs && ms <= maxMs;
    },
    { error },
  );
}

export const percentage = (() => {
  const error = expecting('a number from 0 to 100 with at most two decimals');
  return z.number({ error }).min(0, { error }).max(100, { error }).refine(isPercentage, { error });
})();

export function between(min: number, max: number) {
  const error = expecting(`a number from ${min} to ${max}`);
  return z.number({ error }).min(min, { error }).max(max, { error });
}

export function integerBetween(min: number, max: number) {
  const error = expecting(`a whole number from ${min} to ${max}`);
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** Enough for labels, links and a change log; not a place to keep data. */
const METADATA_BYTES_MAX = 16 * 1024;

export const metadata = (() => {
  const error = expecting(`an object of at most ${METADATA_BYTES_MAX} bytes as JSON`);
  return z
    .record(z.string(), z.unknown(), { error })
    .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= METADATA_BYTES_MAX, {
      error: `must be at most ${METADATA_BYTES_MAX} bytes as JSON`,
    })
    .openapi({ description: 'Any object of at most 16 KiB.' });
})();

/** RFC 3339 in, any offset; `toMilliseconds` reads it. */
export const instant = z.iso.datetime({
  offset: true,
  error: expecting('a time such as 2025-09-14T12:00:00Z'),
});

export function toMilliseconds(instantText: string): number {
  return new Date(instantText).getTime();
}

/** RFC 3339 in UTC; a fraction only where there is one. */
export function toInstant(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

/** A time in an answer. */
export const timestamp = z.string().openapi({ format: 'date-time', example: '2025-09-14T12:00:00Z' });
