/**
 * What the proxy does with each header, decided once for each spelling of a name that it meets.
 */

export const HEADER_KINDS = [
  /** Goes through. */
  'pass',
  /** Between two neighbours only (RFC 9110 §7.6.1), or the proxy's own to set: a client can't forge it. */
  'drop',
  'connection',
  'host',
  'content-length',
  'expect',
  'transfer-encoding',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'via',
  'retry-after',
  'job-id',
  'foreign-job-id',
  'sticky-key',
  'foreign-sticky-key',
  'tenant',
  'lane',
] as const;
export type HeaderKind = (typeof HEADER_KINDS)[number];

/** Other systems' names for the job's id, the one that counts first. */
export const FOREIGN_JOB_IDS = [
  'idempotency-key',
  'ce-id',
  'x-cloudtasks-taskname',
  'upstash-message-id',
  'x-aws-sqsd-msgid',
] as const;

const KINDS: ReadonlyMap<string, HeaderKind> = new Map<string, HeaderKind>([
  ...[
    'keep-alive',
    'proxy-connection',
    'proxy-authenticate',
    'proxy-authorization',
    'te',
    'trailer',
    'upgrade',
    'x-canary-queue',
    'x-canary-version',
    'x-canary-attempt',
    'x-canary-worker',
    'x-canary-deployment',
    'x-canary-fallback',
    'x-canary-retried',
    'x-canary-error',
  ].map((name) => [name, 'drop'] as const),
  ...FOREIGN_JOB_IDS.map((name) => [name, 'foreign-job-id'] as const),
  ['connection', 'connection'],
  ['host', 'host'],
  ['content-length', 'content-length'],
  ['expect', 'expect'],
  ['transfer-encoding', 'transfer-encoding'],
  ['forwarded', 'forwarded'],
  ['x-forwarded-for', 'x-forwarded-for'],
  ['x-forwarded-host', 'x-forwarded-host'],
  ['x-forwarded-proto', 'x-forwarded-proto'],
  ['via', 'via'],
  ['retry-after', 'retry-after'],
  ['x-job-id', 'job-id'],
  ['x-canary-sticky-key', 'sticky-key'],
  ['ce-partitionkey', 'foreign-sticky-key'],
  ['x-tenant-id', 'tenant'],
  ['x-canary-lane', 'lane'],
]);

/** Spellings met so far. Bounded, since clients choose them. */
const SPELLINGS_MAX = 1024;
const spellings = new Map<string, HeaderKind>();

export function headerKind(name: string): HeaderKind {
  const known = spellings.get(name);
  if (known !== undefined) return known;
  const kind = KINDS.get(name.toLowerCase()) ?? kindOfUnknown(name);
  if (spellings.size < SPELLINGS_MAX) spellings.set(name, kind);
  return kind;
}

/**
 * Where headers become variables (CGI, WSGI, Rack), `X_Job_Id` and `X-Job-Id` are the same one, so what looks like a
 * header that means something here is no way around us.
 */
function kindOfUnknown(name: string): HeaderKind {
  return name.includes('_') && KINDS.has(name.toLowerCase().replaceAll('_', '-')) ? 'drop' : 'pass';
}

/** Names in a `Connection` header that are to be dropped too; undefined for the usual `keep-alive` and `close`. */
export function connectionNamed(value: string): ReadonlySet<string> | undefined {
  if (value === 'keep-alive' || value === 'close') return undefined;
  const names = value
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'keep-alive' && name !== 'close');
  return names.length === 0 ? undefined : new Set(names);
}

/** Removes the named headers from a flat list of names and values. */
export function withoutNamed(flat: readonly string[], named: ReadonlySet<string>): string[] {
  const rest: string[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    if (!named.has(flat[i]!.toLowerCase())) rest.push(flat[i]!, flat[i + 1]!);
  }
  return rest;
}

/**
 * Of a flat list of names and values, those that may be a trailer: whoever merges trailers into headers must not be
 * told by them what the proxy says, nor how long a body is (RFC 9110 §6.5.1).
 */
export function passedThrough(raw: readonly string[]): readonly string[] {
  if (raw.length === 0) return raw;
  const passed: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (headerKind(raw[i]!) === 'pass') passed.push(raw[i]!, raw[i + 1]!);
  }
  return passed;
}

/** Names and values, as some of Node's functions want them. */
export function pairs(flat: readonly string[]): [string, string][] {
  const result: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) result.push([flat[i]!, flat[i + 1]!]);
  return result;
}
