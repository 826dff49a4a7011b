import { z } from '@hono/zod-openapi';
import { ERROR_STATUS, type ErrorCode } from '../../src/core/errors.ts';

/** The parts of a route's description that all routes share. */

const errorSchema = z
  .object({
    error: z.string().openapi({ description: 'What went wrong, for people.' }),
    code: z.enum(Object.keys(ERROR_STATUS) as [ErrorCode, ...ErrorCode[]]),
    details: z.record(z.string(), z.string()).openapi({ description: 'Field → what is wrong with it.' }),
  })
  .openapi('Error');

/** An example of each error that the control API answers with. */
const EXAMPLES: Readonly<Partial<Record<ErrorCode, { error: string; details: Record<string, string> }>>> = {
  DEPLOYMENT_NOT_FOUND: {
    error: 'There is no such deployment',
    details: { id: 'is not the id of a deployment' },
  },
  DEPLOYMENT_EXISTS: {
    error: 'payment-processing has a deployment that has not ended',
    details: {
      queue_name: 'is taken by canary_123e4567-e89b-12d3-a456-426614174000; promote it or roll it back first',
    },
  },
  INVALID_PERCENTAGE: {
    error:
      'The request is not valid: percentage must be a number from 0 to 100 with at most two decimals, got 150',
    details: { percentage: 'must be a number from 0 to 100 with at most two decimals, got 150' },
  },
  VALIDATION_FAILED: {
    error: 'The request is not valid: status must be one of healthy, degraded, got "well"',
    details: { status: 'must be one of healthy, degraded, got "well"' },
  },
  CONCURRENCY_LIMIT: {
    error: '1000 deployments are active already',
    details: { deployments: 'at most 1000 may be active; end one first' },
  },
  DEPLOYMENT_NOT_ACTIVE: {
    error: 'Cannot promote a deployment that is completed',
    details: { status: 'completed deployments have ended; nothing more can be done to them but delete' },
  },
  DEPLOYMENT_ACTIVE: {
    error: 'A deployment that is active cannot be deleted',
    details: { status: 'must be completed or failed, is active; promote or roll back first' },
  },
  UNAUTHORIZED: {
    error: 'A token is needed',
    details: { authorization: 'is required: Authorization: Bearer <token>, or X-API-Key: <key>' },
  },
  FORBIDDEN: {
    error: 'grafana is a viewer and may not do this',
    details: { role: 'must be one of operator, admin, is viewer' },
  },
  WORKER_NOT_FOUND: {
    error: 'There is no such worker',
    details: { id: 'is not the id of a registered worker' },
  },
  PAYLOAD_TOO_LARGE: {
    error: 'The request body is larger than 1048576 bytes (1 MiB)',
    details: { body: 'must be at most 1048576 bytes' },
  },
  RATE_LIMITED: {
    error: 'Too many requests; try again in 1 s',
    details: { rate_limit: 'at most 100 requests a minute, and 20 at once, are taken for this token' },
  },
  REQUEST_IN_PROGRESS: {
    error: 'The request with this key has not been answered yet',
    details: { 'Idempotency-Key': 'belongs to a request that is under way; ask again for its answer' },
  },
  PRECONDITION_FAILED: {
    error: 'The deployment has moved on',
    details: { 'If-Match': 'must be "7", which is the deployment\'s ETag now, got "5"' },
  },
  CONNECTION_LIMIT: {
    error: 'This instance has no room for another event stream',
    details: { connections: 'at most 10000 at once; try again, or another instance' },
  },
  QUEUE_UNAVAILABLE: {
    error:
      'the Redis key "payments" holds a string where the queue needs a list: move it away, or give the queue another name',
    details: {},
  },
  INTERNAL: { error: 'Something went wrong on our side; the log has the details', details: {} },
  STORE_UNAVAILABLE: { error: 'The store cannot be reached', details: {} },
};

interface ErrorAnswer {
  description: string;
  content: {
    'application/json': { schema: typeof errorSchema; examples: Record<string, { value: unknown }> };
  };
}

type ErrorAnswers<C extends ErrorCode> = Record<(typeof ERROR_STATUS)[C], ErrorAnswer>;

/** The error responses of a route, by status, with an example for each code. */
export function errorAnswers<const C extends ErrorCode>(...codes: readonly C[]): ErrorAnswers<C> {
  const answers: Record<number, ErrorAnswer> = {};
  for (const code of codes) {
    const answer = (answers[ERROR_STATUS[code]] ??= {
      description: '',
      content: { 'application/json': { schema: errorSchema, examples: {} } },
    });
    answer.description += answer.description === '' ? code : `, ${code}`;
    answer.content['application/json'].examples[code] = { value: { code, ...EXAMPLES[code] } };
  }
  return answers;
}

/** What every route behind authentication may answer. */
export const COMMON_ERRORS = [
  'UNAUTHORIZED',
  'FORBIDDEN',
  'RATE_LIMITED',
  'INTERNAL',
  'STORE_UNAVAILABLE',
] as const;

/** What every route that takes a body may answer. */
export const BODY_ERRORS = ['VALIDATION_FAILED', 'PAYLOAD_TOO_LARGE'] as const;

/** What every POST may answer; see `http/idempotency.ts`. */
export const POST_ERRORS = [...BODY_ERRORS, 'REQUEST_IN_PROGRESS'] as const;

/** Both methods of authentication, either will do. */
export const SECURITY = [{ bearer: [] }, { apiKey: [] }];

export function json<S extends z.ZodType>(description: string, schema: S, example?: z.input<S>) {
  return {
    description,
    content: { 'application/json': { schema, ...(example !== undefined && { example }) } },
  };
}

export function body<S extends z.ZodType>(schema: S, example: unknown, required = true) {
  return { required, content: { 'application/json': { schema, example } } };
}
