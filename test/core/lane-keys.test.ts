import { describe, expect, it } from 'vitest';
import {
  baseKeyOf,
  hashTagProblem,
  inboxOf,
  keyTemplateProblem,
  laneKeyOf,
} from '../../src/core/lane-keys.ts';

const LIST = { name: 'payments', kind: 'list' } as const;

describe('the keys of a queue', () => {
  it('are its name for the stable lane and the name with a suffix for the canary', () => {
    expect(laneKeyOf(LIST, 'stable')).toBe('payments');
    expect(laneKeyOf(LIST, 'canary')).toBe('payments@canary');
  });

  it('follow the template of those who are there already', () => {
    const sidekiq = { ...LIST, keyTemplate: 'queue:{queue}' };
    expect(laneKeyOf(sidekiq, 'stable')).toBe('queue:payments');
    expect(laneKeyOf(sidekiq, 'canary')).toBe('queue:payments@canary');
    expect(baseKeyOf({ ...LIST, name: 'a$&b', keyTemplate: 'q:{queue}:x' })).toBe('q:a$&b:x');
  });

  it('have an inbox for each consumer that waits', () => {
    expect(inboxOf(LIST, 'canary', 'proxy-1')).toBe('payments:lanewise:inbox:canary:proxy-1');
    expect(inboxOf({ ...LIST, kind: 'stream' }, 'canary', 'proxy-1')).toBe('proxy-1+inbox');
  });

  it('need a hash tag on a Cluster, in the name or in the template', () => {
    expect(hashTagProblem({ ...LIST, name: '{payments}' })).toBeUndefined();
    expect(hashTagProblem({ ...LIST, name: '{payments}', keyTemplate: 'queue:{queue}' })).toBeUndefined();
    expect(hashTagProblem({ ...LIST, keyTemplate: '{app}:{queue}' })).toBeUndefined();
    expect(hashTagProblem(LIST)).toContain('the key "payments" of the queue "payments" has no hash tag');
    for (const name of ['pay{}ments', '{payments', 'payments}']) {
      expect(hashTagProblem({ ...LIST, name })).toContain('call the queue "{payments}"');
    }
  });
});

describe('a key template', () => {
  it('names the queue once and has no stray brace', () => {
    for (const good of ['{queue}', 'queue:{queue}', '{app}:{queue}', 'bull:{queue}:wait']) {
      expect(keyTemplateProblem(good)).toBeUndefined();
    }
    expect(keyTemplateProblem('queue:')).toBe('must contain {queue} exactly once');
    expect(keyTemplateProblem('{queue}:{queue}')).toBe('must contain {queue} exactly once');
    for (const stray of ['a{b:{queue}', 'a}b:{queue}', '{queue}}', '{queue}{']) {
      expect(keyTemplateProblem(stray)).toBe('has a brace too many');
    }
    expect(keyTemplateProblem('my queue:{queue}')).toBe('must be 1 to 256 visible ASCII characters');
  });
});
