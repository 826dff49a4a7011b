import { LanewiseError } from '../../../core/errors.ts';
import { wrongTypeError } from './key-types.ts';

/** Replies by which a server says that it can't serve right now, as opposed to "you asked for nonsense". */
const UNAVAILABLE_REPLIES = new Set([
  'BUSY',
  'CLUSTERDOWN',
  'LOADING',
  'MASTERDOWN',
  'MISCONF',
  'NOREPLICAS',
  'OOM',
  'READONLY',
  'TRYAGAIN',
  'UNBLOCKED',
  'UNKILLABLE',
]);

const REFUSED_REPLIES = new Set(['NOAUTH', 'WRONGPASS', 'NOPERM']);

/** What a caller is told. `redis` names the server, fit for logs. */
export function toStoreError(error: unknown, redis: string): LanewiseError {
  if (error instanceof LanewiseError) return error;
  const cause = rootOf(error);
  const message = messageOf(cause);
  const code = replyCodeOf(cause);
  const wrongType = code === undefined ? undefined : wrongTypeError(cause as Error, redis);
  if (wrongType !== undefined) return wrongType;
  if (code !== undefined && (REFUSED_REPLIES.has(code) || message.includes('invalid password'))) {
    return new LanewiseError(
      'STORE_UNAVAILABLE',
      `Redis at ${redis} refused the password or its user lacks a right (${code}): check the credentials in REDIS_URL`,
      { cause: withoutArguments(cause) },
    );
  }
  if (code !== undefined && !UNAVAILABLE_REPLIES.has(code)) {
    return new LanewiseError('INTERNAL', `Redis at ${redis} refused a command: ${message}`, {
      cause: withoutArguments(cause),
    });
  }
  return new LanewiseError('STORE_UNAVAILABLE', `Redis at ${redis} can't be reached: ${message}`, {
    cause: withoutArguments(cause),
  });
}

/** ioredis' ways to say that the connection broke with the command under way, in terms of its settings. */
const BROKEN = /^(Connection is closed|Reached the max retries per request|Stream isn't writeable)/;

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return BROKEN.test(error.message) ? 'the connection was lost' : error.message;
}

/** Cluster wraps the error of the last node that it tried. */
function rootOf(error: unknown): unknown {
  const last = error instanceof Error && 'lastNodeError' in error ? error.lastNodeError : undefined;
  return last instanceof Error ? last : error;
}

function replyCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined;
  return /^-?([A-Z]+)\b/.exec(error.message)?.[1] ?? 'ERR';
}

/** ioredis hangs the failed command on the error, and with AUTH and HELLO that is the password. */
function withoutArguments(error: unknown): unknown {
  if (error instanceof Error && 'command' in error) error.command = undefined;
  return error;
}
