import type { IncomingMessage } from 'node:http';
import { LanewiseError } from '../src/core/errors.ts';

/**
 * What Node's parser lets pass, and two readers of the same bytes could take for different things: versions that it
 * only tolerates, targets in other forms than a path, hosts that are none. Refused here, so that a worker gets what
 * everybody reads alike.
 */

/** Visible ASCII. `#` begins a fragment, which is nothing that a client may send (RFC 9112 §3.2.1). */
const TARGET = /^[\x21\x22\x24-\x7e]*$/;

/** `uri-host [ ":" port ]` (RFC 9110 §7.2), without the comma that would make it a list; empty is allowed. */
const HOST = /^(?:[\w.~!$&'()*+;=%-]*|\[[0-9a-f:.]+\])(?::\d{0,5})?$/i;

const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i;

/** @throws LanewiseError INVALID_DISPATCH */
export function checkVersion({ httpVersionMajor: major, httpVersionMinor: minor }: IncomingMessage): void {
  if (major === 1 && (minor === 1 || minor === 0)) return;
  throw malformed('version', `HTTP/${major}.${minor} is not spoken here`, 'must be HTTP/1.1 or HTTP/1.0');
}

/** @throws LanewiseError INVALID_DISPATCH */
export function checkHost(host: string): void {
  if (HOST.test(host)) return;
  throw malformed('Host', `Host: ${JSON.stringify(host)} is none`, 'must be a host and perhaps a port');
}

/** @throws LanewiseError INVALID_DISPATCH unless the one coding of the body is `chunked` */
export function checkCoding(coding: string): void {
  if (coding === 'chunked' || coding.toLowerCase() === 'chunked') return;
  const problem = `Transfer-Encoding: ${JSON.stringify(coding)} is not supported`;
  throw malformed('Transfer-Encoding', problem, 'must be chunked, once, or absent');
}

/**
 * Of a body, in bytes.
 * @throws LanewiseError INVALID_DISPATCH for one that a number here can't hold exactly
 */
export function lengthOf(value: string): number {
  const length = Number(value);
  if (Number.isSafeInteger(length)) return length;
  throw malformed('Content-Length', `Content-Length: ${value} is too large`, 'must be less than 2^53');
}

/**
 * Between the version and the framing.
 * @throws LanewiseError INVALID_DISPATCH
 */
export function checkFraming(
  { httpVersionMinor }: IncomingMessage,
  { host, chunked }: { readonly host: string | undefined; readonly chunked: boolean },
): void {
  if (httpVersionMinor === 0) {
    if (chunked)
      throw malformed('Transfer-Encoding', 'HTTP/1.0 has no Transfer-Encoding', 'must be absent in HTTP/1.0');
  } else if (host === undefined) {
    throw malformed('Host', 'There is no Host', 'must be there, once');
  }
}

/**
 * The path and query of a request's target, which may be an absolute URL of the host that the request names.
 * @throws LanewiseError INVALID_DISPATCH
 */
export function pathOf(target: string, host: string | undefined): string {
  if (!TARGET.test(target))
    throw malformed(
      'path',
      'The path holds characters that must be encoded',
      'must be visible ASCII without #',
    );
  if (target.startsWith('/')) return target;
  const [, authority, path] = ABSOLUTE.exec(target) ?? [];
  if (authority === undefined) return target;
  if (authority !== host)
    throw malformed(
      'Host',
      `The request is for ${authority}, and its Host says otherwise`,
      `must be ${authority}`,
    );
  return path!;
}

function malformed(field: string, message: string, accepted: string): LanewiseError {
  return new LanewiseError('INVALID_DISPATCH', message, { details: { [field]: accepted } });
}
