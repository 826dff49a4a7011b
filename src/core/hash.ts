/**
 * The one hash behind lanes and rings: MurmurHash3_x86_32 (Austin Appleby, public domain,
 * https://github.com/aappleby/smhasher). It is small, has published test vectors, so that a proxy in another
 * language can agree with ours, and takes a seed.
 *
 * Keys are *byte strings*: one character, one byte. That is how Node hands over header values, so a dispatch
 * hashes its key without decoding it. Text from anywhere else goes through `byteString` first.
 */

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/** Spreads every input bit over all 32 output bits (Murmur3's `fmix32`). */
export function mix32(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * Taken out of its prototype once. Where anything in the process extends `String`, as ioredis does for one kind of reply,
 * V8 looks methods of strings up at each call: a key would take six times as long.
 */
// oxlint-disable-next-line typescript/unbound-method -- it is called with a string
const { charCodeAt } = String.prototype;

function scramble(k: number): number {
  k = Math.imul(k, C1);
  return Math.imul((k << 15) | (k >>> 17), C2);
}

/**
 * @param key a byte string; of a character beyond U+00FF only the low byte counts
 * @param seed any 32-bit number
 * @returns an integer from 0 to 2^32 − 1
 */
export function hash32(key: string, seed: number): number {
  const length = key.length;
  const blocksEnd = length & ~3;
  let h = seed | 0;
  for (let i = 0; i < blocksEnd; i += 4) {
    const k =
      (charCodeAt.call(key, i) & 0xff) |
      ((charCodeAt.call(key, i + 1) & 0xff) << 8) |
      ((charCodeAt.call(key, i + 2) & 0xff) << 16) |
      (charCodeAt.call(key, i + 3) << 24);
    h ^= scramble(k);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = length - 1; i >= blocksEnd; i--) tail = (tail << 8) | (charCodeAt.call(key, i) & 0xff);
  if (length > blocksEnd) h ^= scramble(tail);
  return mix32(h ^ length);
}

/**
 * What a dispatch knows of its key: an integer from 0 to 2^32 − 1, spread evenly. The key is read once; whatever must not
 * follow from one another (the place on the ring, the lane of a deployment, a share of keys) is a `mix32` of this number
 * with a seed of its own.
 */
export type KeyHash = number;

const KEY_SEED = 0x72696e67; // "ring"

/** @param key as for `hash32` */
export function hashKey(key: string): KeyHash {
  return hash32(key, KEY_SEED);
}

const encoder = new TextEncoder();

/** The UTF-8 bytes of `text` as a byte string, so that a key from JSON and the same key from a header agree. */
export function byteString(text: string): string {
  let bytes = '';
  for (const byte of encoder.encode(text)) bytes += String.fromCharCode(byte);
  return bytes;
}
