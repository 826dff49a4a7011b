import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENVELOPE_KINDS, type EnvelopeKind } from '../../src/core/lane-keys.ts';
import {
  AGE_MARK_BYTES,
  ATTEMPT_OUTCOMES,
  decodeJob,
  encodeJob,
  enqueuedAtOf,
  HISTORY_MAX,
  reviseJob,
  type JobAttempt,
  type QueueJob,
  type StoredJob,
} from '../../src/core/queue-job.ts';

const AROUND = { lane: 'stable', fallbackId: 'made-up' } as const;

const text = fc.string({ unit: 'binary', maxLength: 20 });
const moment = fc.nat({ max: 4_102_444_800_000 });

const attempts: fc.Arbitrary<JobAttempt> = fc.record(
  {
    at: moment,
    version: text,
    worker: text,
    outcome: fc.constantFrom(...ATTEMPT_OUTCOMES),
    status: fc.integer({ min: 100, max: 599 }),
    message: text,
  },
  { requiredKeys: ['at', 'version', 'outcome'] },
);

const body = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  text.map((t) => new Uint8Array(Buffer.from(t))),
);

const jobs: fc.Arbitrary<QueueJob> = fc.record(
  {
    id: text,
    key: text,
    tenant: text,
    method: text,
    path: text,
    headers: fc.dictionary(text, text, { noNullPrototype: true }),
    trace: fc.record({ traceparent: text, tracestate: text }, { requiredKeys: ['traceparent'] }),
    attempt: fc.integer({ min: 1, max: 1_000 }),
    lane: fc.constantFrom('stable', 'canary'),
    version: text,
    enqueuedAt: moment,
    body,
    history: fc.array(attempts, { maxLength: 3 }),
  },
  {
    requiredKeys: ['id', 'key', 'headers', 'attempt', 'lane', 'version', 'enqueuedAt', 'body', 'history'],
    noNullPrototype: true,
  },
);

function read(stored: StoredJob, envelope: EnvelopeKind = 'json'): QueueJob {
  const content = decodeJob(envelope, stored, AROUND);
  if (content.kind === 'unreadable') throw new Error(content.reason);
  return { ...content.job, body: Uint8Array.from(content.job.body) };
}

function reasonOf(payload: string | Uint8Array): string {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const content = decodeJob('json', { payload: bytes, note: '' }, AROUND);
  return content.kind === 'unreadable' ? content.reason : 'readable';
}

const JOB: QueueJob = {
  id: 'job-1',
  key: 'customer-7',
  headers: {},
  attempt: 1,
  lane: 'canary',
  version: 'v1.3.0',
  enqueuedAt: 1_700_000_000_000,
  body: Buffer.from('{"amount":5}'),
  history: [],
};
const ENDED: JobAttempt = { at: 9, version: 'v1.3.0', outcome: 'timeout' };

describe('the envelope of a job', () => {
  it('gives back every job as it was, to the bit', () => {
    fc.assert(
      fc.property(jobs, (job) => {
        expect(read(encodeJob('json', job))).toEqual(job);
      }),
    );
  });

  it('is JSON that a person can read, and says how old the job is right at its beginning', () => {
    const { payload, note } = encodeJob('json', { ...JOB, tenant: 'acme' });
    expect(note).toBe('');
    expect(Buffer.from(payload).toString()).toBe(
      '{"v":1,"enqueuedAt":1700000000000,"id":"job-1","key":"customer-7","headers":{},"attempt":1,"lane":"canary",' +
        '"version":"v1.3.0","history":[],"tenant":"acme","body":"{\\"amount\\":5}"}',
    );
    const beginning = Buffer.from(payload).subarray(0, AGE_MARK_BYTES).toString();
    expect(enqueuedAtOf(beginning)).toBe(1_700_000_000_000);
    for (const other of ['', '{"v":1}', '{"id":7', 'enqueuedAt:1'])
      expect(enqueuedAtOf(other)).toBeUndefined();
  });

  it('holds a body that is not UTF-8 as base64', () => {
    const { payload } = encodeJob('json', { ...JOB, body: Uint8Array.of(0xff, 0x00) });
    expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({ body: '/wA=', encoding: 'base64' });
  });

  it('of a newer release, or damaged, is unreadable for a reason that is said', () => {
    expect(reasonOf('{"v":2,"job":{}}')).toBe(
      'the envelope has version 2, of a newer release; this one reads up to 1',
    );
    expect(reasonOf('')).toBe('the envelope is not a JSON object');
    expect(reasonOf('[1]')).toBe('the envelope is not a JSON object');
    expect(reasonOf(Uint8Array.of(0xff))).toBe('the envelope is not UTF-8');
    expect(reasonOf('{"id":"x"}')).toBe('the envelope has no version v: 1');
    expect(reasonOf('{"v":1,"body":7}')).toMatch(/no body/);
    expect(reasonOf('{"v":1,"body":"","encoding":"rot13"}')).toMatch(/no body/);
  });

  it('is checked field by field', () => {
    const bad: Record<string, unknown> = {
      id: 7,
      key: null,
      tenant: 1,
      headers: { a: 1 },
      trace: {},
      attempt: 0,
      lane: 'fast',
      version: [],
      enqueuedAt: -1,
      history: [{ at: 'now' }],
    };
    const good: unknown = JSON.parse(Buffer.from(encodeJob('json', JOB).payload).toString());
    for (const [name, value] of Object.entries(bad)) {
      const damaged = JSON.stringify({ ...(good as object), [name]: value });
      expect(reasonOf(damaged)).toBe(`the envelope has no proper field "${name}"`);
    }
  });

  it('never makes a reader throw', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.json(), (bytes, json) => {
        reasonOf(bytes);
        reasonOf(json);
        decodeJob('raw', { payload: bytes, note: json }, AROUND);
      }),
    );
  });
});

