/** Random bytes that are nearly HTTP, the same ones for the same seed. */

export type Random = () => number;

/** mulberry32 (Tommy Ettinger): small, and good enough to choose by. @returns numbers in [0, 1) */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function oneOf<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}

/** What framing is made of, and what is nearly that. */
const PARTS = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  '\x80',
  '0\r\n\r\n',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Connection: close\r\n',
  'Connection: Upgrade\r\nUpgrade: websocket\r\n',
  'Expect: 100-continue\r\n',
  'Host: b\r\n',
  'HTTP/1.0',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'ffffffffffffffff',
  '-1',
];

/** 0 to 4 changes: a byte flipped, a part put in, a stretch cut out or said twice. */
export function mutated(random: Random, text: string): string {
  let result = text;
  for (let changes = Math.floor(random() * 5); changes > 0; changes--) {
    const at = Math.floor(random() * result.length);
    const to = at + 1 + Math.floor(random() * 8);
    const kind = random();
    if (kind < 0.25) {
      const byte = String.fromCharCode(Math.floor(random() * 256));
      result = result.slice(0, at) + byte + result.slice(at + 1);
    } else if (kind < 0.65) result = result.slice(0, at) + oneOf(random, PARTS) + result.slice(at);
    else if (kind < 0.85) result = result.slice(0, at) + result.slice(to);
    else result = result.slice(0, to) + result.slice(at);
  }
  return result;
}
