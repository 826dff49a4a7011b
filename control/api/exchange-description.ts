import type { OpenAPIHono } from '@hono/zod-openapi';

/**
 * What middleware adds to requests and answers, so no route says it: request ids, rate limits, preconditions,
 * idempotency keys. Written into the finished document, each by a rule that is the middleware's own.
 */

export type OpenApiDocument = ReturnType<OpenAPIHono['getOpenAPI31Document']>;
type PathItem = NonNullable<OpenApiDocument['paths']>[string];
type Operation = NonNullable<PathItem['get']>;

const METHODS = ['get', 'put', 'post', 'delete'] as const;
type Method = (typeof METHODS)[number];

const HEADERS = {
  'X-Request-Id': {
    description: 'Of this request, as in the log.',
    required: true,
    schema: { type: 'string' as const },
    example: '6f1c3c52-98b3-4ad6-9d43-5c3b3d8f1e6a',
  },
  'X-RateLimit-Limit': {
    description: 'Requests a minute.',
    schema: { type: 'integer' as const },
    example: 100,
  },
  'X-RateLimit-Remaining': {
    description: 'Requests that may follow at once.',
    schema: { type: 'integer' as const },
    example: 19,
  },
  'X-RateLimit-Reset': {
    description: 'The Unix second at which nothing is used up any more.',
    schema: { type: 'integer' as const },
    example: 1757853900,
  },
  'Retry-After': {
    description: 'Seconds to wait before asking again.',
    schema: { type: 'integer' as const },
    example: 1,
  },
  ETag: {
    description: "The deployment's version, for `If-Match`.",
    required: true,
    schema: { type: 'string' as const },
    example: '"7"',
  },
  'Idempotency-Replayed': {
    description: 'Present where this is the answer of an earlier request with the same key.',
    schema: { type: 'string' as const, enum: ['true'] },
    example: 'true',
  },
};
type HeaderName = keyof typeof HEADERS;

const PARAMETERS = {
  RequestId: {
    name: 'X-Request-Id',
    in: 'header' as const,
    description: 'Id of the request for the log and the answer; made if left out.',
    schema: { type: 'string' as const },
    example: 'deploy-1234',
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header' as const,
    description: 'The same key again gets the same answer for 24 hours, and nothing is done twice.',
    schema: { type: 'string' as const, pattern: '^[\\x21-\\x7e]{1,255}$' },
    example: 'f3b2a1c0-8c1e-4f53-9a0b-7d1f2f6e5a44',
  },
  IfMatch: {
    name: 'If-Match',
    in: 'header' as const,
    description: 'The `ETag` that the deployment must still have.',
    schema: { type: 'string' as const },
    example: '"7"',
  },
};
type ParameterName = keyof typeof PARAMETERS;

/** @param basePath what is limited, and takes keys and preconditions, is under it */
export function describeExchange(document: OpenApiDocument, basePath: string): OpenApiDocument {
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS) {
      const operation = item[method];
      if (operation !== undefined) describeOperation(operation, method, path, basePath);
    }
  }
  const { components } = document;
  document.components = { ...components, headers: HEADERS, parameters: PARAMETERS };
  return document;
}

function describeOperation(operation: Operation, method: Method, path: string, basePath: string): void {
  const isApi = path.startsWith(`${basePath}/`);
  operation.parameters = [
    ...(operation.parameters ?? []),
    ...parametersOf(method, path, isApi).map((name) => ({ $ref: `#/components/parameters/${name}` })),
  ];
  for (const [status, response] of Object.entries(operation.responses ?? {})) {
    const names = headersOf(method, path.slice(basePath.length), Number(status), isApi);
    (response as { headers?: object }).headers = Object.fromEntries(
      names.map((name) => [name, { $ref: `#/components/headers/${name}` }]),
    );
  }
}

function parametersOf(method: Method, path: string, isApi: boolean): readonly ParameterName[] {
  const names: ParameterName[] = ['RequestId'];
  if (isApi && method === 'post') names.push('IdempotencyKey');
  if (isApi && method !== 'get' && path.includes('/deployments/{id}')) names.push('IfMatch');
  return names;
}

/** Those that read something else of a deployment than the deployment. */
const NOT_THE_DEPLOYMENT = /^\/deployments\/\{id\}\/(?:events|health|metrics|metrics\/history)$/;

function headersOf(method: Method, path: string, status: number, isApi: boolean): readonly HeaderName[] {
  const names: HeaderName[] = ['X-Request-Id'];
  if (isApi) names.push('X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset');
  if (isApi && method === 'post') names.push('Idempotency-Replayed');
  const isOneDeployment = path.startsWith('/deployments/{id}')
    ? !NOT_THE_DEPLOYMENT.test(path)
    : path === '/deployments' && method === 'post';
  if (isApi && isOneDeployment && (status === 200 || status === 201)) names.push('ETag');
  // RATE_LIMITED, REQUEST_IN_PROGRESS, STORE_UNAVAILABLE.
  if (status === 429 || status === 503 || (status === 409 && method === 'post')) names.push('Retry-After');
  return names;
}
