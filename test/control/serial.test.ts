import { expect, test } from 'vitest';
import { createSerial } from '../../control/serial.ts';

test('tasks of one key take turns in order of arrival; another key does not wait for them', async () => {
  const serial = createSerial();
  const log: string[] = [];
  const first = Promise.withResolvers<void>();
  const task = (name: string, until?: Promise<void>) => async (): Promise<string> => {
    log.push(`${name} begins`);
    await until;
    log.push(`${name} ends`);
    return name;
  };
  const results = [
    serial.run('a', task('a1', first.promise)),
    serial.run('a', task('a2')),
    serial.run('a', task('a3')),
  ];
  expect(await serial.run('b', task('b1'))).toBe('b1');
  expect(log).toEqual(['a1 begins', 'b1 begins', 'b1 ends']);
  first.resolve();
  expect(await Promise.all(results)).toEqual(['a1', 'a2', 'a3']);
  expect(log.slice(3)).toEqual(['a1 ends', 'a2 begins', 'a2 ends', 'a3 begins', 'a3 ends']);
});

test('a task that fails does not hold up the next', async () => {
  const serial = createSerial();
  const failing = serial.run('a', () => Promise.reject(new Error('no')));
  const next = serial.run('a', async () => 'yes');
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('yes');
});
