import { ConfigError } from '../../config/load.ts';
import { TokenProblems } from '../../control/credentials.ts';
import { LanewiseError } from '../core/errors.ts';
import { ListenError } from '../runtime/listen.ts';

/** What the operator can mend; its message is the whole story, a stack would only hide it. */
export class OperatorError extends Error {}

const EXPECTED = [OperatorError, ConfigError, TokenProblems, ListenError, LanewiseError];

export function describeFailure(error: unknown): string {
  if (EXPECTED.some((kind) => error instanceof kind)) return `lanewise: ${(error as Error).message}`;
  return `lanewise: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
