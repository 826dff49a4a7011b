import { describe, expect, test } from 'vitest';
import {
  age,
  clockTime,
  count,
  milliseconds,
  perSecond,
  percent,
  plural,
  share,
  signed,
  span,
  words,
} from '../../../control/dashboard/model/format.ts';

/** Narrow spaces stand before units; here they are written as plain ones. */
function plain(text: string): string {
  return text.replaceAll('\u202f', ' ');
}

describe('numbers', () => {
  test.each([
    [0, '0 %'],
    [0.96, '0.96 %'],
    [12.345, '12.3 %'],
    [99.96, '100 %'],
    [100, '100 %'],
    [null, '–'],
    [undefined, '–'],
  ])('percent of %s is %s', (value, text) => {
    expect(plain(percent(value))).toBe(text);
  });

  test('latencies are in milliseconds, from ten seconds on in seconds', () => {
    expect(plain(milliseconds(8.126))).toBe('8.13 ms');
    expect(plain(milliseconds(1234.5))).toBe('1,235 ms');
    expect(plain(milliseconds(12_340))).toBe('12.3 s');
    expect(milliseconds(null)).toBe('–');
  });

  test('counts are whole, rates are not', () => {
    expect(count(12345)).toBe('12,345');
    expect(count(null)).toBe('–');
    expect(plain(perSecond(4.17))).toBe('4.17 /s');
  });

  test('a share has the decimals that it was set with', () => {
    expect([5, 2.5, 33.33].map((value) => plain(share(value)))).toEqual(['5 %', '2.5 %', '33.33 %']);
  });

  test('a difference has its sign', () => {
    expect(signed('3 %', 3)).toBe('+3 %');
    expect(signed('3 %', -3)).toBe('−3 %');
    expect(signed('0 %', 0)).toBe('±0 %');
  });

  test('a number of things is singular or plural', () => {
    expect(plural(1, 'proxy', 'proxies')).toBe('1 proxy');
    expect(plural(2, 'proxy', 'proxies')).toBe('2 proxies');
    expect(plural(0, 'worker')).toBe('0 workers');
  });

  test('names of the API are words', () => {
    expect(words('rolling_back')).toBe('rolling back');
  });
});

describe('times', () => {
  test.each([
    [0, '0 s'],
    [999, '1 s'],
    [65_000, '1 min 5 s'],
    [3_600_000, '1 h'],
    [3_605_000, '1 h'],
    [90_000_000, '1 d 1 h'],
    [-5, '0 s'],
  ])('a span of %s ms is %s', (ms, text) => {
    expect(plain(span(ms))).toBe(text);
  });

  test('an age is its largest unit', () => {
    expect([1000, 59_000, 61_000, 7_300_000].map((ms) => plain(age(ms)))).toEqual([
      'now',
      '59 s',
      '1 min',
      '2 h',
    ]);
  });

  test('a moment of another day says which', () => {
    const noon = new Date(2026, 10, 28, 12, 3, 5).getTime();
    expect(clockTime(noon, noon + 1000)).toBe('12:03:05');
    expect(clockTime(noon, noon + 86_400_000)).toBe('Nov 28, 12:03:05');
  });
});
