import { describe, expect, test } from 'vitest';
import { ERROR_STATUS, LanewiseError, type ErrorCode } from '../../src/core/errors.ts';

/** The API document, section "Error Handling", and the design's tables of both APIs. */
const DOCUMENTED = {
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
  STORE_UNAVAILABLE: 503,
  INTERNAL: 500,
  INVALID_DISPATCH: 400,
  NO_WORKER_AVAILABLE: 503,
  WORKER_UNREACHABLE: 503,
  WORKER_TIMEOUT: 504,
  WORKER_FAILED: 502,
  PROXY_OVERLOADED: 503,
  QUEUE_UNAVAILABLE: 503,
} satisfies Partial<Record<ErrorCode, number>>;

describe('an error', () => {
  test('has the documented status for its code', () => {
    expect(ERROR_STATUS).toMatchObject(DOCUMENTED);
  });

  test('about a dispatch is never a 404: dispatchers such as Dapr drop the job on it', () => {
    const codes = Object.keys(ERROR_STATUS) as ErrorCode[];
    const dispatchCodes = codes.slice(codes.indexOf('INVALID_DISPATCH'));
    expect(dispatchCodes.filter((code) => ERROR_STATUS[code] === 404)).toEqual([]);
  });

  test('is answered with its message, code and details', () => {
    const error = new LanewiseError('VALIDATION_FAILED', 'Two fields are wrong', {
      details: { queue_name: 'must not be empty', percentage: 'must be at most 100, is 120' },
    });
    expect(error.status).toBe(400);
    expect(JSON.parse(JSON.stringify(error.body))).toEqual({
      error: 'Two fields are wrong',
      code: 'VALIDATION_FAILED',
      details: { queue_name: 'must not be empty', percentage: 'must be at most 100, is 120' },
    });
  });

  test('has empty details where there are none', () => {
    expect(new LanewiseError('NOT_FOUND', 'No such page').body.details).toEqual({});
  });

  test('keeps its cause to itself', () => {
    const cause = new Error('password wrong for redis://admin@10.0.0.1');
    const error = new LanewiseError('STORE_UNAVAILABLE', 'The store does not answer', {
      cause,
      retryAfterSeconds: 5,
    });
    expect(error.cause).toBe(cause);
    expect(error.retryAfterSeconds).toBe(5);
    expect(JSON.stringify(error.body)).not.toContain('redis');
    expect('cause' in new LanewiseError('INTERNAL', 'x')).toBe(false);
  });
});
