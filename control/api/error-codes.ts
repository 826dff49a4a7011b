import { ERROR_STATUS, type ErrorCode } from '../../src/core/errors.ts';

/** When the control API answers with which code. */
export const ERROR_MEANINGS = {
  INVALID_PERCENTAGE: '`percentage` is not a number from 0 to 100 with at most two decimals',
  VALIDATION_FAILED: 'anything else in the request is not valid; `details` names every bad field',
  DEPLOYMENT_NOT_ACTIVE: "the deployment's status does not allow the action",
  UNAUTHORIZED: 'no token, or one that is not known',
  FORBIDDEN: "the token's role or tenant does not allow it",
  DEPLOYMENT_NOT_FOUND: 'no deployment has the id',
  WORKER_NOT_FOUND: 'no worker has the id',
  NOT_FOUND: 'no such path',
  METHOD_NOT_ALLOWED: 'the path has other methods; `Allow` lists them',
  DEPLOYMENT_EXISTS: 'the queue (and tenant) has a deployment that has not ended',
  DEPLOYMENT_ACTIVE: 'only a deployment that has ended can be deleted',
  REQUEST_IN_PROGRESS: 'another request with the same `Idempotency-Key` has not been answered yet; ask again',
  PRECONDITION_FAILED: 'the deployment has another `ETag` than `If-Match` says',
  PAYLOAD_TOO_LARGE: 'the body is over 1 MiB',
  CONCURRENCY_LIMIT: '`max_active_deployments` are open already',
  RATE_LIMITED: 'too many requests with the token, or from the address; `Retry-After` says when to come back',
  CONNECTION_LIMIT: '`max_event_streams` are open on this instance already; try again, or another instance',
  QUEUE_UNAVAILABLE:
    'something else has the keys of the queue, or it cannot be on this Redis; `error` says which',
  INTERNAL: 'our fault; the log has the details, under the `X-Request-Id`',
  STORE_UNAVAILABLE: 'the store does not answer; nothing was changed, or it is not known',
} as const satisfies Partial<Record<ErrorCode, string>>;

/** As a Markdown table. */
export function errorTable(): string {
  const rows = Object.entries(ERROR_MEANINGS).map(
    ([code, meaning]) => `| \`${code}\` | ${ERROR_STATUS[code as ErrorCode]} | ${meaning} |`,
  );
  return ['| code | status | when |', '| --- | --- | --- |', ...rows].join('\n');
}
