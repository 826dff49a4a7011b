import { expect, test } from 'vitest';
import { decodeEventMessage } from '../../../src/runtime/store/event-message.ts';
import { eventRecord } from '../../../src/runtime/store/records.ts';
import { anEvent } from './samples.ts';

test('a message of an event is its position and the record as it was written', () => {
  const event = { ...anEvent('canary_1', 'two\nlines'), data: { empty: [], nothing: {} } };
  const message = `event 12 ${eventRecord.encode(event)}`;
  expect(decodeEventMessage(message)).toEqual({ kind: 'event', event, position: 12 });
  expect(decodeEventMessage('deleted canary_1')).toEqual({ kind: 'deleted', deploymentId: 'canary_1' });
});

test.each([
  '',
  'event',
  'event 0 {}',
  'event x {}',
  'event 1 {',
  'event 1 {}',
  'deleted',
  'deleted a b',
  'other 1 {}',
])('what the store did not make is damaged: %j', (message) => {
  expect(() => decodeEventMessage(message)).toThrow(/message of an event is damaged/);
});
