import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../src/core/duration.ts';

const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000];

describe('parseDuration reads what time.ParseDuration reads', () => {
  // From Go's own table, time_test.go, as far as it is not about signs.
  test.each([
    ['0', 0],
    ['5s', 5 * SECOND],
    ['30s', 30 * SECOND],
    ['1478s', 1478 * SECOND],
    ['5.0s', 5 * SECOND],
    ['5.6s', 5600],
    ['5.s', 5 * SECOND],
    ['.5s', 500],
    ['1.0s', SECOND],
    ['1.00s', SECOND],
    ['1.004s', 1004],
    ['1.0040s', 1004],
    ['100.00100s', 100_001],
    ['10ns', 0.00001],
    ['11us', 0.011],
    ['12µs', 0.012],
    ['12μs', 0.012],
    ['13ms', 13],
    ['14s', 14 * SECOND],
    ['15m', 15 * MINUTE],
    ['16h', 16 * HOUR],
    ['3h30m', 3 * HOUR + 30 * MINUTE],
    ['10.5s4m', 4 * MINUTE + 10_500],
    ['1h2m3s4ms5us6ns', HOUR + 2 * MINUTE + 3 * SECOND + 4.005_006],
    ['39h9m14.425s', 39 * HOUR + 9 * MINUTE + 14_425],
    ['52763797000ns', 52_763.797],
    ['0.3333333333333333333h', 20 * MINUTE],
    ['0.100000000000000000000h', 6 * MINUTE],
  ])('%s', (text, ms) => expect(parseDuration(text)).toBe(ms));
});

test('a fraction below a nanosecond is rounded, where Go cuts it off', () => {
  expect(parseDuration('1.6ns')).toBe(0.000_002);
  // In Go's table: 49m48.372539827s.
  expect(formatDuration(parseDuration('0.830103483285477580700h')!)).toBe('49m48.372539828s');
});

describe('parseDuration refuses', () => {
  test.each(['', '3', '-', 's', '.', '-.', '.s', '+.s', '1d', '\u0085\u0085', 'hello \uFFFD world'])(
    '%j, as Go does',
    (text) => expect(parseDuration(text)).toBeUndefined(),
  );

  test.each([
    '-5s',
    '1h 30m',
    ' 1h',
    '1h\n',
    '1H',
    '1h30',
    '1e3s',
    '1,5h',
    '1..5h',
    '٣s',
    'Infinityh',
    '0x1s',
    '1h-30m',
    'PT2H',
  ])('%j', (text) => expect(parseDuration(text)).toBeUndefined());

  test.each(['3000000h', '9223372036854776us', '9223372036s855ms', `${'9'.repeat(60)}h`])(
    '%s, which is over 292 years: Go’s 64-bit nanoseconds end there, and dates not much later',
    (text) => expect(parseDuration(text)).toBeUndefined(),
  );

  test('what is longer than any duration, without looking at it', () => {
    expect(parseDuration('0'.repeat(62) + '1s')).toBe(1000);
    expect(parseDuration('0'.repeat(63) + '1s')).toBeUndefined();
    expect(parseDuration('1h'.repeat(5_000_000))).toBeUndefined();
    expect(parseDuration('1'.repeat(10_000_000))).toBeUndefined();
  });

  test('one text as often as asked, whatever it read before', () => {
    const answers = ['1h', '1h!', '1h', '1x', '2h'].map(parseDuration);
    expect(answers).toEqual([HOUR, undefined, HOUR, undefined, 2 * HOUR]);
  });
});

describe('formatDuration writes what Duration.String writes', () => {
  // Go's own table, and the examples of the API document.
  test.each([
    [0, '0s'],
    [0.000_001, '1ns'],
    [0.0011, '1.1µs'],
    [2.2, '2.2ms'],
    [3300, '3.3s'],
    [4 * MINUTE + 5 * SECOND, '4m5s'],
    [4 * MINUTE + 5001, '4m5.001s'],
    [5 * HOUR + 6 * MINUTE + 7001, '5h6m7.001s'],
    [8 * MINUTE + 0.000_001, '8m0.000000001s'],
    [2 * HOUR, '2h0m0s'],
    [30 * MINUTE, '30m0s'],
    [90 * MINUTE, '1h30m0s'],
    [90 * SECOND, '1m30s'],
    [500, '500ms'],
    [100 * SECOND, '1m40s'],
    [10 * SECOND, '10s'],
    [2_562_047 * HOUR, '2562047h0m0s'],
  ])('%d ms', (ms, text) => expect(formatDuration(ms)).toBe(text));

  test.each([
    [59_999.999_999_9, '1m0s'],
    [999.999_999_9, '1s'],
    [0.999_999_9, '1ms'],
    [3_599_999.999_999_9, '1h0m0s'],
    [0.1 + 0.2, '300µs'],
    [1e-9, '0s'],
  ])('%d ms, which is not whole nanoseconds, rounded to them', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('parsing what was formatted gives the same duration', () => {
  test('to the nanosecond, up to a day', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 86_400 * 1e9 }), (nanoseconds) => {
        const ms = nanoseconds / 1e6;
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  test('to the nanosecond, below a second', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), (nanoseconds) => {
        const ms = nanoseconds / 1e6;
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  test('to the millisecond, up to 292 years', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_223_372_036_854 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  test('and formatting it again the same text', () => {
    fc.assert(
      fc.property(
        fc.nat(5000),
        fc.nat(59),
        fc.integer({ min: 0, max: 59_999 }),
        (hours, minutes, milliseconds) => {
          const text = formatDuration(parseDuration(`${hours}h${minutes}m${milliseconds}ms`)!);
          expect(formatDuration(parseDuration(text)!)).toBe(text);
        },
      ),
    );
  });
});
