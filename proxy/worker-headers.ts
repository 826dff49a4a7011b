import type { Lane } from '../src/core/lane.ts';
import { connectionNamed, headerKind, withoutNamed } from './header-names.ts';
import type { JobHeaders } from './job.ts';

/** The headers of a dispatch on both sides of the proxy, as flat lists of names and values. */

/** How we name ourselves in `Via` (RFC 9110 §7.6.3). */
export const VIA = '1.1 lanewise';

export interface Peer {
  readonly remoteAddress: string | undefined;
  readonly encrypted: boolean;
}

/** What goes to any worker of this dispatch; what differs from attempt to attempt is `attemptHeaders`. */
export function jobToWorker(job: JobHeaders, jobId: string, queue: string, peer: Peer): string[] {
  const { host } = job;
  const proto = peer.encrypted ? 'https' : 'http';
  const address = peer.remoteAddress ?? 'unknown';
  const headers = [
    ...job.passed,
    'X-Job-Id',
    jobId,
    'X-Canary-Queue',
    queue,
    'X-Forwarded-For',
    append(job.forwardedFor, address),
    'X-Forwarded-Proto',
    job.forwardedProto ?? proto,
    'Forwarded',
    append(job.forwarded, forwardedElement(address, host, proto)),
    'Via',
    append(job.via, VIA),
  ];
  const forwardedHost = job.forwardedHost ?? host;
  if (forwardedHost !== undefined) headers.push('X-Forwarded-Host', forwardedHost);
  return headers;
}

export function attemptHeaders(lane: Lane, version: string, attempt: number): string[] {
  return ['X-Canary-Lane', lane, 'X-Canary-Version', version, 'X-Canary-Attempt', String(attempt)];
}

/** RFC 7239 §4: an IPv6 address or anything with a colon is quoted. */
function forwardedElement(address: string, host: string | undefined, proto: string): string {
  const node = address.includes(':') ? `"[${address}]"` : address;
  const by =
    host === undefined ? '' : `;host=${/^[\w.-]+$/.test(host) ? host : `"${host.replaceAll(/["\\]/g, '')}"`}`;
  return `for=${node}${by};proto=${proto}`;
}

function append(before: string | undefined, value: string): string {
  return before === undefined || before === '' ? value : `${before}, ${value}`;
}

export interface WorkerAnswer {
  /** What goes on to the producer, before our own. */
  readonly headers: string[];
  readonly hasRetryAfter: boolean;
}

export function answerFromWorker(raw: readonly string[]): WorkerAnswer {
  let headers: string[] = [];
  let named: ReadonlySet<string> | undefined;
  let hasRetryAfter = false;
  let via: string | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!;
    const value = raw[i + 1]!;
    switch (headerKind(name)) {
      case 'connection':
        named = connectionNamed(value) ?? named;
        break;
      // The proxy's own to set, either way.
      case 'drop':
      case 'transfer-encoding':
      case 'job-id':
      case 'lane':
        break;
      case 'via':
        via = append(via, value);
        break;
      case 'retry-after':
        hasRetryAfter = true;
        headers.push(name, value);
        break;
      default:
        headers.push(name, value);
    }
  }
  if (named !== undefined) headers = withoutNamed(headers, named);
  headers.push('Via', append(via, VIA));
  return { headers, hasRetryAfter };
}
