/**
 * What is asked of a job that some producer pushed who knows nothing of us: an id, a sticky key, the body. Nothing in it
 * has to be as we expect: it is somebody's job all the same, and must not keep those behind it from being routed.
 */
export type IntakeContent =
  /** An element of a list. */
  | { readonly kind: 'element'; readonly payload: Uint8Array }
  /** An entry of a stream. */
  | { readonly kind: 'entry'; readonly fields: readonly (readonly [name: string, value: Uint8Array])[] };

/** Where in a job something stands; see `isJobPath`. */
export interface IntakePaths {
  readonly jobId?: string | undefined;
  readonly stickyKey?: string | undefined;
}

export interface IntakeJob {
  readonly body: Uint8Array;
  /** Undefined where no path was given, or the job has none there. */
  readonly id: string | undefined;
  readonly key: string | undefined;
  /** A path was given, and the job isn't JSON. */
  readonly isUnreadable: boolean;
}

export const JOB_PATH_ACCEPTED =
  'names of fields and numbers of elements with dots between, such as jid or args.0.customer_id';

export function isJobPath(path: string): boolean {
  return /^[^.\s]{1,128}(\.[^.\s]{1,128}){0,15}$/.test(path);
}

export function readIntakeJob(content: IntakeContent, { jobId, stickyKey }: IntakePaths): IntakeJob {
  const body = bodyOf(content);
  try {
    const id = jobId === undefined ? undefined : wordAt(content, jobId);
    return {
      body,
      id,
      key: stickyKey === undefined ? id : (wordAt(content, stickyKey) ?? id),
      isUnreadable: false,
    };
  } catch {
    return { body, id: undefined, key: undefined, isUnreadable: true };
  }
}

const BODY_FIELD = 'body';

/** Of a stream entry what consumers of lanes take for it: its field `body`, else all of it. */
function bodyOf(content: IntakeContent): Uint8Array {
  if (content.kind === 'element') return content.payload;
  const [, body] = content.fields.find(([name]) => name === BODY_FIELD) ?? [];
  if (body !== undefined) return body;
  const texts = content.fields.map(([name, value]) => [name, lenient.decode(value)]);
  return encoder.encode(JSON.stringify(Object.fromEntries(texts)));
}

const encoder = new TextEncoder();
const lenient = new TextDecoder();
const strict = new TextDecoder('utf-8', { fatal: true });

/** @throws if it has to be read as JSON and is none */
function wordAt(content: IntakeContent, path: string): string | undefined {
  const steps = path.split('.');
  if (content.kind === 'element') return wordIn(parse(content.payload), steps);
  const [, value] = content.fields.find(([name]) => name === steps[0]) ?? [];
  if (value === undefined) return undefined;
  return steps.length === 1 ? word(strict.decode(value)) : wordIn(parse(value), steps.slice(1));
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(strict.decode(bytes));
}

function wordIn(value: unknown, steps: readonly string[]): string | undefined {
  let at = value;
  for (const step of steps) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[step];
  }
  return word(at);
}

/** An empty one must not gather all such jobs in one place. */
function word(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
