import { expect, test } from 'vitest';
import { openControl } from './harness.ts';

test.each([
  ['admin', { name: 'root', role: 'admin', permissions: ['read', 'operate', 'report'] }],
  ['viewer', { name: 'grafana', role: 'viewer', permissions: ['read'] }],
  ['worker', { name: 'sidecar', role: 'worker', permissions: ['report'] }],
  [
    'acme',
    { name: 'acme-ops', role: 'operator', permissions: ['read', 'operate', 'report'], tenant_id: 'acme' },
  ],
] as const)('GET /config/credential tells the %s who it is and what it may do', async (who, expected) => {
  const control = await openControl();
  const { status, body } = await control.call('GET', '/config/credential', undefined, who);
  expect(status).toBe(200);
  expect(body).toEqual(expected);
});

test('without a token it is refused like everything else', async () => {
  const control = await openControl();
  const { status, body } = await control.call('GET', '/config/credential', undefined, 'nobody');
  expect([status, body.code]).toEqual([401, 'UNAUTHORIZED']);
});
