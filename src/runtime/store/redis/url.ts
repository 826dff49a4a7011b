import { OperatorError } from '../../operator-error.ts';

/**
 * Where Redis is. `URL` takes one host only, so the list of hosts is taken apart here. User name and password are those
 * of the data nodes, percent-encoded as in every URL.
 */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

interface Credentials {
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
}

export interface SingleTarget extends Credentials {
  readonly kind: 'single';
  readonly address: RedisAddress;
  readonly db: number;
}

export interface SentinelTarget extends Credentials {
  readonly kind: 'sentinel';
  readonly sentinels: readonly RedisAddress[];
  readonly masterName: string;
  readonly db: number;
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
}

export interface ClusterTarget extends Credentials {
  readonly kind: 'cluster';
  readonly nodes: readonly RedisAddress[];
}

export type RedisTarget = SingleTarget | SentinelTarget | ClusterTarget;

export const REDIS_URL_FORMS =
  'redis://host:6379/0, rediss://host:6379, redis+sentinel://host:26379,host2:26379/master-name or ' +
  'redis+cluster://host:6379,host2:6379, with user:password@ before the host where one is needed';

const PORT_DEFAULT = 6379;
const SENTINEL_PORT_DEFAULT = 26379;

/** Up to the last `@`: a password with a bare `/` or `@` in it works, and never ends up in a message as a host. */
const URL_PARTS =
  /^(?<scheme>[a-z+]+):\/\/(?:(?<userinfo>.*)@)?(?<hosts>[^@/?#]*)(?:\/(?<path>[^?#]*))?(?:\?(?<query>[^#]*))?$/;

/** @throws OperatorError that quotes the URL without its password and says which forms are taken. */
export function parseRedisUrl(url: string): RedisTarget {
  const fail = (problem: string): Error =>
    new OperatorError(`the Redis URL ${maskRedisUrl(url)} ${problem}; it must be ${REDIS_URL_FORMS}`);
  const parts = URL_PARTS.exec(url)?.groups;
  if (parts === undefined) throw fail('is not a URL');
  const { scheme = '', userinfo, hosts = '', path = '', query = '' } = parts;
  const kind = SCHEMES.get(scheme);
  if (kind === undefined) throw fail(`has the unknown scheme "${scheme}"`);
  const options = new URLSearchParams(query);
  const known = kind === 'sentinel' ? ['sentinel_username', 'sentinel_password'] : [];
  for (const name of options.keys())
    if (!known.includes(name)) throw fail(`has the unknown option "${name}"`);
  const credentials = { ...credentialsOf(userinfo, fail), tls: scheme.startsWith('rediss') };
  const addresses = addressesOf(hosts, kind === 'sentinel' ? SENTINEL_PORT_DEFAULT : PORT_DEFAULT, fail);
  if (kind === 'cluster') {
    if (dbOf(path, fail) !== 0) throw fail('names a database, but a Cluster has only 0');
    return { kind, ...credentials, nodes: addresses };
  }
  if (kind === 'single') {
    const [address, ...more] = addresses;
    if (address === undefined || more.length > 0) throw fail('must name one host');
    return { kind, ...credentials, address, db: dbOf(path, fail) };
  }
  const [masterName = '', db = '', ...rest] = path.split('/');
  if (masterName === '') throw fail("lacks the master's name");
  if (rest.length > 0) throw fail('has too many path segments');
  const username = options.get('sentinel_username');
  const password = options.get('sentinel_password');
  return {
    kind,
    ...credentials,
    sentinels: addresses,
    masterName: decoded(masterName, fail),
    db: dbOf(db, fail),
    ...(username !== null && { sentinelUsername: username }),
    ...(password !== null && { sentinelPassword: password }),
  };
}

/** Fit for logs: no password, whatever else may be wrong with the URL. */
export function maskRedisUrl(url: string): string {
  return url.replace(/(:\/\/).*@/, '$1***@').replace(/(password=)[^&#]*/gi, '$1***');
}

type Fail = (problem: string) => Error;

const SCHEMES = new Map<string, RedisTarget['kind']>([
  ['redis', 'single'],
  ['rediss', 'single'],
  ['redis+sentinel', 'sentinel'],
  ['rediss+sentinel', 'sentinel'],
  ['redis+cluster', 'cluster'],
  ['rediss+cluster', 'cluster'],
]);

function credentialsOf(userinfo: string | undefined, fail: Fail): Omit<Credentials, 'tls'> {
  if (userinfo === undefined || userinfo === '') return {};
  const colon = userinfo.indexOf(':');
  if (colon === -1) throw fail('has a user name without a password (":password@" for a password alone)');
  const username = decoded(userinfo.slice(0, colon), fail);
  return { ...(username !== '' && { username }), password: decoded(userinfo.slice(colon + 1), fail) };
}

function addressesOf(hosts: string, portDefault: number, fail: Fail): RedisAddress[] {
  return hosts.split(',').map((text) => {
    const [, bracketed, plain, digits] =
      /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]\s]+))(?::(\d+))?$/.exec(text) ?? [];
    const host = bracketed ?? plain;
    if (host === undefined) throw fail(`has the bad host "${text}"`);
    const port = digits === undefined ? portDefault : Number(digits);
    if (port < 1 || port > 65_535) throw fail(`has the bad port ${String(digits)}`);
    return { host, port };
  });
}

function dbOf(text: string, fail: Fail): number {
  if (text === '') return 0;
  if (!/^\d{1,5}$/.test(text)) throw fail(`has the bad database number "${text}"`);
  return Number(text);
}

function decoded(text: string, fail: Fail): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw fail('has a "%" that begins no percent-encoded byte');
  }
}
