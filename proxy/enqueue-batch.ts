import { byteString } from '../src/core/hash.ts';
import { LanewiseError } from '../src/core/errors.ts';
import type { TraceContext } from '../src/core/queue-job.ts';
import { draftOf, textOfId, type JobDraft } from './enqueue-draft.ts';
import type { EnqueueForm } from './enqueue-request.ts';
import { DISPATCH_PREFIX, readJobHeaders, type JobHeaders, type Target } from './job.ts';
import { traceContextOf } from './trace-headers.ts';
import type { Hop } from './worker-headers.ts';

/**
 * `POST /dispatch/{queue}:batch`: JSON lines, each a job as it would be sent alone: `{"id", "key", "tenant", "method",
 * "path", "headers", "body" | "body_base64"}`, all of them optional. A line is read as the head of such a request is,
 * by the same function, so both mean the same. All lines are stored or none; what is wrong is told of all lines.
 */

/** What one call of the store is meant for. */
export const BATCH_JOBS_MAX = 1000;
/** Of the whole request: a thousand jobs of 16 KiB. More where one body alone may be larger. */
export const BATCH_BYTES_MAX = 16 * 1024 * 1024;
/** Lines that an answer names: enough to see what is wrong with all of them. */
const PROBLEMS_MAX = 20;

export interface BatchSource {
  readonly queue: string;
  /** Of the request. Its tenant, lane and trace hold for lines that have none of their own. */
  readonly head: JobHeaders;
  readonly hop: Hop;
  /** Of each body. */
  readonly bodyBytesMax: number;
  readonly newJobId: () => string;
}

export function batchForm(source: BatchSource): EnqueueForm {
  const { queue, head, bodyBytesMax } = source;
  return {
    queue,
    head,
    jobId: undefined,
    isBatch: true,
    bodyBytesMax: Math.max(BATCH_BYTES_MAX, bodyBytesMax),
    draftsOf: (body) => readBatch(source, body),
    answerOf: ({ strategy, jobs }) => ({
      headers: [],
      body: {
        queue,
        strategy,
        jobs: jobs.map(({ id, lane, version, duplicate }) => ({
          job_id: textOfId(id),
          lane,
          version,
          ...(duplicate && { duplicate }),
        })),
      },
    }),
  };
}

/** @throws LanewiseError INVALID_DISPATCH */
export function checkBatchHead({ queue, rest }: Target, method: string | undefined): void {
  if (method !== 'POST') throw bad(`A batch can't be sent by ${String(method)}`, 'method', 'must be POST');
  if (rest === '' || rest.startsWith('?')) return;
  throw bad(
    'A batch has no path of its own',
    'path',
    `must be ${DISPATCH_PREFIX}${queue}:batch; each line has its path`,
  );
}

/** @throws LanewiseError INVALID_DISPATCH, which names the bad lines */
export function readBatch(source: BatchSource, body: Buffer): readonly JobDraft[] {
  const trace = traceContextOf(source.head.passed);
  const drafts: JobDraft[] = [];
  const problems: [line: string, problem: string][] = [];
  let problemCount = 0;
  let number = 0;
  for (const line of linesOf(body)) {
    number++;
    if (isBlank(line)) continue;
    if (drafts.length + problemCount === BATCH_JOBS_MAX) throw tooManyJobs();
    try {
      drafts.push(readLine(source, trace, line));
    } catch (error) {
      if (!(error instanceof LanewiseError)) throw error;
      if (++problemCount <= PROBLEMS_MAX) problems.push([`line ${number}`, inWords(error)]);
    }
  }
  if (problemCount > 0) {
    const rest = problemCount > PROBLEMS_MAX ? `, the first ${PROBLEMS_MAX} of which are named` : '';
    throw new LanewiseError(
      'INVALID_DISPATCH',
      `Nothing was stored: ${problemCount} of ${drafts.length + problemCount} lines are no job${rest}`,
      { details: Object.fromEntries(problems) },
    );
  }
  if (drafts.length === 0)
    throw bad('The batch is empty', 'body', 'must hold a JSON object for each job, one a line');
  return drafts;
}

const NEWLINE = 0x0a;

function* linesOf(body: Buffer): Iterable<Buffer> {
  for (let start = 0; start < body.length;) {
    const newline = body.indexOf(NEWLINE, start);
    const end = newline < 0 ? body.length : newline;
    yield body.subarray(start, end);
    start = end + 1;
  }
}

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

const decoder = new TextDecoder('utf-8', { fatal: true });

type Fields = Readonly<Record<string, unknown>>;
const FIELDS = ['id', 'key', 'tenant', 'method', 'path', 'headers', 'body', 'body_base64'];

