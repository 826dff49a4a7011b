import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { LanewiseError, type ErrorDetails } from '../src/core/errors.ts';
import { may, rolesThatMay, type Credential, type CredentialStore, type Permission } from './credentials.ts';
import type { ControlEnv } from './env.ts';

/** No secret is longer; hashing a stranger's megabyte would be a favour. */
const SECRET_LENGTH_MAX = 4096;

/** Finds out who asks. @throws UNAUTHORIZED */
export function authenticate(credentials: CredentialStore) {
  return createMiddleware<ControlEnv>(async (c, next) => {
    const credential = identify(c, credentials);
    if (credential instanceof LanewiseError) throw credential;
    c.set('credential', credential);
    await next();
  });
}

/** Who asks, or why that can't be said: UNAUTHORIZED. */
export function identify(c: Context, credentials: CredentialStore): Credential | LanewiseError {
  const secret = secretOf(c.req.header('authorization'), c.req.header('x-api-key'));
  if (secret instanceof LanewiseError) return secret;
  const credential = secret.length <= SECRET_LENGTH_MAX ? credentials.find(secret) : undefined;
  return (
    credential ??
    new LanewiseError('UNAUTHORIZED', 'The token is not known', {
      details: { authorization: 'must be Bearer <token>, or X-API-Key: <key>, with a configured token' },
    })
  );
}

/** `Authorization: Bearer` goes before `X-API-Key`. */
function secretOf(authorization: string | undefined, apiKey: string | undefined): string | LanewiseError {
  const bearer = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? apiKey;
  if (bearer !== undefined && bearer !== '') return bearer;
  return new LanewiseError('UNAUTHORIZED', 'A token is needed', {
    details: {
      authorization:
        authorization === undefined
          ? 'is required: Authorization: Bearer <token>, or X-API-Key: <key>'
          : 'must be Bearer <token>',
    },
  });
}

/** @throws FORBIDDEN unless the credential's role has the permission */
export function needs(permission: Permission) {
  return createMiddleware<ControlEnv>(async (c, next) => {
    const { name, role } = c.get('credential');
    if (!may(role, permission)) {
      const roles = rolesThatMay(permission).join(', ');
      throw forbidden(`${name} is a ${role} and may not do this`, {
        role: `must be one of ${roles}, is ${role}`,
      });
    }
    await next();
  });
}

/** Workers and lanes serve every tenant, so one tenant's credential must neither change them nor read their jobs. */
export const needsNoTenantScope = createMiddleware<ControlEnv>(async (c, next) => {
  const { name, tenant } = c.get('credential');
  if (tenant !== undefined) {
    throw forbidden(`${name} is limited to the tenant ${tenant} and may not do this`, {
      tenant: 'workers and queues serve every tenant; a token without a tenant is needed',
    });
  }
  await next();
});

/** The tenant that a deployment of this credential is for. @throws FORBIDDEN if it is another's */
export function tenantFor(credential: Credential, wanted: string | undefined): string | undefined {
  const { name, tenant } = credential;
  if (tenant === undefined || wanted === undefined || wanted === tenant) return wanted ?? tenant;
  throw forbidden(`${name} is limited to the tenant ${tenant}`, {
    tenant_id: `must be ${tenant} or left out, got ${wanted}`,
  });
}

/** Whether a deployment of `tenant` exists for this credential at all. */
export function isVisibleTo(credential: Credential, tenant: string | undefined): boolean {
  return credential.tenant === undefined || credential.tenant === tenant;
}

function forbidden(message: string, details: ErrorDetails): LanewiseError {
  return new LanewiseError('FORBIDDEN', message, { details });
}
