import { IDENTIFIER, isNamed } from '../src/core/names.ts';
import { digestOf, isRole, ROLES, type Token } from './credentials.ts';
import { JUDGE } from './judge/actions.ts';
import { DRAINER } from './lanes/outdated.ts';

/**
 * Tokens as an operator writes them: `name:role:secret[:tenant]`, or with `sha256:` and the SHA-256 of the secret in 64
 * hexadecimal digits in its place, so that the configuration holds nothing that opens anything.
 */

/** An audit must be able to tell who did something. */
const OWN_ACTORS: ReadonlySet<string> = new Set([JUDGE.name, DRAINER.name]);

const HASHED = 'sha256';
const HASH = /^[0-9a-f]{64}$/i;

export class TokenProblems extends Error {
  readonly problems: readonly string[];

  /** @param source what the operator wrote them in: `LANEWISE_TOKENS` */
  constructor(problems: readonly string[], source: string) {
    super(`${source} is not name:role:secret[:tenant], separated by commas:\n  ${problems.join('\n  ')}`);
    this.name = 'TokenProblems';
    this.problems = problems;
  }
}

/**
 * Several are separated by commas or stand on lines of their own; a line that begins with # is a remark.
 * @throws TokenProblems with every problem; secrets are never quoted.
 */
export function parseTokens(text: string, source = 'LANEWISE_TOKENS'): readonly Token[] {
  const problems: string[] = [];
  const tokens: Token[] = [];
  for (const [i, entry] of entriesOf(text).entries()) {
    const token = parseToken(entry.trim(), i + 1, problems);
    if (token !== undefined) tokens.push(token);
  }
  for (const [i, token] of tokens.entries()) {
    const earlier = tokens.slice(0, i);
    if (earlier.some(({ name }) => name === token.name))
      problems.push(`the name ${token.name} is used twice`);
    if (earlier.some((other) => digestOf(other).equals(digestOf(token))))
      problems.push(`the secret of ${token.name} is that of another entry`);
  }
  if (problems.length > 0) throw new TokenProblems(problems, source);
  return tokens;
}

/** At least one, if only an empty one. */
function entriesOf(text: string): readonly string[] {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  return lines.length === 0 ? [''] : lines.flatMap((line) => line.split(','));
}

function parseToken(entry: string, number: number, problems: string[]): Token | undefined {
  const written = entry.split(':');
  const isHashed = written[2] === HASHED;
  // The hash in the place of the secret.
  const parts = isHashed ? written.toSpliced(2, 1) : written;
  const [name = '', role = '', secret = '', tenant] = parts;
  const place = `entry ${number}${isNamed(IDENTIFIER, name) && parts.length > 1 ? ` (${name})` : ''}`;
  if (parts.length < 3 || parts.length > 4) {
    problems.push(`${place}: has ${parts.length} of the parts name:role:secret[:tenant]`);
    return undefined;
  }
  const before = problems.length;
  if (!isNamed(IDENTIFIER, name)) problems.push(`${place}: the name must be ${IDENTIFIER.accepted}`);
  if (OWN_ACTORS.has(name))
    problems.push(`${place}: the name is what Lanewise itself is called in events; take another`);
  if (!isRole(role)) problems.push(`${place}: the role must be one of ${ROLES.join(', ')}`);
  if (isHashed && !HASH.test(secret))
    problems.push(`${place}: ${HASHED}: must be followed by the 64 hexadecimal digits of a SHA-256`);
  if (!/^[\x21-\x7e]+$/.test(secret))
    problems.push(`${place}: the secret must be visible ASCII characters without spaces, : or ,`);
  if (tenant !== undefined && !isNamed(IDENTIFIER, tenant))
    problems.push(`${place}: the tenant must be ${IDENTIFIER.accepted}`);
  if (problems.length > before || !isRole(role)) return undefined;
  return {
    name,
    role,
    ...(isHashed ? { sha256: secret.toLowerCase() } : { secret }),
    ...(tenant !== undefined && { tenant }),
  };
}
