import { isUtf8 } from 'node:buffer';
import type { Lane } from '../src/core/lane.ts';
import type { QueueJob, TraceContext } from '../src/core/queue-job.ts';
import { headerKind } from './header-names.ts';
import type { JobHeaders } from './job.ts';
import { traceContextOf, withoutTrace } from './trace-headers.ts';
import { jobToWorker, type Hop } from './worker-headers.ts';

/** A job on its way into a lane, before it is known into which. */
export interface JobDraft {
  readonly id: string;
  readonly tenant: string | undefined;
  /** What the lane is decided by: the sticky key, or the id. */
  readonly key: string;
  /** The lane that the producer asks for. */
  readonly override: Lane | undefined;
  /** What is stored, whichever lane it is. */
  readonly content: Pick<QueueJob, 'method' | 'path' | 'headers' | 'trace' | 'body'>;
}

export interface DraftSource {
  readonly queue: string;
  readonly job: JobHeaders;
  readonly jobId: string;
  readonly method: string;
  /** Empty, or beginning with `/` or `?`. */
  readonly path: string;
  readonly body: Uint8Array;
  readonly hop: Hop;
  /** Where the job has none of its own. */
  readonly trace?: TraceContext | undefined;
}

export function draftOf({ queue, job, jobId, method, path, body, hop, trace }: DraftSource): JobDraft {
  const flat = jobToWorker(job, jobId, queue, hop);
  const own = traceContextOf(job.passed);
  const headers = storedHeaders(own === undefined ? flat : withoutTrace(flat));
  const context = own ?? trace;
  return {
    id: jobId,
    tenant: job.tenant,
    key: job.stickyKey ?? jobId,
    override: job.lane,
    content: {
      // The defaults of a stored job, which need not lie in Redis a million times.
      ...(method !== 'POST' && { method }),
      ...(path !== '' && { path }),
      headers,
      ...(context !== undefined && { trace: context }),
      body,
    },
  };
}

/**
 * What a worker would get with hash_ring, without what is said anew when the job is handed out: its id, queue and lane,
 * the length of the body.
 */
function storedHeaders(flat: readonly string[]): Readonly<Record<string, string>> {
  const byName = new Map<string, [name: string, value: string]>();
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!;
    const kind = headerKind(name);
    if (kind === 'job-id' || kind === 'content-length' || kind === 'drop') continue;
    const key = name.toLowerCase();
    const before = byName.get(key);
    if (before === undefined) byName.set(key, [name, flat[i + 1]!]);
    // RFC 9110 §5.3, and RFC 9113 §8.2.3 for the one that has its own separator.
    else before[1] += (key === 'cookie' ? '; ' : ', ') + flat[i + 1]!;
  }
  return Object.fromEntries(byName.values());
}

/** An id as its producer reads it, from the bytes that came in a header. */
export function textOfId(id: string): string {
  if (/^[\x20-\x7e]*$/.test(id)) return id;
  const bytes = Buffer.from(id, 'latin1');
  return isUtf8(bytes) ? bytes.toString() : id;
}
