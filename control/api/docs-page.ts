import { readFile } from 'node:fs/promises';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ControlEnv } from '../env.ts';
import { pageHeaders } from '../http/browser-headers.ts';

/**
 * `/docs`: Swagger UI over `/openapi.json`. Its files come with the npm package and are served from there, so the page
 * works without a network, in a checkout as in a build. Addresses are relative: a prefix of a reverse proxy does no harm.
 */

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Lanewise control API</title>
    <link rel="icon" href="docs/favicon-32x32.png">
    <link rel="stylesheet" href="docs/swagger-ui.css">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> does not.</noscript>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
`;

/** The token stays in the page: nothing is kept, nobody else is asked to check the document. */
const START = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  validatorUrl: null,
});
`;

const TYPES = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
} as const;

/** The files change with a release only, but nothing in their names says which; so they are asked for each day. */
const ASSET_MAX_AGE_SECONDS = 24 * 3600;

export function addDocsPage(app: OpenAPIHono<ControlEnv>): void {
  app.get('/docs', (c) => c.body(PAGE, 200, pageHeaders('text/html; charset=utf-8', 'no-cache')));
  app.get('/docs/start.js', (c) =>
    c.body(START, 200, pageHeaders('text/javascript; charset=utf-8', 'no-cache')),
  );
  for (const [name, type] of Object.entries(TYPES)) {
    app.get(`/docs/${name}`, async (c) => {
      const file = new URL(name, import.meta.resolve('swagger-ui-dist/package.json'));
      return c.body(await readFile(file), 200, pageHeaders(type, `public, max-age=${ASSET_MAX_AGE_SECONDS}`));
    });
  }
}
