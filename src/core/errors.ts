/**
 * Every error code of the product and the HTTP status it is answered with. Both planes answer with the same body,
 * `{error, code, details}`.
 */
export const ERROR_STATUS = {
  // Control API
  DEPLOYMENT_NOT_FOUND: 404,
  DEPLOYMENT_EXISTS: 409,
  INVALID_PERCENTAGE: 400,
  VALIDATION_FAILED: 400,
  CONCURRENCY_LIMIT: 429,
  DEPLOYMENT_NOT_ACTIVE: 400,
  DEPLOYMENT_ACTIVE: 409,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  WORKER_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_IN_PROGRESS: 409,
  PRECONDITION_FAILED: 412,
  PAYLOAD_TOO_LARGE: 413,
  RATE_LIMITED: 429,
  CONNECTION_LIMIT: 503,
  // Of the dispatch API too.
  QUEUE_UNAVAILABLE: 503,
  STORE_UNAVAILABLE: 503,
  INTERNAL: 500,
  // Dispatch API. Never 404: dispatchers such as Dapr drop the job on it.
  INVALID_DISPATCH: 400,
  NO_WORKER_AVAILABLE: 503,
  WORKER_UNREACHABLE: 503,
  WORKER_TIMEOUT: 504,
  WORKER_FAILED: 502,
  PROXY_OVERLOADED: 503,
  LOOP_DETECTED: 508,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

/** Field (as the caller wrote it) → what is wrong with it. */
export type ErrorDetails = Readonly<Record<string, string>>;

export interface ErrorBody {
  readonly error: string;
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
}

interface LanewiseErrorOptions {
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
  /** Sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
}

/** An error that a caller may see: its message quotes the value, the place and the accepted range. */
export class LanewiseError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: LanewiseErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LanewiseError';
    this.code = code;
    this.details = options.details ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): (typeof ERROR_STATUS)[ErrorCode] {
    return ERROR_STATUS[this.code];
  }

  get body(): ErrorBody {
    return { error: this.message, code: this.code, details: this.details };
  }
}
