import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ControlEnv } from '../env.ts';
import { describeExchange } from './exchange-description.ts';
import { INTRODUCTION } from './introduction.ts';

/** In the order of the API document. */
const TAGS = [
  { name: 'Deployments', description: 'One canary roll-out of a queue (and tenant) each.' },
  { name: 'Health and monitoring', description: 'How the canary does beside the stable version.' },
  { name: 'Workers', description: 'Who runs the jobs.' },
  { name: 'Queues', description: 'What waits in lanes, and what is dead.' },
  { name: 'Configuration', description: 'What deployments are made from.' },
  { name: 'Operations', description: 'For those who run it: not under the base path.' },
];

/** The API's description, made from the very schemas that validate. Call it after all routes are added. */
export function addOpenApi(app: OpenAPIHono<ControlEnv>, version: string, basePath: string): void {
  const { openAPIRegistry } = app;
  openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
  });
  const describe = () =>
    describeExchange(
      app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          title: 'Lanewise control API',
          version,
          description: INTRODUCTION,
          license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
        },
        servers: [{ url: '/' }],
        tags: TAGS,
      }),
      basePath,
    );
  let document: ReturnType<typeof describe> | undefined;
  app.get('/openapi.json', (c) => c.json((document ??= describe()), 200));
}
