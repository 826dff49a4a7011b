import { expect, test } from 'vitest';
import { EVENT_TYPES } from '../../src/core/deployment.ts';
import { noticeKind } from '../../src/core/notice-kind.ts';

test('webhooks are told of promotions, rollbacks, health, and stages', () => {
  const kinds = EVENT_TYPES.map((type) => [type, noticeKind({ type })]);
  expect(Object.fromEntries(kinds)).toEqual({
    deployment_created: undefined,
    percentage_updated: undefined,
    deployment_promoted: 'promoted',
    deployment_rolled_back: 'rolled_back',
    health_check_failed: 'health_changed',
    health_check_recovered: 'health_changed',
    auto_promotion_triggered: undefined,
    deployment_paused: undefined,
    deployment_resumed: undefined,
    lane_drained: undefined,
  });
});

test('a percentage is a stage if the judge set it as one', () => {
  expect(noticeKind({ type: 'percentage_updated', data: { stage: 1 } })).toBe('stage_reached');
  expect(noticeKind({ type: 'percentage_updated', data: { new_percentage: 25 } })).toBeUndefined();
});
