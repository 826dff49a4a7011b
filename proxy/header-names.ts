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
    'expect',
    'x-canary-queue',
    'x-canary-version',
    'x-canary-attempt',
    'x-canary-worker',
    'x-canary-deployment',
    'x-canary-fallback',
    'x-canary-error',
  ].map((name) => [name, 'drop'] as const),
  ...FOREIGN_JOB_IDS.map((name) => [name, 'foreign-job-id'] as const),
  ['connection', 'connection'],
  ['host', 'host'],
  ['content-length', 'content-length'],
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
  const kind = KINDS.get(name.toLowerCase()) ?? 'pass';
  if (spellings.size < SPELLINGS_MAX) spellings.set(name, kind);
  return kind;
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
