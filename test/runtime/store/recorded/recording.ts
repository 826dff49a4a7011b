import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

/**
 * What a release had written to Redis and published, as it was on the day: three deployments that are open, one that was
 * promoted, one that was rolled back, two workers, telemetry, judgements, jobs in lanes. Never to be written anew: that
 * later releases read it is the point.
 */
interface Recording {
  readonly release: string;
  readonly ids: Readonly<Record<'first' | 'bad' | 'open' | 'tenant' | 'lists', string>>;
  readonly keys: Readonly<Record<string, Value>>;
  readonly messages: readonly (readonly [channel: string, message: string])[];
}

type Value =
  | string
  | { readonly base64: string }
  | { readonly hash: Readonly<Record<string, string>> }
  | { readonly list: readonly string[] }
  | { readonly zset: readonly string[] };

export const RELEASE_0_1 = JSON.parse(
  readFileSync(new URL('release-0.1.json', import.meta.url), 'utf8'),
) as Recording;

/** How a record or a message is rewritten before it is used. */
export type Rewrite = (text: string) => string;

export const asRecorded: Rewrite = (text) => text;

/** What the next minor release may write without a new schema number: more fields, in every object there is. */
export const withNews: Rewrite = (text) => {
  const start = text.search(/[{[]/);
  if (start === -1) return text;
  try {
    return text.slice(0, start) + JSON.stringify(grown(JSON.parse(text.slice(start))));
  } catch {
    return text;
  }
};

/** What is in them is the users', and of any name. */
const MAPS = new Set(['headers', 'metadata']);

function grown(value: unknown): unknown {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'object') ? value.map(grown) : value;
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([name, field]) => [name, MAPS.has(name) ? field : grown(field)]);
  return { ...Object.fromEntries(fields), of_a_later_release: { and: ['more', 1, null] } };
}

export async function restore(client: Redis, recording: Recording, rewrite: Rewrite): Promise<void> {
  for (const [key, value] of Object.entries(recording.keys)) {
    if (typeof value === 'string') await client.set(key, value);
    else if ('base64' in value) await client.set(key, Buffer.from(value.base64, 'base64'));
    else if ('list' in value) await client.rpush(key, ...value.list.map(rewrite));
    else if ('zset' in value) await client.zadd(key, ...scored(value.zset));
    else
      await client.hset(
        key,
        Object.entries(value.hash).flatMap(([name, text]) => [name, rewrite(text)]),
      );
  }
}

/** `ZRANGE … WITHSCORES` has the score behind, `ZADD` in front. */
function scored(pairs: readonly string[]): string[] {
  return pairs.flatMap((member, i) => (i % 2 === 0 ? [pairs[i + 1]!, member] : []));
}
