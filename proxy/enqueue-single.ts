import { draftOf, textOfId } from './enqueue-draft.ts';
import type { EnqueueForm } from './enqueue-request.ts';
import type { Arrival } from './running.ts';
import type { Hop } from './worker-headers.ts';

/** `ANY /dispatch/{queue}/{path…}?query`: the request is the job. */
export function singleForm(
  { target: { queue, rest }, job, jobId }: Arrival,
  method: string,
  hop: Hop,
  bodyBytesMax: number,
): EnqueueForm {
  return {
    queue,
    head: job,
    jobId,
    isBatch: false,
    bodyBytesMax,
    draftsOf: (body) => [draftOf({ queue, job, jobId, method, path: rest, body, hop })],
    answerOf({ strategy, jobs }) {
      const { lane, version, deploymentId, duplicate } = jobs[0]!;
      const headers = ['X-Job-Id', jobId, 'X-Canary-Lane', lane];
      if (version !== '') headers.push('X-Canary-Version', version);
      if (deploymentId !== undefined) headers.push('X-Canary-Deployment', deploymentId);
      return {
        headers,
        body: { job_id: textOfId(jobId), queue, lane, version, strategy, ...(duplicate && { duplicate }) },
      };
    },
  };
}
