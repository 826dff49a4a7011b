import { expect, test } from 'vitest';
import { createRefresh } from '../../../control/event-stream/refresh.ts';

/** Readings that end when they are told to. */
function readings() {
  const under: PromiseWithResolvers<void>[] = [];
  const refresh = createRefresh(() => {
    const reading = Promise.withResolvers<void>();
    under.push(reading);
    return reading.promise;
  });
  return { under, refresh };
}

test('who asks while a reading is under way shares the next one', async () => {
  const { under, refresh } = readings();
  const first = refresh();
  const [second, third] = [refresh(), refresh()];
  expect(under).toHaveLength(1);
  under[0]!.resolve();
  await first;
  await expect.poll(() => under.length).toBe(2);
  under[1]!.resolve();
  await Promise.all([second, third]);
  expect(under).toHaveLength(2);
  const fourth = refresh();
  expect(under).toHaveLength(3);
  under[2]!.resolve();
  await fourth;
});

test('a reading that fails is the failure of those who wait for it alone', async () => {
  const { under, refresh } = readings();
  const [first, second] = [refresh(), refresh()];
  under[0]!.reject(new Error('away'));
  await expect(first).rejects.toThrow('away');
  await expect.poll(() => under.length).toBe(2);
  under[1]!.resolve();
  await second;
});
