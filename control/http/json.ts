/**
 * JSON as a stranger sends it. `JSON.parse` takes the last of two equal keys, any depth, and says where it stopped in
 * words that differ from engine to engine; here a duplicate, a `__proto__` and a depth that no request needs are
 * problems with a place, and so is every syntax error.
 */

/** No documented body is deeper than 3; metadata may be anybody's. */
const JSON_DEPTH_MAX = 32;

/** Of a path in an error message; a stranger's keys may be as long as the body. */
const PATH_LENGTH_MAX = 128;

export class JsonProblem extends Error {
  /** The field at fault, `rollback_thresholds.min_success_rate`; undefined where the document as a whole is. */
  readonly field: string | undefined;

  constructor(message: string, field?: string) {
    super(message);
    this.name = 'JsonProblem';
    this.field = field?.slice(0, PATH_LENGTH_MAX);
  }
}

// Sticky: each matches exactly at the reader's position.
const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// The string's content is checked by JSON.parse; this only finds its end.
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/sy;
const WORD = /-?[A-Za-z_$][\w$]*/y;
// What Python writes for the numbers that JSON lacks; the field is worth naming.
const NOT_FINITE = new Set(['NaN', 'Infinity', '-Infinity']);
const LITERALS: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };

/** @throws JsonProblem */
export function parseJson(text: string): unknown {
  const reader = new Reader(text);
  const value = reader.value('', 0);
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(path: string, depth: number): unknown {
    this.#skipSpace();
    const next = this.#text[this.#at];
    if (next === '{' || next === '[') {
      if (depth >= JSON_DEPTH_MAX) this.#malformed(`is nested deeper than ${JSON_DEPTH_MAX} levels`);
      return next === '{' ? this.#object(path, depth) : this.#array(path, depth);
    }
    if (next === '"') return this.#string();
    return this.#numberOrLiteral(path);
  }

  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#unexpected('the end of the document');
  }

  #object(path: string, depth: number): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    this.#at++;
    if (this.#take('}')) return result;
    do {
      this.#skipSpace();
      if (this.#text[this.#at] !== '"') this.#unexpected('a quoted key');
      const key = this.#string();
      const inner = path === '' ? key : `${path}.${key}`;
      if (key === '__proto__') this.#refuse(inner, 'is not a permitted key');
      if (Object.hasOwn(result, key)) this.#refuse(inner, 'is given twice');
      if (!this.#take(':')) this.#unexpected('":"');
      result[key] = this.value(inner, depth + 1);
    } while (this.#take(','));
    if (!this.#take('}')) this.#unexpected('"," or "}"');
    return result;
  }

  #array(path: string, depth: number): unknown[] {
    const result: unknown[] = [];
    this.#at++;
    if (this.#take(']')) return result;
    do result.push(this.value(`${path}[${result.length}]`, depth + 1));
    while (this.#take(','));
    if (!this.#take(']')) this.#unexpected('"," or "]"');
    return result;
  }

  #string(): string {
    const raw = this.#match(STRING);
    if (raw === undefined) this.#malformed('has a string that never ends');
    try {
      return JSON.parse(raw) as string;
    } catch {
      return this.#malformed('has a string with a bad escape or a raw control character');
    }
  }

  #numberOrLiteral(path: string): unknown {
    const start = this.#at;
    const word = this.#match(WORD);
    if (word !== undefined) {
      if (Object.hasOwn(LITERALS, word)) return LITERALS[word];
      this.#at = start;
      if (NOT_FINITE.has(word)) this.#refuse(path, `is ${word}, which JSON has no number for`);
      this.#malformed(`has ${word.slice(0, 32)}, which is not a JSON value`);
    }
    const number = this.#match(NUMBER);
    if (number === undefined) this.#unexpected('a value');
    return Number(number);
  }

  #take(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    this.#match(SPACE);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #unexpected(wanted: string): never {
    const next = this.#text.codePointAt(this.#at);
    const got = next === undefined ? 'the end of the body' : JSON.stringify(String.fromCodePoint(next));
    return this.#malformed(`expected ${wanted}, found ${got}`);
  }

  #malformed(message: string): never {
    throw new JsonProblem(`${message} (${this.#place()})`);
  }

  #refuse(field: string, message: string): never {
    throw new JsonProblem(`${message} (${this.#place()})`, field === '' ? undefined : field);
  }

  #place(): string {
    const before = this.#text.slice(0, this.#at).split('\n');
    return `line ${before.length}, column ${before.at(-1)!.length + 1}`;
  }
}
