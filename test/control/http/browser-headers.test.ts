import { expect, test } from 'vitest';
import { openControl, SECRETS } from '../harness.ts';

/** Answers of every kind, also those that nobody foresaw. */
test.each([
  ['/api/v1/canary/deployments', {}, 200],
  ['/api/v1/canary/deployments', { authorization: 'Bearer wrong' }, 401],
  ['/api/v1/canary/deployments/none', {}, 404],
  ['/healthz', {}, 200],
  ['/metrics', {}, 200],
  ['/openapi.json', {}, 200],
  ['/nothing/here', {}, 404],
  ['/docs', {}, 200],
])(
  'no browser frames %s, takes it for another type, or tells where it came from',
  async (path, given, status) => {
    const control = await openControl();
    const headers = { authorization: `Bearer ${SECRETS.viewer}`, ...given };
    const answer = await control.fetch(path, { headers });
    expect(answer.status).toBe(status);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'content-security-policy': expect.stringMatching(/^default-src 'none';.*frame-ancestors 'none'$/),
    });
  },
);

test.each(['/deployments', '/deployments/none', '/workers', '/config/profiles', '/nothing'])(
  'no cache keeps the answer of %s',
  async (path) => {
    const control = await openControl();
    const answer = await control.call('GET', path, undefined, 'viewer');
    expect(answer.headers.get('cache-control')).toBe('no-store');
  },
);

test('an answer that is not a page may run nothing at all', async () => {
  const control = await openControl();
  const { headers } = await control.fetch('/openapi.json');
  expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
});

test('no script of a page is inline', async () => {
  const control = await openControl();
  const { headers, body } = await control.fetch('/docs');
  const policy = new Map(
    headers
      .get('content-security-policy')!
      .split('; ')
      .map((directive) => [directive.split(' ')[0], directive.split(' ').slice(1)] as const),
  );
  expect(policy.get('script-src')).toEqual(["'self'"]);
  const scripts = [...String(body).matchAll(/<script\b.*?<\/script>/gs)].map(([script]) => script);
  expect(scripts).toHaveLength(2);
  for (const script of scripts) expect(script).toMatch(/^<script src="[^"]+"><\/script>$/);
});
