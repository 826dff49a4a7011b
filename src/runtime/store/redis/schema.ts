import { LanewiseError } from '../../../core/errors.ts';
import type { CommandClient } from './clients.ts';
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
  const stored = await storedSchema(client).catch(() => null);
  if (Number(stored) <= SCHEMA_VERSION) return;
  throw new LanewiseError(
    'STORE_UNAVAILABLE',
    `Redis at ${redis} was written by a newer Lanewise (schema ${String(stored)}; this one reads up to ` +
      `${SCHEMA_VERSION}): run that release or a later one, or point REDIS_URL to another Redis or database`,
  );
}

async function storedSchema(client: CommandClient): Promise<unknown> {
  const stored = await client.call('GET', KEYS.schema);
  if (stored === null) await client.call('SET', KEYS.schema, String(SCHEMA_VERSION), 'NX');
  return stored;
}
