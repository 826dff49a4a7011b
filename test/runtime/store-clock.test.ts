import { expect, onTestFinished, test, vi } from 'vitest';
import { createLog } from '../../src/runtime/log.ts';
import { startStoreClock, type StoreClock } from '../../src/runtime/store-clock.ts';

/** A machine and a store, each with a clock that can be set. */
class Clocks {
  machine = Date.UTC(2026, 0, 1);
  store = this.machine;
  mono = 0;
  isDown = false;
  /** How long the store takes to answer. */
  answerMs = 0;
  reads = 0;
  readonly lines: Record<string, unknown>[] = [];

  pass(ms: number): void {
    this.machine += ms;
    this.store += ms;
    this.mono += ms;
  }

  async open(): Promise<StoreClock> {
    const clock = await startStoreClock({
      base: { now: () => this.machine, monotonic: () => this.mono },
      readTime: async () => {
        this.reads++;
        if (this.isDown) throw new Error('down');
        const time = this.store + this.answerMs / 2;
        this.pass(this.answerMs);
        return time;
      },
      log: createLog('info', { write: (line) => void this.lines.push(JSON.parse(line)) }),
      everyMs: 1,
    });
    onTestFinished(() => clock.stop());
    return clock;
  }

  async look(): Promise<void> {
    const { reads } = this;
    // The one that is under way may have asked before.
    await vi.waitUntil(() => this.reads > reads + 1, { interval: 1 });
  }
}

const HOUR = 3_600_000;

test('where the clocks agree, the machine’s counts, and nothing is said', async () => {
  const clocks = new Clocks();
  clocks.machine += 300;
  const clock = await clocks.open();
  expect(clock.now()).toBe(clocks.machine);
  expect(clock.offset()).toBe(300);
  expect(clocks.lines).toEqual([]);
});

test.each([
  [HOUR, /3600 s ahead of the store's/],
  [-HOUR, /3600 s behind the store's/],
])('a clock that is off by %i ms does not count, and is said once', async (off, says) => {
  const clocks = new Clocks();
  clocks.machine += off;
  const clock = await clocks.open();
  expect(clock.now()).toBe(clocks.store);
  expect(clock.offset()).toBe(off);
  clocks.pass(5_000);
  expect(clock.now()).toBe(clocks.store);
  await clocks.look();
  expect(clocks.lines).toMatchObject([{ msg: expect.stringMatching(says), offset_seconds: off / 1000 }]);
  clocks.machine = clocks.store;
  await clocks.look();
  expect(clock.now()).toBe(clocks.machine);
  expect(clocks.lines.at(-1)).toMatchObject({ msg: expect.stringContaining('agrees') });
});

test('a jump of the machine’s clock is not followed, not even until the next look', async () => {
  const clocks = new Clocks();
  const clock = await clocks.open();
  clocks.isDown = true;
  clocks.pass(1_000);
  clocks.machine += HOUR;
  expect(clock.now()).toBe(clocks.store);
});

test('until the store has answered, the machine’s clock is all there is', async () => {
  const clocks = new Clocks();
  clocks.isDown = true;
  clocks.machine += HOUR;
  const clock = await clocks.open();
  expect(clock.now()).toBe(clocks.machine);
  expect(clock.offset()).toBeUndefined();
  clocks.isDown = false;
  await vi.waitUntil(() => clock.now() === clocks.store, { interval: 1 });
});

test('the time that the answer took is halved, and one that took long is not believed', async () => {
  const clocks = new Clocks();
  clocks.answerMs = 400;
  const clock = await clocks.open();
  expect(clock.offset()).toBe(0);
  const slow = new Clocks();
  slow.answerMs = 1_500;
  slow.machine += HOUR;
  expect((await slow.open()).offset()).toBeUndefined();
});
