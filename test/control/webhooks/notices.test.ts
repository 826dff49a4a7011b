import { describe, expect, test } from 'vitest';
import {
  pause,
  promoteAutomatically,
  rollBack,
  type Circumstances,
} from '../../../control/deployment-changes.ts';
import { noticesOf } from '../../../control/webhooks/notices.ts';
import { payloadOf } from '../../../control/webhooks/payload.ts';
import { NOTICE_KINDS, type NoticeKind } from '../../../src/core/notice-kind.ts';
import { openSplit } from '../../../src/core/route.ts';
import { deploymentOf } from '../../core/fixtures.ts';

let ids = 0;
const circumstances: Circumstances = { now: 1_757_853_900_000, actor: 'ops', newId: () => String(++ids) };

function webhook(name: string, ...kinds: readonly NoticeKind[]) {
  return { name, kinds: new Set(kinds) };
}

const DEPLOYMENT = deploymentOf({ queue: 'payments', tenant: 'acme', currentPercent: 10 });

describe('a change', () => {
  test('is told to every webhook that wants to hear of its kind', () => {
    const { deployment, events } = rollBack('refunds fail')(DEPLOYMENT, undefined, circumstances)!;
    const webhooks = [
      webhook('a', ...NOTICE_KINDS),
      webhook('b', 'promoted', 'health_changed'),
      webhook('c', 'rolled_back'),
    ];
    const notices = noticesOf(deployment, events, webhooks);
    expect(notices.map((notice) => [notice.webhook, notice.event.id])).toEqual([
      ['a', events[0]!.id],
      ['c', events[0]!.id],
    ]);
    expect(new Set(notices.map(({ id }) => id)).size).toBe(2);
  });

  test('that no webhook is told of makes no notice', () => {
    const { deployment, events } = pause(DEPLOYMENT, undefined, circumstances)!;
    expect(noticesOf(deployment, events, [webhook('a', ...NOTICE_KINDS)])).toEqual([]);
  });

  test('with two events is told once, by the one that says what happened', () => {
    const route = openSplit(undefined, DEPLOYMENT);
    const decide = promoteAutomatically('all checks pass', { jobs: 100 });
    const { deployment, events } = decide(DEPLOYMENT, route, circumstances)!;
    expect(events).toHaveLength(2);
    const notices = noticesOf(deployment, events, [webhook('a', ...NOTICE_KINDS)]);
    expect(notices.map(({ event }) => [event.type, event.data?.['automatic']])).toEqual([
      ['deployment_promoted', true],
    ]);
  });
});

describe('the payload of a notice', () => {
  function payloadFor(deployment = DEPLOYMENT): unknown {
    const change = rollBack('refunds fail')(deployment, undefined, circumstances)!;
    const [notice] = noticesOf(change.deployment, change.events, [webhook('a', 'rolled_back')]);
    // As a store gives it back.
    return JSON.parse(payloadOf(structuredClone(notice!.event)));
  }

  test('says what happened to what, with nothing left to look up', () => {
    expect(payloadFor()).toEqual({
      id: `event_${ids}`,
      kind: 'rolled_back',
      type: 'deployment_rolled_back',
      timestamp: '2025-09-14T12:45:00Z',
      deployment_id: 'canary_1',
      queue_name: 'payments',
      tenant_id: 'acme',
      stable_version: 'v1',
      canary_version: 'v2',
      message: 'Deployment rolled back: refunds fail',
      actor: 'ops',
      data: {
        reason: 'refunds fail',
        old_percentage: 10,
        new_percentage: 0,
        old_status: 'active',
        new_status: 'failed',
      },
    });
  });

  test('names no tenant where there is none', () => {
    const { tenant: _, ...deployment } = DEPLOYMENT;
    expect(payloadFor(deployment)).not.toHaveProperty('tenant_id');
  });

  test('of an event without a subject says what there is', () => {
    const { events } = rollBack('x')(DEPLOYMENT, undefined, circumstances)!;
    const payload = JSON.parse(payloadOf(events[0]!)) as object;
    expect(payload).toMatchObject({ kind: 'rolled_back', deployment_id: 'canary_1' });
    expect(payload).not.toHaveProperty('queue_name');
  });
});
