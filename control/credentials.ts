import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * Who may do what. A secret is kept only as its SHA-256; looking one up compares against every credential in constant
 * time, so that neither the time taken nor a dump of the memory's tables says how near a guess was.
 */

/** `read`: every GET. `operate`: deployments and workers. `report`: what a worker says of itself. */
export const PERMISSION_NAMES = ['read', 'operate', 'report'] as const;
export type Permission = (typeof PERMISSION_NAMES)[number];

const PERMISSIONS = {
  viewer: ['read'],
  operator: ['read', 'operate', 'report'],
  worker: ['report'],
  admin: ['read', 'operate', 'report'],
} as const satisfies Readonly<Record<string, readonly Permission[]>>;

export type Role = keyof typeof PERMISSIONS;
export const ROLES = Object.keys(PERMISSIONS) as readonly Role[];

export interface Credential {
  readonly name: string;
  readonly role: Role;
  /** Sees and changes this tenant's deployments only. */
  readonly tenant?: string;
}

/** What opens, or its SHA-256 in hexadecimal digits. */
export type Token = Credential & ({ readonly secret: string } | { readonly sha256: string });

export interface CredentialStore {
  /** Whose secret this is, if anybody's. */
  find(secret: string): Credential | undefined;
  /** From now on these count and no others. */
  replace(tokens: readonly Token[]): void;
  /**
   * Tells once a credential that `find` gave no longer counts, or at once if it doesn't any more.
   * @returns forgets that
   */
  onWithdrawn(credential: Credential, listener: () => void): () => void;
}

export function permissionsOf(role: Role): readonly Permission[] {
  return PERMISSIONS[role];
}

export function may(role: Role, permission: Permission): boolean {
  return permissionsOf(role).includes(permission);
}

export function rolesThatMay(permission: Permission): readonly Role[] {
  return ROLES.filter((role) => may(role, permission));
}

interface Entry {
  readonly digest: Buffer;
  readonly credential: Credential;
}

export function createCredentialStore(tokens: readonly Token[]): CredentialStore {
  let entries: readonly Entry[] = tokens.map(entryOf);
  const listeners = new Map<Credential, Set<() => void>>();
  const counts = (credential: Credential): boolean =>
    entries.some((entry) => entry.credential === credential);

  return {
    find(secret) {
      const digest = sha256(secret);
      let found: Credential | undefined;
      // No early end: the time must not tell which one it was.
      for (const entry of entries) if (timingSafeEqual(entry.digest, digest)) found = entry.credential;
      return found;
    },
    replace(next) {
      // One that stays the same stays the same credential.
      entries = next.map(entryOf).map((entry) => entries.find((old) => isSame(old, entry)) ?? entry);
      for (const [credential, told] of listeners) {
        if (counts(credential)) continue;
        listeners.delete(credential);
        for (const listener of told) listener();
      }
    },
    onWithdrawn(credential, listener) {
      if (!counts(credential)) {
        listener();
        return () => undefined;
      }
      const told = listeners.get(credential) ?? new Set();
      listeners.set(credential, told.add(listener));
      return () => {
        told.delete(listener);
        if (told.size === 0 && listeners.get(credential) === told) listeners.delete(credential);
      };
    },
  };
}

function entryOf(token: Token): Entry {
  const { name, role, tenant } = token;
  return { digest: digestOf(token), credential: { name, role, ...(tenant !== undefined && { tenant }) } };
}

function isSame(a: Entry, b: Entry): boolean {
  const [left, right] = [a.credential, b.credential];
  return (
    a.digest.equals(b.digest) &&
    left.name === right.name &&
    left.role === right.role &&
    left.tenant === right.tenant
  );
}

export function digestOf(token: Token): Buffer {
  return 'secret' in token ? sha256(token.secret) : Buffer.from(token.sha256, 'hex');
}

function sha256(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

export function isRole(text: string): text is Role {
  return Object.hasOwn(PERMISSIONS, text);
}
