import { describe, expect, test } from 'vitest';
import { createEventLog, type EventLog } from '../../../control/event-stream/event-log.ts';
import type { DeploymentEvent } from '../../../src/core/deployment.ts';

function paused(number: number): DeploymentEvent {
  return {
    id: `event_${number}`,
    deploymentId: 'canary_1',
    type: 'deployment_paused',
    message: '',
    timestamp: 0,
    actor: 'ops',
    data: { old_status: 'active', new_status: 'paused' },
  };
}

function promoted(number: number): DeploymentEvent {
  return { ...paused(number), type: 'deployment_promoted' };
}

function ids(log: EventLog, from = 0): string[] {
  return Array.from({ length: log.length - from }, (_, i) => {
    return (JSON.parse(log.at(from + i).toString()) as { id: string }).id;
  });
}

describe('the log of a deployment', () => {
  test('takes what is published in order, once', () => {
    const log = createEventLog();
    log.merge([paused(1)]);
    expect(log.append(paused(2), 2)).toBe(true);
    expect(log.append(paused(2), 2)).toBe(true);
    expect(log.append(paused(1), 1)).toBe(true);
    expect(ids(log)).toEqual(['event_1', 'event_2']);
  });

  test('takes nothing before it was read, and nothing after a gap', () => {
    const log = createEventLog();
    expect(log.append(paused(1), 1)).toBe(false);
    log.merge([]);
    expect(log.append(paused(2), 2)).toBe(false);
    log.merge([paused(1), paused(2)]);
    expect(log.append(paused(3), 3)).toBe(true);
    expect(ids(log)).toEqual(['event_1', 'event_2', 'event_3']);
  });

  test('read while something was published, keeps both', () => {
    const log = createEventLog();
    log.merge([]);
    log.append(paused(1), 1);
    log.merge([]);
    log.merge([paused(1), paused(2)]);
    expect(ids(log)).toEqual(['event_1', 'event_2']);
  });

  test('outlives a store that has lost its latest', () => {
    const log = createEventLog();
    log.merge([paused(1), paused(2)]);
    log.merge([paused(1), paused(3)]);
    expect(log.append(paused(4), 3)).toBe(true);
    expect(ids(log)).toEqual(['event_1', 'event_2', 'event_3', 'event_4']);
  });

  test('goes on after any frame of any event, and from the beginning after an unknown one', () => {
    const log = createEventLog();
    log.merge([promoted(1), { ...paused(2), type: 'deployment_created', data: {} }, promoted(3)]);
    const all = ids(log);
    expect(all).toEqual(['event_1.1', 'event_1', 'event_3.1', 'event_3']);
    for (const [i, id] of all.entries()) expect(ids(log, log.placeAfter(id))).toEqual(all.slice(i + 1));
    // An event without frames has its place all the same.
    expect(ids(log, log.placeAfter('event_2'))).toEqual(['event_3.1', 'event_3']);
    expect(log.has('event_2')).toBe(true);
    expect(log.has('event_9.1')).toBe(false);
    expect(log.placeAfter('event_9')).toBe(0);
    expect(ids(log, log.placeAfter('event_1.7'))).toEqual(['event_3.1', 'event_3']);
  });
});
