import { Job } from 'bullmq';
import { array, assert as assertProperty, constantFrom, json, oneof, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bullmqHeaderProblem,
  bullmqOptionsProblem,
  fromBullmqId,
  toBullmqId,
  toBullmqJob,
} from '../../src/core/bullmq-job.ts';
import { bullmqNameOf } from '../../src/core/lane-keys.ts';
import { JOB_KEY } from '../../src/core/names.ts';
import type { QueueJob } from '../../src/core/queue-job.ts';

const JOB: QueueJob = {
  id: 'a-1',
  key: 'k',
  headers: {},
  attempt: 1,
  lane: 'stable',
  version: 'v1',
  enqueuedAt: 1_700_000_000_000,
  body: Buffer.from('{}'),
  history: [],
};

/** Bytes, as they come in a header: any that `JOB_KEY` takes, and those that BullMQ would stumble over. */
const jobId = oneof(
  array(constantFrom(...Array.from('ab1%:-é\u00ff\u00c3\u00a9 _0A')), { minLength: 1, maxLength: 8 }).map(
    (chars) => chars.join(''),
  ),
  constantFrom('meta', 'wait', 'id', '12', '0', '-3', 'NaN', '0:1', 'a:b:c', '%31', '%3131', '1e21'),
);

describe('the id of a job in BullMQ', () => {
  it('is taken by BullMQ, is none of its own keys, and comes from one id alone', () => {
    const validate = Job.prototype as unknown as { validateOptions(data: object): void };
    assertProperty(
      property(jobId, jobId, (a, b) => {
        expect(a).toMatch(JOB_KEY.pattern);
        const id = toBullmqId(a);
        expect(() => validate.validateOptions.call({ opts: { jobId: id } }, {})).not.toThrow();
        expect(id).not.toMatch(/^[a-z-]+$|:/);
        expect(fromBullmqId(id)).toBe(a);
        expect(id === toBullmqId(b)).toBe(a === b);
      }),
    );
  });

  it('is the id itself where BullMQ takes it, and text where that is UTF-8', () => {
    expect(toBullmqId('0198f5a2-aaaa-7bbb-8ccc-1234567890ab')).toBe('0198f5a2-aaaa-7bbb-8ccc-1234567890ab');
    expect(toBullmqId('order-7')).toBe('order-7');
    expect(toBullmqId('order:7')).toBe('order%3A7');
    expect(toBullmqId('42')).toBe('%342');
    expect(toBullmqId('meta')).toBe('%6Deta');
    expect(toBullmqId(Buffer.from('größe-1').toString('latin1'))).toBe('größe-1');
  });
});

describe('a job for BullMQ', () => {
  it.each([
    [undefined, 'payments'],
    ['', 'payments'],
    ['?a=/b', 'payments'],
    ['/', 'payments'],
    ['/charge', 'charge'],
    ['/v1/charge/?dry=1/2', 'charge'],
    ['/two%20words', 'two words'],
    ['/%zz', '%zz'],
  ])('with the path %s is called %s', (path, name) => {
    expect(toBullmqJob({ ...JOB, ...(path !== undefined && { path }) }, 'payments').name).toBe(name);
  });

  it('has any JSON as it is', () => {
    assertProperty(
      property(json(), (text) => {
        const { data } = toBullmqJob({ ...JOB, body: Buffer.from(text) }, 'payments');
        expect(data).toEqual(JSON.parse(text));
      }),
    );
  });

  it('has options that were checked', () => {
    const defaults = { attempts: 2, delay: 5 };
    const headers = { 'X-BULLMQ-options': '{"delay":7}' };
    expect(bullmqHeaderProblem(headers)).toBeUndefined();
    expect(toBullmqJob({ ...JOB, headers }, 'payments', defaults).opts).toEqual({
      attempts: 2,
      delay: 7,
      jobId: 'a-1',
      timestamp: JOB.enqueuedAt,
    });
    expect(bullmqHeaderProblem({})).toBeUndefined();
    expect(bullmqHeaderProblem({ 'x-bullmq-options': 'attempts=3' })).toMatch(/^must be JSON, such as/);
  });

  it.each<[unknown, RegExp]>([
    [[], /^must be an object of attempts, backoff, /],
    [{ jobId: 'x' }, /^has the unknown option jobId; those are attempts, /],
    [{ lifo: true }, /^has the unknown option lifo/],
    [{ attempts: 0 }, /^has a bad attempts: it must be a whole number from 1$/],
    [{ delay: -1 }, /^has a bad delay/],
    [{ delay: 1e15 }, /up to ten years/],
    [{ priority: 3_000_000 }, /from 0 to 2097151/],
    [{ backoff: { delay: 5 } }, /^has a bad backoff/],
    [{ backoff: { type: 'fixed', every: 1 } }, /^has a bad backoff/],
    [{ removeOnComplete: { count: 5 } }, /^has a bad removeOnComplete/],
    [{ constructor: 1 }, /unknown option constructor/],
  ])('can not have the options %j', (options, problem) => {
    expect(bullmqOptionsProblem(options)).toMatch(problem);
  });

  it.each([
    {},
    { attempts: 3, backoff: 1000, delay: 0, priority: 1, keepLogs: 10, stackTraceLimit: 0 },
    { backoff: { type: 'exponential', delay: 5, jitter: 0.5 }, removeOnComplete: true },
    { removeOnComplete: { age: 3600, count: 10 }, removeOnFail: 100 },
  ])('may have the options %j', (options) => {
    expect(bullmqOptionsProblem(options)).toBeUndefined();
  });

  it('is in the queue of its lane', () => {
    const queue = { name: '{payments}', kind: 'list' } as const;
    expect(bullmqNameOf(queue, 'stable')).toBe('{payments}');
    expect(bullmqNameOf(queue, 'canary')).toBe('{payments}@canary');
  });
});
