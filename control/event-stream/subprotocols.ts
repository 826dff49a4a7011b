import { createMiddleware } from 'hono/factory';
import type { ControlEnv } from '../env.ts';

/**
 * Browsers can't set headers on a WebSocket, only offer subprotocols, so the token may come as one:
 * `new WebSocket(url, ['lanewise.v1', 'bearer.' + token])`. They hang up if the answer selects none of those offered;
 * `lanewise.v1` is selected where it is offered, so that the token isn't sent back.
 */

const PROTOCOL = 'lanewise.v1';
const BEARER = 'bearer.';

/** @returns false: none */
export function selectProtocol(offered: ReadonlySet<string>): string | false {
  if (offered.has(PROTOCOL)) return PROTOCOL;
  return [...offered].find((protocol) => protocol.startsWith(BEARER)) ?? false;
}

/** Lets everything after it find the token where it always is. The real header goes before. */
export const tokenFromProtocol = createMiddleware<ControlEnv>(async (c, next) => {
  const { headers } = c.req.raw;
  const token = tokenIn(headers.get('sec-websocket-protocol') ?? '');
  if (token !== undefined && !headers.has('authorization') && !headers.has('x-api-key')) {
    headers.set('authorization', `Bearer ${token}`);
  }
  await next();
});

function tokenIn(protocols: string): string | undefined {
  const bearer = protocols
    .split(',')
    .map((protocol) => protocol.trim())
    .find((protocol) => protocol.startsWith(BEARER));
  return bearer === undefined ? undefined : decoded(bearer.slice(BEARER.length));
}

/** A subprotocol can't hold every character that a token can (`/`, `=`, `@`); those come percent-encoded. */
function decoded(text: string): string {
  try {
    const token = decodeURIComponent(text);
    return /^[\x21-\x7e]+$/.test(token) ? token : text;
  } catch {
    return text;
  }
}
