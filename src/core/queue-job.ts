import type { EnvelopeKind } from './lane-keys.ts';
import { LANES, type Lane } from './lane.ts';
import { OUTCOMES, type Outcome } from './outcome.ts';

/**
 * A job that waits in a lane, and the form in which it waits there. A stored job is a *payload*, the bytes that lie in
 * the list or the stream, and a *note*, what we must remember of it beside them. The default envelope holds all in the
 * payload. With `raw` the payload is the body, which some worker reads that knows nothing of us, so whatever came to
 * be known since (id, attempts, history) is in the note; a raw job that was never taken has none.
 */
export interface QueueJob {
  readonly id: string;
  /** The sticky key. */
  readonly key: string;
  readonly tenant?: string;
  /** Of the dispatch, for the worker: `ANY /dispatch/{queue}/{path}?query`. Default: POST, and no path. */
  readonly method?: string;
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly trace?: TraceContext;
  /** The attempt that comes next or is under way, from 1. */
  readonly attempt: number;
  /** The lane and the version it was routed to at first; where it is now, the lane itself says. */
  readonly lane: Lane;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly enqueuedAt: number;
  readonly body: Uint8Array;
  /** Attempts that have ended, oldest first, the last `HISTORY_MAX` of them. */
  readonly history: readonly JobAttempt[];
}

export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** `lost`: its consumer died or lost its lease, and what became of the attempt is unknown. */
export const ATTEMPT_OUTCOMES = [...OUTCOMES, 'lost'] as const;
export type AttemptOutcome = Outcome | 'lost';

export interface JobAttempt {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly version: string;
  readonly worker?: string;
  readonly outcome: AttemptOutcome;
  readonly status?: number;
  /** Cut at `MESSAGE_LENGTH_MAX` characters. */
  readonly message?: string;
  /** Of the attempts up to this one, those that don't count against `max_attempts`. None on a job's last attempt. */
  readonly uncounted?: number;
  /** When the rejections began of which this is one. Milliseconds since the epoch. */
  readonly rejectedSince?: number;
}

/** With the default `max_attempts` of 5 that is everything; a job retried for days must not grow without end. */
export const HISTORY_MAX = 20;
export const MESSAGE_LENGTH_MAX = 500;

/** The only version of the envelope so far. */
export const ENVELOPE_VERSION = 1;

export interface StoredJob {
  readonly payload: Uint8Array;
  /** JSON, or empty. */
  readonly note: string;
}

/** Never an error: a job that can't be read must be put aside, not make its reader fail for ever. */
export type JobContent =
  | { readonly kind: 'job'; readonly job: QueueJob }
  /** Damaged, or written by a release that this one doesn't understand. */
  | { readonly kind: 'unreadable'; readonly reason: string };

/** What the store knows of a job that its bytes don't say. */
export interface JobSurroundings {
  readonly lane: Lane;
  /** For a raw job that has no id yet. */
  readonly fallbackId: string;
  /** Attempts that the store has counted beyond what is written in the job: deliveries of a stream entry. */
  readonly moreAttempts?: number;
}

export function encodeJob(envelope: EnvelopeKind, job: QueueJob): StoredJob {
  if (envelope === 'raw') return { payload: job.body, note: '' };
  const { body, ...rest } = job;
  return { payload: encoder.encode(JSON.stringify({ ...headOf(rest), ...bodyFields(body) })), note: '' };
}

/** `enqueuedAt` comes first, so that a job's age can be told from the beginning of its bytes; see `ageMark`. */
function headOf({ enqueuedAt, ...rest }: Omit<QueueJob, 'body'>): object {
  return { v: ENVELOPE_VERSION, enqueuedAt, ...rest };
}

export function decodeJob(
  envelope: EnvelopeKind,
  { payload, note }: StoredJob,
  surroundings: JobSurroundings,
): JobContent {
  const read = envelope === 'raw' ? readRaw(payload, note, surroundings) : readEnvelope(payload);
  if (read.kind === 'unreadable') return read;
  const more = surroundings.moreAttempts ?? 0;
  return more === 0 ? read : { kind: 'job', job: { ...read.job, attempt: read.job.attempt + more } };
}

/** `attempt` is the number of the next one. */
export interface JobRevision {
  readonly attempt: number;
  readonly ended?: JobAttempt;
}

/**
 * The same job with another attempt and history. Fields that this release doesn't know are kept. What can't be read is
 * kept as it is: it has no attempts to count.
 */
export function reviseJob(
  envelope: EnvelopeKind,
  stored: StoredJob,
  content: JobContent,
  { attempt, ended }: JobRevision,
): StoredJob {
  if (content.kind === 'unreadable') return stored;
  const history = extendHistory(content.job.history, ended);
  if (envelope === 'raw') {
    const { body: _, ...rest } = content.job;
    return { payload: stored.payload, note: JSON.stringify(headOf({ ...rest, attempt, history })) };
  }
  const fields: unknown = JSON.parse(decoder.decode(stored.payload));
  return { payload: encoder.encode(JSON.stringify({ ...(fields as object), attempt, history })), note: '' };
}

