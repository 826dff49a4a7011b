import type { QueueJob } from '../../src/core/queue-job.ts';
import type { ForwardRequest } from '../forwarder.ts';
import { headerKind } from '../header-names.ts';

/**
 * What goes to any worker of a job that waited in a lane: what its producer sent, as hash_ring would have passed it on.
 * The envelope may have been written by somebody else, so that what is between neighbours only, or ours to set, is
 * dropped here as well.
 */
export function requestOf(job: QueueJob, queue: string): ForwardRequest {
  const headers: string[] = [];
  for (const [name, value] of Object.entries(job.headers)) if (isPassed(name, job)) headers.push(name, value);
  if (job.trace !== undefined) {
    headers.push('traceparent', job.trace.traceparent);
    if (job.trace.tracestate !== undefined) headers.push('tracestate', job.trace.tracestate);
  }
  headers.push('X-Job-Id', job.id, 'X-Canary-Queue', queue);
  const { body } = job;
  return {
    method: job.method ?? 'POST',
    path: job.path ?? '',
    headers,
    body: body.length === 0 ? null : Buffer.from(body.buffer, body.byteOffset, body.byteLength),
  };
}

function isPassed(name: string, { trace }: QueueJob): boolean {
  switch (headerKind(name)) {
    case 'drop':
    case 'connection':
    case 'host':
    // Of the body as it lies here.
    case 'content-length':
    case 'expect':
    case 'transfer-encoding':
    case 'job-id':
    case 'lane':
      return false;
    default:
      return trace === undefined || !/^trace(?:parent|state)$/i.test(name);
  }
}
