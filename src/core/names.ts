/**
 * What may be called what. Queue names end up in URL paths, Redis keys and metric labels, versions and worker ids in
 * headers, so the grammar is narrow on purpose: what is refused here can't surprise further on.
 */
export interface NameGrammar {
  readonly pattern: RegExp;
  /** Completes "must be …" in an error message. */
  readonly accepted: string;
}

/** No colon (`/dispatch/{queue}:batch`), no `@` (lane suffix), no `|` (scope keys); braces for Redis hash tags. */
export const QUEUE_NAME: NameGrammar = {
  pattern: /^[A-Za-z0-9{][A-Za-z0-9._{}-]{0,127}$/,
  accepted: '1 to 128 letters, digits or any of . _ - { }, beginning with a letter, a digit or {',
};

/** Versions, tenants and worker ids: anything a header and a URL segment can carry. */
export const IDENTIFIER: NameGrammar = {
  pattern: /^[\x21-\x7e]{1,128}$/,
  accepted: '1 to 128 visible ASCII characters without spaces',
};

/** Job ids and sticky keys come from other systems: any printable bytes (checked as a byte string). */
export const JOB_KEY: NameGrammar = {
  pattern: /^[\x20-\x7e\x80-\xff]{1,512}$/,
  accepted: '1 to 512 printable bytes',
};

/** What is asked of a worker: it ends up in the first line of a request. */
export const HEALTH_PATH: NameGrammar = {
  pattern: /^\/[\x21\x22\x24-\x7e]{0,511}$/,
  accepted: 'a path such as /healthz, of at most 512 visible ASCII characters without #, beginning with /',
};

/** Whether Redis Cluster takes a part of the name to choose the slot: what is between the first `{` and the next `}`. */
export function hasHashTag(name: string): boolean {
  return hashTagOf(name) !== undefined;
}

/** That part. */
export function hashTagOf(name: string): string | undefined {
  return /^[^{]*\{([^}]+)\}/.exec(name)?.[1];
}

export function isNamed(grammar: NameGrammar, value: string): boolean {
  return grammar.pattern.test(value);
}
