import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import { permissionsOf, PERMISSION_NAMES, ROLES } from '../credentials.ts';
import type { ControlEnv } from '../env.ts';
import { COMMON_ERRORS, errorAnswers, json, SECURITY } from './answers.ts';

/** Who asks. For programs that want to know what they may do before they try it. */

const credentialSchema = z
  .object({
    name: z.string(),
    role: z.enum(ROLES),
    permissions: z.array(z.enum(PERMISSION_NAMES)).openapi({
      description:
        '`read`: every GET. `operate`: deployments, workers and queues. `report`: what a worker says of itself.',
    }),
    tenant_id: z.string().optional().openapi({ description: 'The one that the token is limited to.' }),
  })
  .openapi('Credential');

const whoAmI = createRoute({
  method: 'get',
  path: '/config/credential',
  operationId: 'getCredential',
  tags: ['Configuration'],
  summary: 'Who the token is, and what it may do',
  security: SECURITY,
  responses: {
    200: json('Of the token that was sent.', credentialSchema, {
      name: 'ops-team',
      role: 'operator',
      permissions: ['read', 'operate', 'report'],
    }),
    ...errorAnswers(...COMMON_ERRORS),
  },
});

export function addCredentialRoutes(app: OpenAPIHono<ControlEnv>): void {
  app.openapi(whoAmI, (c) => {
    const { name, role, tenant } = c.get('credential');
    const permissions = [...permissionsOf(role)];
    return c.json({ name, role, permissions, ...(tenant !== undefined && { tenant_id: tenant }) }, 200);
  });
}
