import { LanewiseError } from '../src/core/errors.ts';
import { LANES, type Lane } from '../src/core/lane.ts';
import { IDENTIFIER, isNamed, JOB_KEY, QUEUE_NAME, type NameGrammar } from '../src/core/names.ts';
import { connectionNamed, FOREIGN_JOB_IDS, headerKind, withoutNamed } from './header-names.ts';
import { checkCoding, checkHost, lengthOf } from './request-form.ts';

/** A dispatch as the producer wrote it: which job of which queue, and what goes on to the worker. */

export interface Target {
  readonly queue: string;
  /** What follows the queue, with the query: empty, or beginning with `/` or `?`. */
  readonly rest: string;
  /** `/dispatch/{queue}:batch`, many jobs in one request. */
  readonly isBatch: boolean;
}

export const DISPATCH_PREFIX = '/dispatch/';
/** Names of queues hold no colon. */
const BATCH_SUFFIX = ':batch';

/** @throws LanewiseError INVALID_DISPATCH */
export function parseTarget(url: string): Target {
  if (!url.startsWith(DISPATCH_PREFIX)) {
    throw new LanewiseError('INVALID_DISPATCH', `Dispatches go to ${DISPATCH_PREFIX}{queue}`, {
      details: { path: `must begin with ${DISPATCH_PREFIX}` },
    });
  }
  const start = DISPATCH_PREFIX.length;
  let end = start;
  while (end < url.length && url[end] !== '/' && url[end] !== '?') end++;
  const queue = decodeSegment(url.slice(start, end));
  const rest = url.slice(end);
  if (isNamed(QUEUE_NAME, queue)) return { queue, rest, isBatch: false };
  const stem = queue.endsWith(BATCH_SUFFIX) ? queue.slice(0, -BATCH_SUFFIX.length) : queue;
  if (stem === queue || !isNamed(QUEUE_NAME, stem)) throw invalid('queue', queue, QUEUE_NAME);
  return { queue: stem, rest, isBatch: true };
}

function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export interface JobHeaders {
  /** The producer's id for the job, by its own or another system's header. */
  readonly jobId: string | undefined;
  readonly stickyKey: string | undefined;
  readonly tenant: string | undefined;
  readonly lane: Lane | undefined;
  readonly host: string | undefined;
  readonly forwarded: string | undefined;
  readonly forwardedFor: string | undefined;
  readonly forwardedHost: string | undefined;
  readonly forwardedProto: string | undefined;
  readonly via: string | undefined;
  /** Undefined where there is none; NaN never. */
  readonly contentLength: number | undefined;
  readonly chunked: boolean;
  /** It sends its body when it is told to (`Expect: 100-continue`). */
  readonly awaitsContinue: boolean;
  /** Names and values, flat, of what goes on as it is; nothing of the body's framing. */
  readonly passed: readonly string[];
}

/**
 * One pass over the raw headers (names and values, flat).
 * @throws LanewiseError INVALID_DISPATCH
 */
export function readJobHeaders(raw: readonly string[]): JobHeaders {
  let jobId: string | undefined;
  let foreignJobId: string | undefined;
  let foreignRank: number = FOREIGN_JOB_IDS.length;
  let stickyKey: string | undefined;
  let foreignStickyKey: string | undefined;
  let tenant: string | undefined;
  let lane: Lane | undefined;
  let host: string | undefined;
  let forwarded: string | undefined;
  let forwardedFor: string | undefined;
  let forwardedHost: string | undefined;
  let forwardedProto: string | undefined;
  let via: string | undefined;
  let contentLength: number | undefined;
  let chunked = false;
  let awaitsContinue = false;
  let named: ReadonlySet<string> | undefined;
  let passed: string[] = [];

  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!;
    const value = raw[i + 1]!;
    const kind = headerKind(name);
    switch (kind) {
      case 'pass':
      case 'retry-after':
        passed.push(name, value);
        break;
      case 'drop':
        break;
      case 'connection':
        named = union(named, connectionNamed(value));
        break;
      case 'host':
        if (host !== undefined) throw twice(name);
        checkHost(value);
        host = value;
        break;
      case 'content-length':
        contentLength = lengthOf(value);
        break;
      case 'expect':
        awaitsContinue ||= value.toLowerCase() === '100-continue';
        break;
      case 'transfer-encoding':
        checkCoding(value);
        chunked = true;
        break;
      case 'forwarded':
        forwarded = joined(forwarded, value);
        break;
      case 'x-forwarded-for':
        forwardedFor = joined(forwardedFor, value);
        break;
      case 'x-forwarded-host':
        forwardedHost = value;
        break;
      case 'x-forwarded-proto':
        forwardedProto = value;
        break;
      case 'via':
        via = joined(via, value);
        break;
      case 'job-id':
        jobId = once(name, jobId, value, JOB_KEY);
        break;
      case 'foreign-job-id': {
        const rank = FOREIGN_JOB_IDS.indexOf(name.toLowerCase() as (typeof FOREIGN_JOB_IDS)[number]);
        if (rank < foreignRank && value !== '') {
          foreignJobId = once(name, undefined, value, JOB_KEY);
          foreignRank = rank;
        }
        passed.push(name, value);
        break;
      }
      case 'sticky-key':
        stickyKey = once(name, stickyKey, value, JOB_KEY);
        passed.push(name, value);
        break;
      case 'foreign-sticky-key':
        foreignStickyKey = once(name, foreignStickyKey, value, JOB_KEY);
        passed.push(name, value);
        break;
      case 'tenant':
        tenant = once(name, tenant, value, IDENTIFIER);
        passed.push(name, value);
        break;
      case 'lane':
        if (lane !== undefined || !(LANES as readonly string[]).includes(value)) {
          throw new LanewiseError('INVALID_DISPATCH', `${name}: ${quote(value)} is not a lane`, {
            details: { [name]: `must be one of ${LANES.join(', ')}, once` },
          });
        }
        lane = value as Lane;
        break;
      default:
        kind satisfies never;
    }
  }
  if (named !== undefined) passed = withoutNamed(passed, named);

  return {
    jobId: jobId ?? foreignJobId,
    stickyKey: stickyKey ?? foreignStickyKey,
    tenant,
    lane,
    host,
    forwarded,
    forwardedFor,
    forwardedHost,
    forwardedProto,
    via,
    contentLength,
    chunked,
    awaitsContinue,
    passed,
  };
}

/** An empty header counts as none: an empty key must not gather every such job in one place. */
function once(
  name: string,
  seen: string | undefined,
  value: string,
  grammar: NameGrammar,
): string | undefined {
  if (seen !== undefined) throw twice(name);
  if (value === '') return undefined;
  if (!isNamed(grammar, value)) throw invalid(name, value, grammar);
  return value;
}

function twice(name: string): LanewiseError {
  return new LanewiseError('INVALID_DISPATCH', `${name} is given more than once`, {
    details: { [name]: 'must be given at most once' },
  });
}

function invalid(field: string, value: string, grammar: NameGrammar): LanewiseError {
  return new LanewiseError('INVALID_DISPATCH', `${field}: ${quote(value)} is not allowed`, {
    details: { [field]: `must be ${grammar.accepted}` },
  });
}

function quote(value: string): string {
  return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}…` : value);
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

function union(
  a: ReadonlySet<string> | undefined,
  b: ReadonlySet<string> | undefined,
): ReadonlySet<string> | undefined {
  return a === undefined || b === undefined ? (a ?? b) : new Set([...a, ...b]);
}