function extendHistory(history: readonly JobAttempt[], ended: JobAttempt | undefined): readonly JobAttempt[] {
  if (ended === undefined) return history;
  const { message } = ended;
  const cut = message === undefined ? ended : { ...ended, message: message.slice(0, MESSAGE_LENGTH_MAX) };
  return [...history, cut].slice(-HISTORY_MAX);
}

/** Bytes at the beginning of a payload that are enough for `enqueuedAtOf`. */
export const AGE_MARK_BYTES = 64;

/** When the job was enqueued, from the beginning of its payload; undefined if that doesn't say. */
export function enqueuedAtOf(beginning: string): number | undefined {
  const digits = /^\{"v":\d+,"enqueuedAt":(\d{1,15})[,}]/.exec(beginning)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

const encoder = new TextEncoder();
/** Bodies pass bit by bit: no byte order mark is dropped, nothing replaced. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function bodyFields(body: Uint8Array): { body: string; encoding?: 'base64' } {
  try {
    return { body: decoder.decode(body) };
  } catch {
    return {
      body: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64'),
      encoding: 'base64',
    };
  }
}

function unreadable(reason: string): JobContent {
  return { kind: 'unreadable', reason };
}

type Fields = Readonly<Record<string, unknown>>;

function parse(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readEnvelope(payload: Uint8Array): JobContent {
  let text: string;
  try {
    text = decoder.decode(payload);
  } catch {
    return unreadable('the envelope is not UTF-8');
  }
  const fields = parse(text);
  if (fields === undefined) return unreadable('the envelope is not a JSON object');
  const { v, body, encoding } = fields;
  if (typeof v === 'number' && v > ENVELOPE_VERSION)
    return unreadable(
      `the envelope has version ${v}, of a newer release; this one reads up to ${ENVELOPE_VERSION}`,
    );
  if (v !== ENVELOPE_VERSION) return unreadable(`the envelope has no version v: ${ENVELOPE_VERSION}`);
  if (typeof body !== 'string' || (encoding !== undefined && encoding !== 'base64'))
    return unreadable('the envelope has no body, as text or with encoding: base64');
  return jobOf(
    fields,
    encoding === 'base64' ? Buffer.from(body, 'base64') : encoder.encode(body),
    'envelope',
  );
}

function readRaw(payload: Uint8Array, note: string, { lane, fallbackId }: JobSurroundings): JobContent {
  if (note === '') {
    const fresh = { headers: {}, attempt: 1, lane, version: '', enqueuedAt: 0, history: [] };
    return { kind: 'job', job: { id: fallbackId, key: fallbackId, ...fresh, body: payload } };
  }
  const fields = parse(note);
  return fields === undefined ? unreadable('the note is not a JSON object') : jobOf(fields, payload, 'note');
}

function jobOf(fields: Fields, body: Uint8Array, place: string): JobContent {
  for (const [name, isRight] of Object.entries(FIELDS))
    if (!isRight(fields[name])) return unreadable(`the ${place} has no proper field "${name}"`);
  // Checked field by field just above; what else is in it stays behind.
  const known = Object.keys(FIELDS).flatMap((name) =>
    fields[name] === undefined ? [] : [[name, fields[name]]],
  );
  return { kind: 'job', job: { ...(Object.fromEntries(known) as Omit<QueueJob, 'body'>), body } };
}

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => typeof value === 'number';
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const isOneOf =
  (words: readonly string[]): Check =>
  (value) =>
    words.includes(value as string);

const isTrace: Check = (value) =>
  isFields(value) && isText(value['traceparent']) && optional(isText)(value['tracestate']);

const isAttempt: Check = (value) =>
  isFields(value) &&
  isNumber(value['at']) &&
  isText(value['version']) &&
  isOneOf(ATTEMPT_OUTCOMES)(value['outcome']) &&
  optional(isText)(value['worker']) &&
  optional(isNumber)(value['status']) &&
  optional(isNumber)(value['uncounted']) &&
  optional(isNumber)(value['rejectedSince']) &&
  optional(isText)(value['message']);

const FIELDS: Readonly<Record<Exclude<keyof QueueJob, 'body'>, Check>> = {
  id: isText,
  key: isText,
  tenant: optional(isText),
  method: optional(isText),
  path: optional(isText),
  headers: (value) => isFields(value) && Object.values(value).every(isText),
  trace: optional(isTrace),
  attempt: (value) => isCount(value) && value !== 0,
  lane: isOneOf(LANES),
  version: isText,
  enqueuedAt: isCount,
  history: (value) => Array.isArray(value) && value.every(isAttempt),
};
