import { describe, expect, test } from 'vitest';
import {
  afterStream,
  retryDelay,
  STREAM_START,
  type StreamEvent,
} from '../../../control/dashboard/model/stream-state.ts';

function after(...events: readonly StreamEvent[]) {
  return events.reduce(afterStream, STREAM_START);
}

describe('an event stream', () => {
  test('goes on after the last frame that is kept', () => {
    const state = after(
      { kind: 'opened' },
      { kind: 'frame', id: 'event_1' },
      { kind: 'frame', id: undefined },
      { kind: 'closed', code: 1006, at: 1000 },
    );
    expect(state).toMatchObject({ phase: 'waiting', lastId: 'event_1', failures: 1, staleSince: 1000 });
  });

  test('what is shown is out of date since the first break, until it is open again', () => {
    const broken = after(
      { kind: 'opened' },
      { kind: 'closed', code: 1001, at: 1000 },
      { kind: 'retried' },
      { kind: 'closed', code: 1006, at: 2000 },
      { kind: 'retried' },
    );
    expect(broken).toMatchObject({ phase: 'connecting', failures: 2, staleSince: 1000 });
    expect(afterStream(broken, { kind: 'opened' })).toMatchObject({ failures: 0, staleSince: undefined });
  });

  test('has ended when the deployment was deleted', () => {
    const state = after({ kind: 'opened' }, { kind: 'closed', code: 1000, at: 1000 });
    expect(state).toMatchObject({ phase: 'ended', staleSince: undefined });
  });
});

test('tries again later and later, up to ten seconds, and not all at the same moment', () => {
  const delays = (random: number) =>
    [1, 2, 3, 5, 50].map((failures) => retryDelay({ ...STREAM_START, failures }, random));
  expect(delays(1)).toEqual([500, 1000, 2000, 8000, 10_000]);
  expect(delays(0)).toEqual([250, 500, 1000, 4000, 5000]);
});
