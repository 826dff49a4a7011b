import type { QueueJob } from './queue-job.ts';

/**
 * How a job looks to a BullMQ worker. What the worker reads, `job.name` and `job.data`, is the producer's alone: a worker
 * that ran yesterday on what `queue.add(name, data)` stored runs today on `POST /dispatch/{queue}/{name}` with the same data
 * as its body. So nothing of ours is put into the data; headers, sticky key, tenant and version end here.
 */
export interface BullmqJob {
  readonly name: string;
  readonly data: unknown;
  readonly opts: BullmqOptions & {
    readonly jobId: string;
    readonly timestamp: number;
    readonly telemetry?: { readonly metadata: string };
  };
}

/** Those of BullMQ's `JobsOptions` that a producer may give. `lifo` is none: a lane keeps its order. */
export interface BullmqOptions {
  readonly attempts?: number;
  readonly backoff?: number | { readonly type: string; readonly delay?: number; readonly jitter?: number };
  /** Milliseconds. */
  readonly delay?: number;
  readonly priority?: number;
  readonly removeOnComplete?: KeepOption;
  readonly removeOnFail?: KeepOption;
  readonly keepLogs?: number;
  readonly stackTraceLimit?: number;
}

type KeepOption = boolean | number | { readonly age: number; readonly count?: number };

/** Of a request: BullMQ's job options, as JSON, over those of the queue's configuration. */
export const BULLMQ_OPTIONS_HEADER = 'X-BullMQ-Options';

/** @param defaults of the queue @throws SyntaxError if the header is wrong, see `bullmqHeaderProblem` */
export function toBullmqJob(job: QueueJob, queue: string, defaults: BullmqOptions = {}): BullmqJob {
  const header = optionsHeader(job.headers);
  const own = header === undefined ? {} : (JSON.parse(header) as BullmqOptions);
  return {
    name: nameOf(job.path) ?? queue,
    data: dataOf(job.body),
    opts: {
      ...defaults,
      ...own,
      jobId: toBullmqId(job.id),
      timestamp: job.enqueuedAt,
      // Where BullMQ's own telemetry looks for the trace to go on with.
      ...(job.trace !== undefined && { telemetry: { metadata: JSON.stringify(job.trace) } }),
    },
  };
}

