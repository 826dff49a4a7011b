import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byteString, hash32 } from '../../src/core/hash.ts';

function bytes(...values: readonly number[]): string {
  return String.fromCharCode(...values);
}

describe('hash32 is MurmurHash3_x86_32', () => {
  // Published vectors: Ian Boyd's (stackoverflow.com/a/31929528), which include those of SMHasher and Wikipedia.
  test.each([
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    [bytes(0xff, 0xff, 0xff, 0xff), 0, 0x76293b50],
    [bytes(0x21, 0x43, 0x65, 0x87), 0, 0xf55b516b],
    [bytes(0x21, 0x43, 0x65, 0x87), 0x5082edee, 0x2362f9de],
    [bytes(0x21, 0x43, 0x65), 0, 0x7e4a8634],
    [bytes(0x21, 0x43), 0, 0xa0f7b07a],
    [bytes(0x21), 0, 0x72661cf4],
    [bytes(0, 0, 0, 0), 0, 0x2362f9de],
    [bytes(0, 0, 0), 0, 0x85f0b427],
    [bytes(0, 0), 0, 0x30f4c306],
    [bytes(0), 0, 0x514e28b7],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['aaa', 0x9747b28c, 0x283e0130],
    ['aa', 0x9747b28c, 0x5d211726],
    ['a', 0x9747b28c, 0x7fa09ea6],
    ['abcd', 0x9747b28c, 0xf0478627],
    ['abc', 0x9747b28c, 0xc84a62dd],
    ['ab', 0x9747b28c, 0x74875592],
    ['test', 0, 0xba6bd213],
    ['test', 0x9747b28c, 0x704b81dc],
    ['Hello, world!', 0, 0xc0363e43],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0, 0x2e4ff723],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
    [byteString('ππππππππ'), 0x9747b28c, 0xd58063c1],
  ])('%j with seed %i gives the published value', (key, seed, hash) => {
    expect(hash32(key, seed)).toBe(hash);
  });

  test('the value is an unsigned 32-bit integer for every key and seed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer(), (key, seed) => {
        const hash = hash32(key, seed);
        expect(hash).toBe(hash >>> 0);
      }),
    );
  });

  test('of a character beyond one byte only the low byte counts', () => {
    const wide = Array.from('0123456789', (digit) => String.fromCharCode(digit.charCodeAt(0) + 0xff00));
    for (let length = 0; length <= 10; length++) {
      expect(hash32(wide.slice(0, length).join(''), 5)).toBe(hash32('0123456789'.slice(0, length), 5));
    }
  });

  test('a seed counts modulo 2^32', () => {
    expect(hash32('key', 0xffffffff)).toBe(hash32('key', -1));
  });
});

describe('byteString', () => {
  test('gives the UTF-8 bytes of a text, one character each', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(byteString(text)).toBe(Buffer.from(text, 'utf8').toString('latin1'));
      }),
    );
  });

  test('leaves ASCII as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
        expect(byteString(text)).toBe(text);
      }),
    );
  });

  test('makes a key from JSON hash like the same key from a header', () => {
    const asNodeReadsTheHeader = Buffer.from('Größe 17', 'utf8').toString('latin1');
    expect(hash32(byteString('Größe 17'), 7)).toBe(hash32(asNodeReadsTheHeader, 7));
    expect(hash32('Größe 17', 7)).not.toBe(hash32(asNodeReadsTheHeader, 7));
  });
});
