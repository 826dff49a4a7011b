import { damaged } from '../records.ts';
import type { SaveResult } from '../store.ts';

/** What scripts and commands return, checked before it is believed. */

export function textOf(reply: unknown, name: string): string {
  if (typeof reply !== 'string')
    throw damaged(name, `not text but ${reply === null ? 'nothing' : typeof reply}`);
  return reply;
}

export function textsOf(reply: unknown, name: string): readonly string[] {
  if (!Array.isArray(reply)) throw damaged(name, 'not a list');
  return reply.map((item: unknown) => textOf(item, name));
}

/** A hash, or anything else that comes as name, value, name, value… */
export function pairsOf(reply: unknown, name: string): readonly (readonly [string, string])[] {
  const texts = textsOf(reply, name);
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < texts.length; i += 2) pairs.push([texts[i] ?? '', texts[i + 1] ?? '']);
  return pairs;
}

export function countOf(text: string | undefined, name: string): number {
  const count = text !== undefined && /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(count)) throw damaged(name, 'not a count');
  return count;
}

/** Takes off the first `fields` words, which scripts read; the rest is JSON. */
export function jsonAfter(fields: number, record: string, name: string): string {
  let start = 0;
  for (let field = 0; field < fields; field++) {
    const space = record.indexOf(' ', start);
    if (space === -1) throw damaged(name, `${fields} words and JSON were expected`);
    start = space + 1;
  }
  return record.slice(start);
}

export function saveResultOf(reply: unknown): SaveResult {
  const [kind, revision] = textsOf(reply, 'result');
  switch (kind) {
    case 'saved':
      return { kind, revision: countOf(revision, 'revision') };
    case 'stale':
      return { kind };
    default:
      throw damaged('result', `unknown kind ${String(kind)}`);
  }
}
