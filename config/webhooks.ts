import { z } from 'zod';
import { IDENTIFIER } from '../src/core/names.ts';
import { NOTICE_KINDS } from '../src/core/notice-kind.ts';
import { list, oneOf, text } from './fields.ts';

/**
 * Who is told of what happens to deployments. No message repeats a secret, nor a URL, whose path is a secret with many
 * receivers.
 */

const SECRET_PREFIX = 'whsec_';

/** The range of the Standard Webhooks specification 1.0.0, section "Signature scheme". */
const KEY_BYTES_MIN = 24;
const KEY_BYTES_MAX = 64;

const SECRET_ERROR =
  `must be ${SECRET_PREFIX} and the base64 of ${KEY_BYTES_MIN} to ${KEY_BYTES_MAX} random bytes, ` +
  `as this makes one: echo "${SECRET_PREFIX}$(openssl rand -base64 32)"`;

const URL_ERROR = 'must be an http:// or https:// URL without user name, password and #';

const MISSING_SECRET = 'is missing, and so is secret_file';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The bytes of `whsec_…`. */
export function keyOf(secret: string): Buffer {
  return Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');
}

function isSecret(secret: string): boolean {
  const { length } = keyOf(secret);
  const isEncoded = BASE64.test(secret.slice(SECRET_PREFIX.length));
  return secret.startsWith(SECRET_PREFIX) && isEncoded && length >= KEY_BYTES_MIN && length <= KEY_BYTES_MAX;
}

function isReceiverUrl(value: string): boolean {
  const url = URL.parse(value);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return false;
  return url.hostname !== '' && url.username === '' && url.password === '' && url.hash === '';
}

const webhook = z
  .strictObject({
    url: z.string({ error: URL_ERROR }).trim().refine(isReceiverUrl, { error: URL_ERROR }),
    // Several while one takes the place of another.
    secret: list(z.string({ error: SECRET_ERROR }))
      .refine((secrets) => secrets.length > 0 && secrets.every(isSecret), { error: SECRET_ERROR })
      .optional(),
    // Its content stands in `secret` by the time this is checked, if it could be read.
    secret_file: text('must be the path of a file').optional(),
    events: list(oneOf(NOTICE_KINDS))
      .refine((kinds) => kinds.length > 0, { error: `must name at least one of ${NOTICE_KINDS.join(', ')}` })
      .default([...NOTICE_KINDS]),
  })
  .refine(({ secret, secret_file }) => secret !== undefined || secret_file !== undefined, {
    path: ['secret'],
    error: MISSING_SECRET,
    // Also if another key is wrong.
    when: ({ value }) => typeof value === 'object' && value !== null,
  })
  .transform(({ url, secret = [], events }) => ({ url, secret, events }));

export const webhooks = z
  .record(
    z.string().regex(IDENTIFIER.pattern, { error: `is not a name of a webhook: ${IDENTIFIER.accepted}` }),
    webhook,
  )
  .default({});

export type WebhookSettings = z.output<typeof webhook>;
