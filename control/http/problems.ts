import { z } from '@hono/zod-openapi';
import { LanewiseError, type ErrorDetails } from '../../src/core/errors.ts';

/**
 * What is wrong with a request, in words: each schema says what it accepts once, and every way of missing it is
 * answered with the field, the value that came and that range.
 */

const QUOTE_LENGTH_MAX = 80;

/** A value as the caller sent it, short enough for a message. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > QUOTE_LENGTH_MAX ? `${text.slice(0, QUOTE_LENGTH_MAX)}…` : text;
}

/** The `error` of a schema: `accepted` completes "must be …". */
export function expecting(accepted: string) {
  return (issue: { readonly input?: unknown }): string =>
    issue.input === undefined
      ? `is required and must be ${accepted}`
      : `must be ${accepted}, got ${quote(issue.input)}`;
}

/** An object that refuses what it does not know, by name, and says what it does know. */
export function knownFields<Shape extends z.core.$ZodLooseShape>(shape: Shape, kind = 'field') {
  const known = Object.keys(shape);
  const hint =
    known.length === 0 ? `no ${kind}s are taken here` : `the ${kind}s taken here are ${known.join(', ')}`;
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? `is not a known ${kind}; ${hint}` : expecting('an object')(issue),
  });
}

/** `['queues', 0]` → `queues[0]`. */
function fieldName(path: readonly PropertyKey[], root: string): string {
  let name = '';
  for (const part of path) {
    if (typeof part === 'number') name += `[${part}]`;
    else name += name === '' ? String(part) : `.${String(part)}`;
  }
  return name === '' ? root : name;
}

/** All problems at once; of several with one field the first. */
export function detailsOf(issues: readonly z.core.$ZodIssue[], root: string): ErrorDetails {
  const details = new Map<string, string>();
  for (const issue of issues) {
    const fields =
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => fieldName([...issue.path, key], root))
        : [fieldName(issue.path, root)];
    for (const field of fields) {
      const name = field.slice(0, QUOTE_LENGTH_MAX);
      if (!details.has(name)) details.set(name, issue.message);
    }
  }
  return Object.fromEntries(details);
}

/** A bad `percentage` has a code of its own; everything else that is wrong with a request shares one. */
export function requestError(details: ErrorDetails): LanewiseError {
  const fields = Object.keys(details);
  const code = Object.hasOwn(details, 'percentage') ? 'INVALID_PERCENTAGE' : 'VALIDATION_FAILED';
  const field = code === 'INVALID_PERCENTAGE' ? 'percentage' : fields[0]!;
  const more =
    fields.length === 1
      ? ''
      : ` (and ${fields.length - 1} more: ${fields.filter((f) => f !== field).join(', ')})`;
  return new LanewiseError(code, `The request is not valid: ${field} ${details[field]}${more}`, { details });
}
