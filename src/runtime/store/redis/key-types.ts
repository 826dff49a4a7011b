import { LanewiseError } from '../../../core/errors.ts';
import type { Logger } from '../../log.ts';
import { eventsKey, KEYS } from './keys.ts';

/**
 * Somebody else's value under one of our keys, or ours overwritten. A script that meets it half way would leave half a
 * change behind, so scripts look at the types of their keys before they write anything; and whoever is told, is told
 * which key it is.
 */
type KeyType = 'string' | 'hash' | 'list' | 'zset';

const KEY_TYPES: Readonly<Record<keyof typeof KEYS, KeyType>> = {
  schema: 'string',
  epoch: 'string',
  server: 'string',
  revision: 'string',
  deployments: 'hash',
  order: 'zset',
  sequence: 'string',
  open: 'hash',
  routes: 'hash',
  workers: 'hash',
  routing: 'hash',
  serving: 'zset',
  activity: 'hash',
  seeded: 'hash',
  judge: 'string',
  judgements: 'hash',
  notices: 'hash',
  noticesDue: 'zset',
  noticesOrder: 'zset',
  leases: 'zset',
  reports: 'hash',
};

const ENTRIES = Object.entries(KEY_TYPES).map(
  ([name, type]) => `['${KEYS[name as keyof typeof KEYS]}'] = '${type}'`,
);

/** Goes before whatever a script does. Keys of events are the only ones with a part that varies. */
export const CHECK_KEY_TYPES = `
local key_types = {${ENTRIES.join(', ')}}
for _, key in ipairs(KEYS) do
  local found = redis.call('TYPE', key).ok
  local wanted = key_types[key] or string.find(key, '${eventsKey('')}', 1, true) == 1 and 'list'
  if wanted and found ~= 'none' and found ~= wanted then
    error({err = 'KEYTYPE ' .. found .. ' ' .. wanted .. ' ' .. key})
  end
end
`;

const CHECKED = /\bKEYTYPE (\S+) (\S+) (\S+)/;

/** Callers that try again and again log little; an operator must learn of it all the same. */
const SAY_AGAIN_MS = 60_000;

class WrongTypeError extends LanewiseError {}

export function createWrongTypeLog(log: Logger): { note(error: Error): void } {
  const said = new Map<string, number>();
  return {
    note(error) {
      if (!(error instanceof WrongTypeError)) return;
      const now = performance.now();
      if (now - (said.get(error.message) ?? -Infinity) < SAY_AGAIN_MS) return;
      said.set(error.message, now);
      log.error({ reason: error.message }, 'a key of Redis does not hold what it should');
    },
  };
}

/** @returns undefined for an error of another kind. @param redis names the server, fit for logs */
export function wrongTypeError(error: Error, redis: string): LanewiseError | undefined {
  const [, found, wanted, key] = CHECKED.exec(error.message) ?? [];
  const advice = 'nothing was changed; move it away (RENAME), or point REDIS_URL to another database';
  if (found !== undefined) {
    return new WrongTypeError(
      'STORE_UNAVAILABLE',
      `Redis at ${redis} holds a ${found} under the key ${key}, where Lanewise keeps a ${wanted}: ${advice}`,
    );
  }
  if (!/\bWRONGTYPE\b/.test(error.message)) return undefined;
  const named = keyOf(error);
  const under = named === undefined ? 'under a key of ours' : `under the key ${named}`;
  return new WrongTypeError(
    'STORE_UNAVAILABLE',
    `Redis at ${redis} holds something else ${under} than Lanewise keeps there: ${advice}`,
  );
}

/** ioredis hangs the failed command on the error; a script's first key tells little, since it may be any of them. */
function keyOf(error: Error): string | undefined {
  const command: unknown = 'command' in error ? error.command : undefined;
  const { name, args }: { name?: unknown; args?: unknown } = command ?? {};
  if (name === 'evalsha' || name === 'eval' || !Array.isArray(args)) return undefined;
  return typeof args[0] === 'string' ? args[0] : undefined;
}
