import type { Context } from 'hono';
import { LanewiseError } from '../../src/core/errors.ts';
import { quote, requestError } from './problems.ts';

/**
 * `If-Match` (RFC 9110, section 13.1.1): a change that was thought out for one version of a deployment is not made to
 * another. The entity tag of a deployment is its version, which every write raises.
 */

interface Versioned {
  readonly version: number;
}

export function etagOf({ version }: Versioned): string {
  return `"${version}"`;
}

// A tag is quoted; W/ marks a weak one, which If-Match never matches.
const TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/.source;
const TAGS = new RegExp(`^[ \\t]*${TAG}(?:[ \\t]*,[ \\t]*${TAG})*[ \\t]*$`);

/**
 * The check that a request's `If-Match` asks for; none without one, or with `*`.
 * @throws VALIDATION_FAILED at once for a header that is not one; the check throws PRECONDITION_FAILED
 */
export function ifMatch(c: Context): (current: Versioned) => void {
  const header = c.req.header('if-match');
  if (header === undefined || header.trim() === '*') return () => {};
  if (!TAGS.test(header)) {
    throw requestError({
      'If-Match': `must be the ETag of an answer, such as "3" with its quotes, or *, got ${quote(header)}`,
    });
  }
  const tags = new Set(header.split(',').map((tag) => tag.trim()));
  return (current) => {
    const now = etagOf(current);
    if (tags.has(now)) return;
    throw new LanewiseError('PRECONDITION_FAILED', 'The deployment has moved on', {
      details: { 'If-Match': `must be ${now}, which is the deployment's ETag now, got ${header.trim()}` },
    });
  };
}
