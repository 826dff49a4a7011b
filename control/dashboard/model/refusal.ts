import { ApiError, UnreachableError } from '../../../src/client/errors.ts';

/** What went wrong, in the API's own words. */
export interface Refusal {
  readonly message: string;
  readonly code: string | undefined;
  /** Field → what is wrong with it. */
  readonly details: Readonly<Record<string, string>>;
  readonly retryAfterSeconds: number | undefined;
}

export function refusalFrom(error: unknown): Refusal {
  if (error instanceof ApiError) {
    const { message, code, details, retryAfterSeconds } = error;
    return { message, code, details, retryAfterSeconds };
  }
  const message =
    error instanceof UnreachableError
      ? 'The control plane does not answer.'
      : error instanceof Error
        ? error.message
        : String(error);
  return { message, code: undefined, details: {}, retryAfterSeconds: undefined };
}

/** The details that belong to no field of a form, so that none gets lost. */
export function otherDetails({ details }: Refusal, fields: ReadonlySet<string>): readonly string[] {
  return Object.entries(details)
    .filter(([field]) => !fields.has(field.split('.')[0]!))
    .map(([field, problem]) => `${field} ${problem}`);
}
