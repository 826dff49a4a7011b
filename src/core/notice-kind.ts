import type { DeploymentEvent, EventType } from './deployment.ts';

/** What a webhook can be told of. Fewer than there are events: what changes what a person or a pipeline does next. */
export const NOTICE_KINDS = ['promoted', 'rolled_back', 'health_changed', 'stage_reached'] as const;
export type NoticeKind = (typeof NOTICE_KINDS)[number];

const KINDS: Readonly<Partial<Record<EventType, NoticeKind>>> = {
  deployment_promoted: 'promoted',
  deployment_rolled_back: 'rolled_back',
  health_check_failed: 'health_changed',
  health_check_recovered: 'health_changed',
};

/** @returns undefined for an event that no webhook is told of */
export function noticeKind({ type, data }: Pick<DeploymentEvent, 'type' | 'data'>): NoticeKind | undefined {
  // Only the judge goes by stages; a person who sets a percentage knows of it.
  if (type === 'percentage_updated') return data?.['stage'] === undefined ? undefined : 'stage_reached';
  return KINDS[type];
}
