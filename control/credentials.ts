import { createHash, timingSafeEqual } from 'node:crypto';
import { IDENTIFIER, isNamed } from '../src/core/names.ts';

/**
 * Who may do what. A secret is kept only as its SHA-256; looking one up compares against every credential in constant
 * time, so that neither the time taken nor a dump of the memory's tables says how near a guess was.
 */

/** `read`: every GET. `operate`: deployments and workers. `report`: what a worker says of itself. */
export type Permission = 'read' | 'operate' | 'report';

const PERMISSIONS = {
  viewer: ['read'],
  operator: ['read', 'operate', 'report'],
  worker: ['report'],
  admin: ['read', 'operate', 'report'],
} as const satisfies Readonly<Record<string, readonly Permission[]>>;

export type Role = keyof typeof PERMISSIONS;
const ROLES = Object.keys(PERMISSIONS) as readonly Role[];

export interface Credential {
  readonly name: string;
  readonly role: Role;
  /** Sees and changes this tenant's deployments only. */
  readonly tenant?: string;
}

export interface Token extends Credential {
  readonly secret: string;
}

export interface CredentialStore {
  /** Whose secret this is, if anybody's. */
  find(secret: string): Credential | undefined;
}

export function may(role: Role, permission: Permission): boolean {
  return (PERMISSIONS[role] as readonly Permission[]).includes(permission);
}

export function rolesThatMay(permission: Permission): readonly Role[] {
  return ROLES.filter((role) => may(role, permission));
}

export function createCredentialStore(tokens: readonly Token[]): CredentialStore {
  const entries = tokens.map(({ secret, ...credential }) => ({ digest: digestOf(secret), credential }));
  return {
    find(secret) {
      const digest = digestOf(secret);
      let found: Credential | undefined;
      // No early end: the time must not tell which one it was.
      for (const entry of entries) if (timingSafeEqual(entry.digest, digest)) found = entry.credential;
      return found;
    },
  };
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

export class TokenProblems extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `LANEWISE_TOKENS is not name:role:secret[:tenant], separated by commas:\n  ${problems.join('\n  ')}`,
    );
    this.name = 'TokenProblems';
    this.problems = problems;
  }
}

/** @throws TokenProblems with every problem; secrets are never quoted. */
export function parseTokens(text: string): readonly Token[] {
  const problems: string[] = [];
  const tokens: Token[] = [];
  for (const [i, entry] of text.split(',').entries()) {
    const token = parseToken(entry.trim(), i + 1, problems);
    if (token !== undefined) tokens.push(token);
  }
  for (const [i, token] of tokens.entries()) {
    const earlier = tokens.slice(0, i);
    if (earlier.some(({ name }) => name === token.name))
      problems.push(`the name ${token.name} is used twice`);
    if (earlier.some(({ secret }) => secret === token.secret))
      problems.push(`the secret of ${token.name} is that of another entry`);
  }
  if (problems.length > 0) throw new TokenProblems(problems);
  return tokens;
}

function parseToken(entry: string, number: number, problems: string[]): Token | undefined {
  const parts = entry.split(':');
  const [name = '', role = '', secret = '', tenant] = parts;
  const place = `entry ${number}${isNamed(IDENTIFIER, name) && parts.length > 1 ? ` (${name})` : ''}`;
  if (parts.length < 3 || parts.length > 4) {
    problems.push(`${place}: has ${parts.length} of the parts name:role:secret[:tenant]`);
    return undefined;
  }
  const before = problems.length;
  if (!isNamed(IDENTIFIER, name)) problems.push(`${place}: the name must be ${IDENTIFIER.accepted}`);
  if (!isRole(role)) problems.push(`${place}: the role must be one of ${ROLES.join(', ')}`);
  if (!/^[\x21-\x7e]+$/.test(secret))
    problems.push(`${place}: the secret must be visible ASCII characters without spaces, : or ,`);
  if (tenant !== undefined && !isNamed(IDENTIFIER, tenant))
    problems.push(`${place}: the tenant must be ${IDENTIFIER.accepted}`);
  if (problems.length > before || !isRole(role)) return undefined;
  return { name, role, secret, ...(tenant !== undefined && { tenant }) };
}

function isRole(text: string): text is Role {
  return Object.hasOwn(PERMISSIONS, text);
}
