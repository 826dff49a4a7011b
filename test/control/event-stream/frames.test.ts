import { describe, expect, test } from 'vitest';
import { framesOf, readFrameId } from '../../../control/event-stream/frames.ts';
import { EVENT_TYPES, type DeploymentEvent } from '../../../src/core/deployment.ts';

function event(type: DeploymentEvent['type'], data?: Record<string, unknown>): DeploymentEvent {
  return {
    id: 'event_1',
    deploymentId: 'canary_1',
    type,
    message: 'in words',
    timestamp: Date.UTC(2025, 8, 14, 12, 45),
    actor: 'ops',
    ...(data !== undefined && { data }),
  };
}

/** What a frame says, without what all frames of an event share. */
function told(...args: Parameters<typeof event>): unknown[] {
  return framesOf(event(...args)).map(({ type, data }) => ({ type, data }));
}

describe('the frames of an event', () => {
  test('are as the API document writes them', () => {
    const moved = event('percentage_updated', { old_percentage: 10, new_percentage: 25 });
    expect(framesOf(moved)).toEqual([
      {
        id: 'event_1',
        type: 'percentage_updated',
        deployment_id: 'canary_1',
        timestamp: '2025-09-14T12:45:00Z',
        data: { old_percentage: 10, new_percentage: 25 },
      },
    ]);
  });

  test.each([
    ['deployment_paused', 'active', 'paused'],
    ['deployment_resumed', 'paused', 'active'],
    ['lane_drained', 'rolling_back', 'failed'],
  ] as const)('%s is a change of status', (type, old_status, new_status) => {
    expect(told(type, { old_status, new_status })).toEqual([
      { type: 'deployment_status_changed', data: { old_status, new_status } },
    ]);
  });

  test('a promotion is its trigger, its percentage and its status', () => {
    const data = { old_percentage: 25, new_percentage: 100, old_status: 'active', new_status: 'completed' };
    expect(told('deployment_promoted', data)).toEqual([
      { type: 'promotion_triggered', data: { automatic: false, message: 'in words' } },
      { type: 'percentage_updated', data: { old_percentage: 25, new_percentage: 100 } },
      { type: 'deployment_status_changed', data: { old_status: 'active', new_status: 'completed' } },
    ]);
  });

  test('a rollback is its trigger with the reason, its percentage and its status', () => {
    const data = {
      reason: 'too slow',
      old_percentage: 25,
      new_percentage: 0,
      old_status: 'paused',
      new_status: 'failed',
    };
    expect(told('deployment_rolled_back', data)).toEqual([
      { type: 'rollback_triggered', data: { reason: 'too slow' } },
      { type: 'percentage_updated', data: { old_percentage: 25, new_percentage: 0 } },
      { type: 'deployment_status_changed', data: { old_status: 'paused', new_status: 'failed' } },
    ]);
  });

  test('a percentage that an ending leaves where it was is no news', () => {
    const data = { reason: 'r', old_percentage: 0, new_percentage: 0 };
    expect(told('deployment_rolled_back', data)).toEqual([
      { type: 'rollback_triggered', data: { reason: 'r' } },
    ]);
  });

  test('an automatic promotion is triggered once: by the rules, not again by what they do', () => {
    expect(told('auto_promotion_triggered')).toEqual([
      { type: 'promotion_triggered', data: { automatic: true, message: 'in words' } },
    ]);
    expect(told('deployment_promoted', { automatic: true, old_percentage: 75, new_percentage: 100 })).toEqual(
      [{ type: 'percentage_updated', data: { old_percentage: 75, new_percentage: 100 } }],
    );
  });

  test('a failed health check is a change of health', () => {
    expect(told('health_check_failed')).toEqual([
      {
        type: 'health_status_changed',
        data: { old_status: 'unknown', new_status: 'failing', message: 'in words' },
      },
    ]);
    expect(told('health_check_failed', { old_health: 'healthy', new_health: 'warning' })).toMatchObject([
      { data: { old_status: 'healthy', new_status: 'warning' } },
    ]);
  });

  test('the creation is none: nobody watches what is not there yet', () => {
    expect(told('deployment_created', { percentage: 5 })).toEqual([]);
  });

  test.each(EVENT_TYPES)('%s with data of another release is read without harm', (type) => {
    for (const data of [
      undefined,
      {},
      { old_percentage: 'x', new_percentage: 1, old_status: 1, reason: null },
    ]) {
      for (const { data: of } of framesOf(event(type, data))) expect(of).toBeTypeOf('object');
    }
  });
});

test('of several frames only the last has the id of the event, so that going on after any loses none', () => {
  const data = { old_percentage: 25, new_percentage: 100, old_status: 'active', new_status: 'completed' };
  expect(framesOf(event('deployment_promoted', data)).map(({ id }) => id)).toEqual([
    'event_1.1',
    'event_1.2',
    'event_1',
  ]);
  expect(readFrameId('event_1.2')).toEqual({ eventId: 'event_1', frames: 2 });
  expect(readFrameId('event_1')).toEqual({ eventId: 'event_1', frames: undefined });
});
