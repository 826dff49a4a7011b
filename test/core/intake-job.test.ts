import { describe, expect, it } from 'vitest';
import { isJobPath, readIntakeJob, type IntakeContent } from '../../src/core/intake-job.ts';

function element(payload: string | Uint8Array): IntakeContent {
  return { kind: 'element', payload: Buffer.from(payload) };
}

function entry(fields: Readonly<Record<string, string>>): IntakeContent {
  return {
    kind: 'entry',
    fields: Object.entries(fields).map(([name, value]) => [name, Buffer.from(value)]),
  };
}

const SIDEKIQ = element(
  '{"class":"Charge","args":[{"customer_id":42,"at":null}],"jid":"b4a577edbccf1d805744efa9"}',
);

describe('of a job in an intake', () => {
  it('the sticky key and the id are found by their paths, numbers in their own words', () => {
    const job = readIntakeJob(SIDEKIQ, { jobId: 'jid', stickyKey: 'args.0.customer_id' });
    expect(job).toMatchObject({ id: 'b4a577edbccf1d805744efa9', key: '42', isUnreadable: false });
  });

  it.each([
    'args.1.customer_id',
    'args.0.at',
    'args',
    'args.0',
    'class.length',
    'constructor',
    '__proto__.x',
  ])('without a word at %s the key is the id', (stickyKey) => {
    const job = readIntakeJob(SIDEKIQ, { jobId: 'jid', stickyKey });
    expect(job).toMatchObject({ key: 'b4a577edbccf1d805744efa9', isUnreadable: false });
  });

  it('an empty key is none', () => {
    expect(readIntakeJob(element('{"k":"","j":""}'), { jobId: 'j', stickyKey: 'k' })).toMatchObject({
      id: undefined,
      key: undefined,
    });
  });

  it.each(['not JSON', '', '{"jid":', new Uint8Array([0x22, 0xff, 0x22])])(
    'what is not JSON is known as such, and only where somebody wants to read it: %s',
    (payload) => {
      const content = element(payload);
      expect(readIntakeJob(content, { stickyKey: 'jid' })).toMatchObject({
        isUnreadable: true,
        key: undefined,
      });
      expect(readIntakeJob(content, {})).toMatchObject({ isUnreadable: false });
      expect(Buffer.from(readIntakeJob(content, { jobId: 'jid' }).body)).toEqual(Buffer.from(payload));
    },
  );

  it('a JSON that is no object has nothing at a path', () => {
    for (const payload of ['null', '7', '"jid"', '[]'])
      expect(readIntakeJob(element(payload), { jobId: 'jid' })).toMatchObject({
        id: undefined,
        isUnreadable: false,
      });
  });

  it('a path into a stream entry begins with a field, and goes on in its JSON', () => {
    const content = entry({ customer: '7', payload: '{"order":{"id":"o-1"}}' });
    expect(readIntakeJob(content, { jobId: 'payload.order.id', stickyKey: 'customer' })).toMatchObject({
      id: 'o-1',
      key: '7',
    });
    expect(readIntakeJob(content, { stickyKey: 'nothing.there' })).toMatchObject({ key: undefined });
    expect(readIntakeJob(entry({ payload: 'text' }), { stickyKey: 'payload.x' }).isUnreadable).toBe(true);
  });

  it('the body of a stream entry is its field body, else all of its fields as JSON', () => {
    expect(String(Buffer.from(readIntakeJob(entry({ a: '1', body: '{}' }), {}).body))).toBe('{}');
    expect(String(Buffer.from(readIntakeJob(entry({ a: '1', b: 'ü' }), {}).body))).toBe('{"a":"1","b":"ü"}');
  });
});

it('a path is names and numbers with dots between', () => {
  for (const path of ['jid', 'args.0.customer_id', 'ünï', '0']) expect(isJobPath(path)).toBe(true);
  for (const path of ['', '.', 'a.', '.a', 'a..b', 'a b', 'x'.repeat(129), 'a.'.repeat(16) + 'a'])
    expect(isJobPath(path)).toBe(false);
});
