import { HTTPException } from 'hono/http-exception';
import type { Context, ErrorHandler } from 'hono';
import { LanewiseError } from '../../src/core/errors.ts';
import type { Logger } from '../../src/runtime/log.ts';

/** A caller whose request the store could not serve may well try again. */
const STORE_RETRY_AFTER_SECONDS = 1;

/** Every error leaves as the documented body; what nobody foresaw leaves without a detail and is logged. */
export function createErrorHandler(log: Logger): ErrorHandler {
  return (error, c) => {
    const known = toLanewiseError(error);
    if (known.code === 'INTERNAL') {
      log.error({ err: error, method: c.req.method, path: c.req.path }, 'a request failed unexpectedly');
    }
    return errorResponse(c, known);
  };
}

export function errorResponse(c: Context, error: LanewiseError): Response {
  const retryAfter =
    error.retryAfterSeconds ?? (error.code === 'STORE_UNAVAILABLE' ? STORE_RETRY_AFTER_SECONDS : undefined);
  if (retryAfter !== undefined) c.header('Retry-After', String(retryAfter));
  if (error.code === 'UNAUTHORIZED') c.header('WWW-Authenticate', 'Bearer realm="lanewise"');
  return c.json(error.body, error.status);
}

function toLanewiseError(error: unknown): LanewiseError {
  if (error instanceof LanewiseError) return error;
  // Thrown by the validators of the framework, before a schema could speak.
  if (error instanceof HTTPException && error.status < 500) {
    const field = error.status === 415 ? 'content-type' : 'body';
    return new LanewiseError('VALIDATION_FAILED', 'The request is not valid', {
      details: { [field]: error.status === 415 ? 'must be application/json' : error.message },
    });
  }
  return new LanewiseError('INTERNAL', 'Something went wrong on our side; the log has the details');
}
