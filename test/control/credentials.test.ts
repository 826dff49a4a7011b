import { describe, expect, test } from 'vitest';
import { createCredentialStore, parseTokens, TokenProblems } from '../../control/credentials.ts';

test('tokens are read from one line', () => {
  expect(parseTokens('ops:operator:s3cret, grafana:viewer:abc ,acme:admin:xyz:acme-corp')).toEqual([
    { name: 'ops', role: 'operator', secret: 's3cret' },
    { name: 'grafana', role: 'viewer', secret: 'abc' },
    { name: 'acme', role: 'admin', secret: 'xyz', tenant: 'acme-corp' },
  ]);
});

describe('problems with tokens', () => {
  function problemsOf(text: string): readonly string[] {
    try {
      parseTokens(text);
    } catch (error) {
      if (error instanceof TokenProblems) return error.problems;
    }
    throw new Error('no problem found');
  }

  test('are told all at once, and never show a secret', () => {
    const problems = problemsOf(
      'ops:king:hunter2,:viewer:hunter3,lonely,a:admin:hunter4:t:u,b:admin:,c:worker:hunter5:',
    );
    expect(problems).toEqual([
      'entry 1 (ops): the role must be one of viewer, operator, worker, admin',
      expect.stringMatching(/^entry 2: the name must be/),
      'entry 3: has 1 of the parts name:role:secret[:tenant]',
      'entry 4 (a): has 5 of the parts name:role:secret[:tenant]',
      expect.stringMatching(/^entry 5 \(b\): the secret must be/),
      expect.stringMatching(/^entry 6 \(c\): the tenant must be/),
    ]);
    expect(problems.join()).not.toMatch(/hunter|lonely/);
  });

  test('include names and secrets used twice', () => {
    expect(problemsOf('a:admin:x1,a:viewer:x2,b:viewer:x1')).toEqual([
      'the name a is used twice',
      'the secret of b is that of another entry',
    ]);
  });

  test.each(['', ',', 'a:constructor:x'])('include %j', (text) => {
    expect(problemsOf(text)).not.toHaveLength(0);
  });
});

test('a secret finds its credential, and nothing else does', () => {
  const store = createCredentialStore(parseTokens('ops:operator:s3cret,acme:viewer:other:acme'));
  expect(store.find('s3cret')).toEqual({ name: 'ops', role: 'operator' });
  expect(store.find('other')).toEqual({ name: 'acme', role: 'viewer', tenant: 'acme' });
  for (const wrong of ['', 's3cre', 's3cret ', 'S3CRET', 'ops']) expect(store.find(wrong)).toBeUndefined();
});

test('no secret can be read back from the store', () => {
  const store = createCredentialStore(parseTokens('ops:operator:s3cret'));
  expect(JSON.stringify(store)).not.toContain('s3cret');
  expect(JSON.stringify(store.find('s3cret'))).not.toContain('s3cret');
});
