import { CommanderError } from 'commander';
import { ConfigError } from '../../config/load.ts';
import { TokenProblems } from '../../control/tokens.ts';
import { ApiError, UnreachableError } from '../client/errors.ts';
import { LanewiseError } from '../core/errors.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import { DeclinedError, NotFoundError, UsageError } from './exit-codes.ts';

const EXPECTED = [
  OperatorError,
  ConfigError,
  TokenProblems,
  LanewiseError,
  UnreachableError,
  UsageError,
  NotFoundError,
  DeclinedError,
];

/** @returns undefined where it has been said already */
export function describeFailure(error: unknown): string | undefined {
  if (error instanceof CommanderError) return undefined;
  if (error instanceof ApiError) return `lanewise: ${describeRefusal(error)}`;
  if (EXPECTED.some((kind) => error instanceof kind)) return `lanewise: ${(error as Error).message}`;
  return `lanewise: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

/** With the bad fields, each on its own line; and whom was asked, since another control plane may listen there. */
function describeRefusal({ message, code, details, url }: ApiError): string {
  const fields = Object.entries(details).map(([field, problem]) => `\n  ${field}: ${problem}`);
  const hint =
    code === 'UNAUTHORIZED'
      ? `\n${url} was asked, with the token of --token, else LANEWISE_TOKEN, else the file "token" in LANEWISE_DATA_DIR`
      : '';
  return `${message} (${code})${fields.join('')}${hint}`;
}
