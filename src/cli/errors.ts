import { ConfigError } from '../../config/load.ts';
import { TokenProblems } from '../../control/credentials.ts';
import { LanewiseError } from '../core/errors.ts';
import { OperatorError } from '../runtime/operator-error.ts';

const EXPECTED = [OperatorError, ConfigError, TokenProblems, LanewiseError];

export function describeFailure(error: unknown): string {
  if (EXPECTED.some((kind) => error instanceof kind)) return `lanewise: ${(error as Error).message}`;
  return `lanewise: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