/** The last segment of the path: `POST /dispatch/payments/charge` is the job `charge`. */
function nameOf(path = ''): string | undefined {
  const segment = path
    .split('?', 1)[0]!
    .split('/')
    .findLast((part) => part !== '');
  if (segment === undefined) return undefined;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The JSON that the body is; else what `add(name)` stores where there is none, or the body in an object. */
function dataOf(body: Uint8Array): unknown {
  if (body.length === 0) return {};
  let text: string;
  try {
    text = utf8.decode(body);
  } catch {
    const base64 = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64');
    return { body: base64, encoding: 'base64' };
  }
  try {
    return JSON.parse(text);
  } catch {
    return { body: text };
  }
}

/**
 * BullMQ keeps a job at `<prefix>:<queue>:<job id>`, beside its own keys (`meta`, `wait`, …), and makes numbers itself. So it
 * refuses ids with a colon or that are whole numbers, and one called `meta` would be taken for known and dropped. Those
 * are escaped as in URLs: `%` and `:` anywhere, and the first character of a number and of what could be a key, which is
 * anything of lower-case letters and hyphens alone. No two ids become the same. Ids are bytes, see `JOB_KEY`; UTF-8
 * becomes text.
 */
export function toBullmqId(id: string): string {
  const bytes = Uint8Array.from(id, (char) => char.charCodeAt(0));
  const isNumber = `${Number.parseInt(id, 10)}` === id;
  const escapesFirst = isNumber || /^[a-z-]+$/.test(id);
  const head = escapesFirst ? escaped(bytes[0]!) : '';
  const rest = escapesFirst ? bytes.subarray(1) : bytes;
  let text: string;
  try {
    text = utf8.decode(rest).replaceAll(/[%:]/g, (char) => escaped(char.charCodeAt(0)));
  } catch {
    text = Array.from(rest, (byte) =>
      byte >= 0x80 || byte === 0x25 || byte === 0x3a ? escaped(byte) : String.fromCharCode(byte),
    ).join('');
  }
  return head + text;
}

/** Undoes `toBullmqId`; an id that it has not made stays what it is. */
export function fromBullmqId(id: string): string {
  const bytes = Buffer.from(id).toString('latin1');
  return bytes.replaceAll(/%([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function escaped(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

function optionsHeader(headers: QueueJob['headers']): string | undefined {
  const wanted = BULLMQ_OPTIONS_HEADER.toLowerCase();
  return Object.entries(headers).find(([name]) => name.toLowerCase() === wanted)?.[1];
}

/** What is wrong with the options that a producer gives, as it completes "X-BullMQ-Options …". */
export function bullmqHeaderProblem(headers: QueueJob['headers']): string | undefined {
  const header = optionsHeader(headers);
  if (header === undefined) return undefined;
  try {
    return bullmqOptionsProblem(JSON.parse(header));
  } catch {
    return 'must be JSON, such as {"attempts": 3}';
  }
}

/** What is wrong with job options, as it completes "job_options …"; undefined if nothing is. */
export function bullmqOptionsProblem(options: unknown): string | undefined {
  if (!isObject(options)) return `must be an object of ${NAMES}`;
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(OPTIONS, name)) return `has the unknown option ${name}; those are ${NAMES}`;
    const { accepts, accepted } = OPTIONS[name as keyof BullmqOptions];
    if (!accepts(value)) return `has a bad ${name}: it must be ${accepted}`;
  }
  return undefined;
}

type Accepts = (value: unknown) => boolean;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const whole =
  (min: number, max: number): Accepts =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;

/** BullMQ's score of a delayed job is its time × 4096, which must stay a whole number. */
const DELAY_MAX = 10 * 365 * 86_400_000;
/** BullMQ's own. */
const PRIORITY_MAX = 2 ** 21 - 1;
const COUNT_MAX = 1_000_000_000;

const objectOf =
  (checks: Readonly<Record<string, Accepts>>, required: string): Accepts =>
  (value) =>
    isObject(value) &&
    value[required] !== undefined &&
    Object.entries(value).every(([name, inner]) => Object.hasOwn(checks, name) && checks[name]!(inner));

const isBackoff = objectOf(
  {
    type: (value) => typeof value === 'string' && value !== '',
    delay: whole(0, DELAY_MAX),
    jitter: (value) => typeof value === 'number' && value >= 0 && value <= 1,
  },
  'type',
);
const isAgeKept = objectOf({ age: whole(0, COUNT_MAX), count: whole(0, COUNT_MAX) }, 'age');

const kept = {
  accepts: (value: unknown) => typeof value === 'boolean' || whole(0, COUNT_MAX)(value) || isAgeKept(value),
  accepted: 'true, false, a number of jobs, or {"age": seconds, "count": jobs}',
};

const OPTIONS: Readonly<Record<keyof BullmqOptions, { accepts: Accepts; accepted: string }>> = {
  attempts: { accepts: whole(1, 1_000_000), accepted: 'a whole number from 1' },
  backoff: {
    accepts: (value) => whole(0, DELAY_MAX)(value) || isBackoff(value),
    accepted: 'milliseconds, or {"type": "exponential", "delay": milliseconds}',
  },
  delay: { accepts: whole(0, DELAY_MAX), accepted: 'milliseconds, up to ten years' },
  priority: { accepts: whole(0, PRIORITY_MAX), accepted: `a whole number from 0 to ${PRIORITY_MAX}` },
  removeOnComplete: kept,
  removeOnFail: kept,
  keepLogs: { accepts: whole(0, COUNT_MAX), accepted: 'a whole number from 0' },
  stackTraceLimit: { accepts: whole(0, COUNT_MAX), accepted: 'a whole number from 0' },
};

const NAMES = Object.keys(OPTIONS).join(', ');
