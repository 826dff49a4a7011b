import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import { DOCUMENTED_PROFILES, type Profiles } from '../../config/profiles.ts';
import { needs } from '../auth.ts';
import type { ControlEnv } from '../env.ts';
import { COMMON_ERRORS, errorAnswers, json, SECURITY } from './answers.ts';
import { profileSchema, toProfileJson } from './config-json.ts';

function toProfilesJson(profiles: Profiles): Record<string, z.infer<typeof profileSchema>> {
  return Object.fromEntries(
    Object.entries(profiles).map(([name, profile]) => [name, toProfileJson(profile)]),
  );
}

const profilesRoute = createRoute({
  method: 'get',
  path: '/config/profiles',
  operationId: 'listProfiles',
  tags: ['Configuration'],
  summary: 'The profiles that a deployment can be created with',
  security: SECURITY,
  middleware: [needs('read')],
  responses: {
    200: json(
      'By name. What a profile leaves out is as in `default`.',
      z.record(z.string(), profileSchema),
      toProfilesJson(DOCUMENTED_PROFILES),
    ),
    ...errorAnswers(...COMMON_ERRORS),
  },
});

export function addConfigRoutes(app: OpenAPIHono<ControlEnv>, profiles: Profiles): void {
  app.openapi(profilesRoute, (c) => c.json(toProfilesJson(profiles), 200));
}
