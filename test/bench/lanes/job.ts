/** The job that all systems of the measurement get: 500 bytes of JSON, which say when it was sent. */

export const QUEUE = 'jobs';
export const JOB_BYTES = 500;
export const CONCURRENCY = 100;
/** Of the workers of either lane, at a canary of a tenth. */
export const CANARY_PERCENT = 10;
export const CONCURRENCY_OF = { stable: 90, canary: 10 } as const;
export const BATCH_JOBS = 500;

/** Milliseconds of a clock that all processes of a machine share. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function jobBody(sentAt: number): string {
  const start = `{"sentAt":${sentAt.toFixed(3)},"pad":"`;
  return `${start.padEnd(JOB_BYTES - 2, 'x')}"}`;
}

export function sentAtOf(body: string): number {
  return Number(body.slice('{"sentAt":'.length, body.indexOf(',')));
}

export function jobId(number: number): string {
  return `order-${number}`;
}
