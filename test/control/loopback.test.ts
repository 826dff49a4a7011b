import { expect, test } from 'vitest';
import { isLoopbackHost } from '../../control/loopback.ts';

test.each([
  '127.0.0.1',
  '127.8.9.10',
  '::1',
  '[::1]',
  'localhost',
  'LOCALHOST',
  'api.localhost',
  '::ffff:127.0.0.1',
])('%s reaches this machine only', (host) => {
  expect(isLoopbackHost(host)).toBe(true);
});

test.each(['0.0.0.0', '::', '10.0.0.1', 'example.com', 'localhost.example.com', '', '128.0.0.1', 'fe80::1'])(
  '%s may reach others',
  (host) => {
    expect(isLoopbackHost(host)).toBe(false);
  },
);
