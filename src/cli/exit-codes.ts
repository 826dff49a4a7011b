import { CommanderError } from 'commander';
import { ApiError, UnreachableError } from '../client/errors.ts';

/** How a command ended, for scripts. */
export const EXIT = { done: 0, failed: 1, usage: 2, notFound: 3, refused: 4, unreachable: 5 } as const;

export const EXIT_MEANINGS: readonly (readonly [number, string])[] = [
  [EXIT.done, 'done'],
  [EXIT.failed, 'failed, or what was checked is not well'],
  [EXIT.usage, 'not understood: an option, an argument or a field is wrong, or nobody could be asked'],
  [EXIT.notFound, 'no such deployment, worker or queue'],
  [EXIT.refused, 'refused: credentials, or the state of things forbids it'],
  [EXIT.unreachable, 'the control plane or its store did not answer, or asks to try again later'],
];

/** What the command line was told wrongly, beyond what commander checks. */
export class UsageError extends Error {}
/** What was named is not there. */
export class NotFoundError extends Error {}
/** The user said no. */
export class DeclinedError extends Error {}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof NotFoundError) return EXIT.notFound;
  if (error instanceof DeclinedError) return EXIT.refused;
  if (error instanceof UnreachableError) return EXIT.unreachable;
  return error instanceof ApiError ? exitCodeOfAnswer(error) : EXIT.failed;
}

function exitCodeOfAnswer({ status, code }: ApiError): number {
  if (status === 404) return EXIT.notFound;
  if (status === 503 || status === 429) return EXIT.unreachable;
  if (status >= 500) return EXIT.failed;
  return status === 400 && code !== 'DEPLOYMENT_NOT_ACTIVE' ? EXIT.usage : EXIT.refused;
}
