import { expect, test } from 'vitest';
import { createLimiter } from '../../../control/webhooks/limiter.ts';

/** Tasks that end when they are told to. */
function tasks() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const task = (name: string) => () => {
    begun.push(name);
    return new Promise<void>((resolve) => ends.set(name, resolve));
  };
  return { begun, task, end: (name: string) => ends.get(name)!() };
}

test('so many of a key run at once, the others in order of arrival; keys do not wait for each other', async () => {
  const { begun, task, end } = tasks();
  const limiter = createLimiter(2);
  const runs = ['a1', 'a2', 'a3', 'a4', 'b1'].map((name) => limiter.run(name[0]!, task(name)));
  expect(begun).toEqual(['a1', 'a2', 'b1']);
  end('a2');
  await runs[1];
  expect(begun).toEqual(['a1', 'a2', 'b1', 'a3']);
  end('a1');
  await runs[0];
  expect(begun).toEqual(['a1', 'a2', 'b1', 'a3', 'a4']);
  for (const name of ['a3', 'a4', 'b1']) end(name);
  await Promise.all(runs);
});

test('one that fails makes room as well', async () => {
  const limiter = createLimiter(1);
  const failing = limiter.run('a', () => Promise.reject(new Error('no')));
  const next = limiter.run('a', async () => {});
  await expect(failing).rejects.toThrow('no');
  await next;
});
