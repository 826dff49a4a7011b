import { expect, test } from 'vitest';
import { openControl } from './harness.ts';

test('the page at /docs and all that it loads come from this server, without a token', async () => {
  const control = await openControl();
  const page = await control.fetch('/docs');
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const parts = [...String(page.body).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part]) => part!);
  expect(parts).toHaveLength(5);
  for (const part of parts) {
    // Relative to /docs; nothing of another server, and nothing that a policy of ours would block.
    expect(part).not.toMatch(/^(?:\/|\w+:)/);
    const answer = await control.fetch(new URL(part, 'http://localhost/docs').pathname);
    expect([part, answer.status]).toEqual([part, 200]);
  }
  expect((await control.fetch('/docs/start.js')).body).toContain("url: 'openapi.json'");
});

test.each([
  ['/docs', 'text/html'],
  ['/docs/start.js', 'text/javascript'],
  ['/docs/swagger-ui-bundle.js', 'text/javascript'],
  ['/docs/swagger-ui.css', 'text/css'],
  ['/docs/favicon-32x32.png', 'image/png'],
])('%s is %s, and scripts of others are not run', async (path, type) => {
  const control = await openControl();
  const { headers } = await control.fetch(path);
  expect(headers.get('content-type')).toContain(type);
  expect(headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'self';/);
  expect(headers.get('x-content-type-options')).toBe('nosniff');
});

test.each(['/docs/', '/docs/swagger-ui.js', '/docs/..%2f..%2fpackage.json', '/docs/index.html'])(
  'nothing else of the package is served: %s',
  async (path) => {
    const control = await openControl();
    expect((await control.fetch(path)).status).toBe(404);
  },
);
