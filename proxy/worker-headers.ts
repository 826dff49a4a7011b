import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Placement } from '../src/core/decide.ts';
import type { Lane } from '../src/core/lane.ts';
import type { WorkerEndpoint } from './endpoint.ts';
import { connectionNamed, headerKind, withoutNamed } from './header-names.ts';
import type { JobHeaders } from './job.ts';

/** The headers of a dispatch on both sides of the proxy, as flat lists of names and values. */

/** Between whom we are. */
export interface Hop {
  readonly remoteAddress: string | undefined;
  readonly encrypted: boolean;
  /** How this proxy names itself in `Via`. */
  readonly via: string;
}

export function hopOf({ socket }: IncomingMessage, via: string): Hop {
  return { remoteAddress: socket.remoteAddress, encrypted: 'encrypted' in socket, via };
}

/** As an entry of `Via` (RFC 9110 §7.6.3): a name of its own for each proxy, so that one knows its own again. */
export function viaOf(proxyId: string): string {
  return `1.1 lanewise-${proxyId.replace(/^proxy_/, '').slice(0, 8)}`;
}

/** What goes to any worker of this dispatch; what differs from attempt to attempt is added by `attemptToWorker`. */
export function jobToWorker(job: JobHeaders, jobId: string, queue: string, hop: Hop): string[] {
  const { host } = job;
  const proto = hop.encrypted ? 'https' : 'http';
  const address = hop.remoteAddress ?? 'unknown';
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
    append(job.via, hop.via),
  ];
  const forwardedHost = job.forwardedHost ?? host;
  if (forwardedHost !== undefined) headers.push('X-Forwarded-Host', forwardedHost);
  return headers;
}

/** @param headers those of `jobToWorker` */
export function attemptToWorker(
  headers: readonly string[],
  lane: Lane,
  version: string,
  attempt: number,
): string[] {
  return [
    ...headers,
    'X-Canary-Lane',
    lane,
    'X-Canary-Version',
    version,
    'X-Canary-Attempt',
    String(attempt),
  ];
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

/** Says in an answer's headers where it comes from. */
export function addOrigin(
  headers: string[],
  jobId: string,
  { endpoint: { worker }, lane, fallback }: Placement<WorkerEndpoint>,
  deploymentId: string | undefined,
  retried: boolean,
): void {
  headers.push(
    'X-Job-Id',
    jobId,
    'X-Canary-Lane',
    lane,
    'X-Canary-Version',
    worker.version,
    'X-Canary-Worker',
    worker.id,
  );
  if (deploymentId !== undefined) headers.push('X-Canary-Deployment', deploymentId);
  if (fallback) headers.push('X-Canary-Fallback', 'true');
  if (retried) headers.push('X-Canary-Retried', 'true');
}

export interface WorkerAnswer {
  /** What goes on to the producer, before our own. */
  readonly headers: string[];
  readonly hasRetryAfter: boolean;
  /** Bytes; undefined where it doesn't say. */
  readonly length: number | undefined;
}

/** @param hasBody whether it may have one: a length of none would make some wait for it */
export function answerFromWorker(raw: readonly string[], ownVia: string, hasBody: boolean): WorkerAnswer {
  let headers: string[] = [];
  let named: ReadonlySet<string> | undefined;
  let hasRetryAfter = false;
  let length: number | undefined;
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
      case 'expect':
      case 'transfer-encoding':
      case 'job-id':
      case 'lane':
        break;
      case 'content-length':
        length = Number(value);
        if (hasBody) headers.push(name, value);
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
  headers.push('Via', append(via, ownVia));
  return { headers, hasRetryAfter, length };
}

/** What may be written (RFC 9112 §4). Parsers let others through: control characters, and what was decoded as UTF-8. */
const REASON = /^[\t\x20-\x7e\x80-\xff]*$/;

/** A reason means nothing, so one that can't be written is no reason to lose the answer. */
export function reasonFromWorker(status: number, reason: string): string {
  return REASON.test(reason) ? reason : (STATUS_CODES[status] ?? '');
}
