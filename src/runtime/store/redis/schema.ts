import { LanewiseError } from '../../../core/errors.ts';
import type { CommandClient } from './clients.ts';
import { toStoreError } from './errors.ts';
import { KEYS } from './keys.ts';

/**
 * The form of what is kept under `KEYS`. New fields of a record need no new number; a release that stores something in
 * a form which this one would misread raises it, and this one then keeps away.
 */
const SCHEMA_VERSION = 1;

/**
 * Asked once a connection, before anything else is. A server that can't say (it is a replica, it is loading, the user
 * may not) keeps nobody off: the calls themselves tell what is wrong with it.
 * @throws LanewiseError STORE_UNAVAILABLE if a newer release has been here
 */
export async function checkSchema(client: CommandClient, redis: string): Promise<void> {
  const stored = await storedSchema(client).catch((error: unknown) => {
    if (error instanceof Error && error.message.startsWith('WRONGTYPE')) throw toStoreError(error, redis);
    return null;
  });
  if (stored === null || Number(stored) <= SCHEMA_VERSION) return;
  if (!/^\d+$/.test(stored)) {
    throw new LanewiseError(
      'STORE_UNAVAILABLE',
      `Redis at ${redis} holds no number under the key ${KEYS.schema}, so what wrote it is not known: set it to the ` +
        `schema of the release that did (${SCHEMA_VERSION} is this one's), or point REDIS_URL to another Redis or database`,
    );
  }
  throw new LanewiseError(
    'STORE_UNAVAILABLE',
    `Redis at ${redis} was written by a newer Lanewise (schema ${stored}; this one reads up to ` +
      `${SCHEMA_VERSION}): run that release or a later one, or point REDIS_URL to another Redis or database`,
  );
}

async function storedSchema(client: CommandClient): Promise<string | null> {
  const stored = await client.call('GET', KEYS.schema);
  if (stored === null) await client.call('SET', KEYS.schema, String(SCHEMA_VERSION), 'NX');
  return typeof stored === 'string' ? stored : null;
}
