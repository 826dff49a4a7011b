import { describe, expect, test } from 'vitest';
import { createCredentialStore } from '../../control/credentials.ts';
import { parseTokens, TokenProblems } from '../../control/tokens.ts';

test('tokens are read from one line', () => {
  expect(parseTokens('ops:operator:s3cret, grafana:viewer:abc ,acme:admin:xyz:acme-corp')).toEqual([
    { name: 'ops', role: 'operator', secret: 's3cret' },
    { name: 'grafana', role: 'viewer', secret: 'abc' },
    { name: 'acme', role: 'admin', secret: 'xyz', tenant: 'acme-corp' },
  ]);
});

test('or from several, with remarks', () => {
  const text = '# for machines\nci:operator:s3cret\r\n\n  grafana:viewer:abc,a:admin:x\n';
  expect(parseTokens(text).map(({ name }) => name)).toEqual(['ci', 'grafana', 'a']);
});

/** printf %s s3cret | sha256sum */
const HASH = '1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0';

test('the hash of a secret stands for it', () => {
  const tokens = parseTokens(
    `ops:operator:sha256:${HASH.toUpperCase()},acme:viewer:sha256:${'0'.repeat(64)}:acme`,
  );
  const store = createCredentialStore(tokens);
  expect(store.find('s3cret')).toEqual({ name: 'ops', role: 'operator' });
  expect(store.find(HASH)).toBeUndefined();
  expect(tokens[1]).toMatchObject({ name: 'acme', tenant: 'acme' });
});

describe('tokens that take the place of others', () => {
  test('count, and those before do not', () => {
    const store = createCredentialStore(parseTokens('ops:operator:old-one,ci:worker:same-one'));
    store.replace(parseTokens(`ops:operator:sha256:${HASH},ci:worker:same-one`));
    expect(store.find('old-one')).toBeUndefined();
    expect(store.find('s3cret')).toEqual({ name: 'ops', role: 'operator' });
    expect(store.find('same-one')).toEqual({ name: 'ci', role: 'worker' });
  });

  test('tell whose token was withdrawn, or may do something else now, and nobody else', () => {
    const store = createCredentialStore(parseTokens('a:viewer:a1,b:viewer:b1,c:viewer:c1:t,d:viewer:d1'));
    const told: string[] = [];
    for (const secret of ['a1', 'b1', 'c1', 'd1'])
      store.onWithdrawn(store.find(secret)!, () => told.push(secret));
    const forgetting = store.onWithdrawn(store.find('b1')!, () => told.push('forgotten'));
    forgetting();
    store.replace(parseTokens('d:viewer:d1,a:viewer:a2,b:worker:b1,c:viewer:c1:u'));
    expect(told).toEqual(['a1', 'b1', 'c1']);
    store.replace(parseTokens('d:viewer:d1'));
    expect(told).toHaveLength(3);
  });

  test('tell at once who comes with a credential that no longer counts', () => {
    const store = createCredentialStore(parseTokens('a:viewer:a1'));
    const old = store.find('a1')!;
    store.replace(parseTokens('a:viewer:a2'));
    let isTold = false;
    store.onWithdrawn(old, () => (isTold = true));
    expect(isTold).toBe(true);
  });
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
    expect(problemsOf(`a:admin:s3cret,b:admin:sha256:${HASH}`)).toEqual([
      'the secret of b is that of another entry',
    ]);
  });

  test.each(['sha256', 'sha256:', 'sha256:abc', `sha256:${'g'.repeat(64)}`, `sha256:${'0'.repeat(63)}`])(
    'include a hash that is none: %s',
    (secret) => {
      const [problem, ...more] = problemsOf(`a:admin:${secret}`);
      expect(problem).toMatch(/^entry 1.*: (?:sha256: must be followed by|has 2 of the parts)/);
      expect(more.every((text) => /the secret must be/.test(text))).toBe(true);
    },
  );

  test('include the names that events have for Lanewise itself', () => {
    expect(problemsOf('judge:admin:x1,drainer:admin:x2')).toEqual([
      expect.stringMatching(/^entry 1 \(judge\): the name is what Lanewise itself is called/),
      expect.stringMatching(/^entry 2 \(drainer\)/),
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