function readLine(
  { queue, head, hop, bodyBytesMax, newJobId }: BatchSource,
  trace: TraceContext | undefined,
  line: Buffer,
): JobDraft {
  const fields = parseLine(line);
  const unknown = Object.keys(fields).filter((name) => !FIELDS.includes(name));
  if (unknown.length > 0)
    throw bad('', unknown[0]!.slice(0, 64), `is not a field; those are ${FIELDS.join(', ')}`);
  const own = readJobHeaders([
    ...rawHeaders(fields['headers']),
    ...jobHeader('X-Job-Id', 'id', fields),
    ...jobHeader('X-Canary-Sticky-Key', 'key', fields),
    ...jobHeader('X-Tenant-Id', 'tenant', fields),
  ]);
  return draftOf({
    queue,
    job: within(head, own),
    jobId: own.jobId ?? newJobId(),
    method: methodOf(fields['method']),
    path: pathOf(fields['path']),
    body: bodyOf(fields, bodyBytesMax),
    hop,
    trace,
  });
}

/** A line is on the same way as its request, and belongs to the same tenant and lane unless it says otherwise. */
function within(head: JobHeaders, own: JobHeaders): JobHeaders {
  const tenant = own.tenant ?? head.tenant;
  const isInherited = own.tenant === undefined && tenant !== undefined;
  return {
    ...own,
    tenant,
    lane: own.lane ?? head.lane,
    host: own.host ?? head.host,
    forwarded: own.forwarded ?? head.forwarded,
    forwardedFor: own.forwardedFor ?? head.forwardedFor,
    forwardedHost: own.forwardedHost ?? head.forwardedHost,
    forwardedProto: own.forwardedProto ?? head.forwardedProto,
    via: own.via ?? head.via,
    passed: isInherited ? [...own.passed, 'X-Tenant-Id', tenant] : own.passed,
  };
}

function parseLine(line: Buffer): Fields {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(line));
  } catch (error) {
    throw bad('', '', `is not JSON in UTF-8 (${error instanceof Error ? error.message : String(error)})`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad('', '', 'must be a JSON object');
  return value as Fields;
}

/** A field that is a header of a single job. */
function jobHeader(header: string, field: string, fields: Fields): readonly string[] {
  const value = fields[field];
  if (value === undefined || value === null) return [];
  return [header, byteString(textOf(value, field))];
}

const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
/** RFC 9110 §5.5, over bytes. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function rawHeaders(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (typeof value !== 'object' || Array.isArray(value))
    throw bad('', 'headers', 'must be an object of texts');
  return Object.entries(value).flatMap(([name, content]) => {
    const shown = `headers.${name.slice(0, 64)}`;
    if (!TOKEN.test(name)) throw bad('', shown, 'is not a header name');
    const bytes = byteString(textOf(content, shown));
    if (!HEADER_VALUE.test(bytes)) throw bad('', shown, 'must not hold control characters');
    return [name, bytes.replace(/^[\t ]+|[\t ]+$/g, '')];
  });
}

function methodOf(value: unknown): string {
  if (value === undefined || value === null) return 'POST';
  if (typeof value !== 'string' || !METHODS.has(value))
    throw bad('', 'method', `must be one of ${[...METHODS].join(', ')}`);
  return value;
}

/** Those that carry work; CONNECT and TRACE are talk between proxies. */
const METHODS = new Set(['POST', 'PUT', 'PATCH', 'DELETE', 'GET', 'HEAD', 'OPTIONS']);

function pathOf(value: unknown): string {
  if (value === undefined || value === null || value === '') return '';
  if (typeof value !== 'string' || !/^[/?][\x21-\x7e]*$/.test(value))
    throw bad('', 'path', 'must begin with / or ? and hold only visible ASCII characters');
  return value;
}

function bodyOf({ body, body_base64: base64 }: Fields, bytesMax: number): Buffer {
  if (body !== undefined && base64 !== undefined) throw bad('', 'body', 'must not be given with body_base64');
  const bytes =
    base64 === undefined ? Buffer.from(textOf(body ?? '', 'body')) : bytesOf(textOf(base64, 'body_base64'));
  if (bytes.length > bytesMax) throw bad('', 'body', `must be at most ${bytesMax} bytes`);
  return bytes;
}

function bytesOf(base64: string): Buffer {
  // Node's own decoder passes over what it does not know.
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64))
    throw bad('', 'body_base64', 'must be base64 (RFC 4648 §4), padded');
  return Buffer.from(base64, 'base64');
}

/** Half of a surrogate pair has no bytes, and would be stored as something else. */
function textOf(value: unknown, field: string): string {
  if (typeof value !== 'string') throw bad('', field, 'must be a text');
  if (!value.isWellFormed()) throw bad('', field, 'holds half of a surrogate pair');
  return value;
}

function bad(message: string, field: string, problem: string): LanewiseError {
  return new LanewiseError('INVALID_DISPATCH', message, { details: { [field]: problem } });
}

function inWords({ details }: LanewiseError): string {
  return Object.entries(details)
    .map(([field, problem]) => `${field} ${problem}`.trim())
    .join('; ');
}

function tooManyJobs(): LanewiseError {
  return bad(
    `Nothing was stored: the batch holds more than ${BATCH_JOBS_MAX} jobs`,
    'body',
    `must hold at most ${BATCH_JOBS_MAX} jobs`,
  );
}
