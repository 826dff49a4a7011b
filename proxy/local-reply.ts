import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LanewiseError } from '../src/core/errors.ts';
import { endAfter } from './linger.ts';

/** An answer that the proxy makes itself: the document's error body, and a header that tells it from a worker's. */
export function replyLocally(
  request: IncomingMessage,
  response: ServerResponse,
  error: LanewiseError,
  jobId: string | undefined,
): void {
  const body = Buffer.from(JSON.stringify(error.body));
  const headers = [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(body.length),
    'X-Canary-Error',
    error.code,
  ];
  if (error.retryAfterSeconds !== undefined) headers.push('Retry-After', String(error.retryAfterSeconds));
  if (jobId !== undefined) headers.push('X-Job-Id', jobId);
  // Nobody reads the rest of it, so that nobody knows where the next request begins.
  if (!request.complete) headers.push('Connection', 'close');
  response.writeHead(error.status, headers);
  endAfter(request, response, body);
}
