import type { ServerResponse } from 'node:http';
import type { LanewiseError } from '../src/core/errors.ts';

/** An answer that the proxy makes itself: the document's error body, and a header that tells it from a worker's. */
export function replyLocally(
  response: ServerResponse,
  error: LanewiseError,
  jobId: string | undefined,
  closeConnection: boolean,
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
  if (closeConnection) headers.push('Connection', 'close');
  response.writeHead(error.status, headers);
  response.end(body);
}
