import { describe, expect, test } from 'vitest';
import { IDENTIFIER, isNamed, JOB_KEY, QUEUE_NAME } from '../../src/core/names.ts';

describe('a queue name', () => {
  test.each(['payment-processing', 'a', 'A.b_c-9', '{payments}', '{pay}.high', '0', 'x'.repeat(128)])(
    'may be %s',
    (name) => expect(isNamed(QUEUE_NAME, name)).toBe(true),
  );

  test.each([
    '',
    '.',
    '..',
    '-x',
    '_x',
    '}x',
    'a:b',
    'a@canary',
    'a|b',
    'a/b',
    'a b',
    'a\n',
    'größe',
    'a%2fb',
    'x'.repeat(129),
  ])('may not be %j', (name) => expect(isNamed(QUEUE_NAME, name)).toBe(false));
});

describe('a version, tenant or worker id', () => {
  test.each(['v1.3.0', '1', 'worker@host:3000/a', 'a|b', '~', '!', 'x'.repeat(128)])('may be %s', (id) => {
    expect(isNamed(IDENTIFIER, id)).toBe(true);
  });

  test.each(['', ' ', 'v1 beta', 'v1\n', '\u007f', 'vé', 'x'.repeat(129)])('may not be %j', (id) => {
    expect(isNamed(IDENTIFIER, id)).toBe(false);
  });
});

describe('a job id or sticky key', () => {
  test.each(['job 1', '42', '\u00c3\u00a9', ' ', 'x'.repeat(512)])('may be %j', (key) => {
    expect(isNamed(JOB_KEY, key)).toBe(true);
  });

  test.each(['', 'a\r\nb', 'a\u0000', '\u007f', 'a\n', 'ключ', 'x'.repeat(513)])('may not be %j', (key) => {
    expect(isNamed(JOB_KEY, key)).toBe(false);
  });
});
