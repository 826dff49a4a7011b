import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ControlEnv } from '../env.ts';

/** The API's description, made from the very schemas that validate. Call it after all routes are added. */
export function addOpenApi(app: OpenAPIHono<ControlEnv>, version: string): void {
  const { openAPIRegistry } = app;
  openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
  });
  const describe = () =>
    app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: {
        title: 'Lanewise control API',
        version,
        description: 'Canary deployments of job workers: traffic splits, workers, events.',
        license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
      },
      servers: [{ url: '/' }],
    });
  let document: ReturnType<typeof describe> | undefined;
  app.get('/openapi.json', (c) => c.json((document ??= describe()), 200));
}