describe('a raw job', () => {
  it('is its body alone, and has an id only from its surroundings', () => {
    const stored = encodeJob('raw', JOB);
    expect(stored).toEqual({ payload: JOB.body, note: '' });
    expect(read(stored, 'raw')).toMatchObject({ id: 'made-up', key: 'made-up', attempt: 1, lane: 'stable' });
  });

  it('is told apart by its note once it was tried', () => {
    fc.assert(
      fc.property(jobs, (job) => {
        const stored = { payload: job.body, note: '' };
        const content = { kind: 'job', job } as const;
        const revised = reviseJob('raw', stored, content, { attempt: 7, ended: ENDED });
        expect(revised.payload).toBe(job.body);
        expect(read(revised, 'raw')).toEqual({ ...job, attempt: 7, history: [...job.history, ENDED] });
      }),
    );
  });
});

describe('a job between attempts', () => {
  it('gets the next attempt and its history, and keeps fields of a newer release', () => {
    const fields: unknown = JSON.parse(Buffer.from(encodeJob('json', JOB).payload).toString());
    const stored = { payload: Buffer.from(JSON.stringify({ ...(fields as object), priority: 3 })), note: '' };
    const content = decodeJob('json', stored, AROUND);
    const revised = reviseJob('json', stored, content, { attempt: 2, ended: ENDED });
    expect(read(revised)).toEqual({ ...JOB, body: Uint8Array.from(JOB.body), attempt: 2, history: [ENDED] });
    expect(JSON.parse(Buffer.from(revised.payload).toString())).toMatchObject({ priority: 3 });
  });

  it('remembers the last attempts, with messages of bounded length', () => {
    for (const envelope of ENVELOPE_KINDS) {
      let stored = encodeJob(envelope, JOB);
      for (let at = 0; at < HISTORY_MAX + 5; at++) {
        const content = decodeJob(envelope, stored, AROUND);
        const ended = { ...ENDED, at, message: 'x'.repeat(5_000) };
        stored = reviseJob(envelope, stored, content, { attempt: at + 2, ended });
      }
      const { history } = read(stored, envelope);
      expect(history.map(({ at }) => at)).toEqual(Array.from({ length: HISTORY_MAX }, (_, i) => i + 5));
      expect(history[0]?.message).toHaveLength(500);
    }
  });

  it('that can not be read stays as it is', () => {
    const stored = { payload: Buffer.from('rubbish'), note: '' };
    const content = decodeJob('json', stored, AROUND);
    expect(reviseJob('json', stored, content, { attempt: 2 })).toBe(stored);
  });

  it('counts the attempts that the store knows of', () => {
    const content = decodeJob('json', encodeJob('json', { ...JOB, attempt: 2 }), {
      ...AROUND,
      moreAttempts: 3,
    });
    expect(content).toMatchObject({ kind: 'job', job: { attempt: 5 } });
  });
});
