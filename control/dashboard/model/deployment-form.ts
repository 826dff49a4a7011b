import type { DeploymentRequest, Profile } from '../../../src/client/api-types.ts';
import { parseDuration } from '../../../src/core/duration.ts';
import { plural, share, span } from './format.ts';

/** The form for a new deployment, as texts, and the request that is made of it. */
export interface DeploymentForm {
  readonly queue_name: string;
  readonly tenant_id: string;
  readonly stable_version: string;
  readonly canary_version: string;
  readonly profile: string;
  /** Empty, like all below: as the profile says. */
  readonly routing_strategy: string;
  readonly initial_percentage: string;
  readonly auto_promotion: '' | 'true' | 'false';
  readonly min_duration: string;
  readonly max_duration: string;
  readonly metrics_window: string;
}

export const EMPTY_FORM: DeploymentForm = {
  queue_name: '',
  tenant_id: '',
  stable_version: '',
  canary_version: '',
  profile: 'default',
  routing_strategy: '',
  initial_percentage: '',
  auto_promotion: '',
  min_duration: '',
  max_duration: '',
  metrics_window: '',
};

export const FORM_FIELDS: ReadonlySet<string> = new Set(Object.keys(EMPTY_FORM));

/**
 * What is left empty is left out; what can't be read as a number goes as it is, since the API says best what is wrong
 * with it.
 */
export function requestOf(form: DeploymentForm): DeploymentRequest {
  const given = Object.entries(form)
    .map(([field, value]) => [field, String(value).trim()] as const)
    .filter(([field, value]) => value !== '' || REQUIRED.has(field));
  return Object.fromEntries(
    given.map(([field, value]) => [field, valueOf(field, value)]),
  ) as DeploymentRequest;
}

const REQUIRED: ReadonlySet<string> = new Set(['queue_name', 'stable_version', 'canary_version']);

function valueOf(field: string, text: string): unknown {
  if (field === 'initial_percentage' && Number.isFinite(Number(text))) return Number(text);
  if (field === 'auto_promotion') return text === 'true';
  return text;
}

/** A profile in a few sentences. */
export function profileLines(profile: Profile): readonly string[] {
  const thresholds = profile.rollback_thresholds;
  const time = (duration: string): string => span(parseDuration(duration) ?? 0);
  return [
    profile.auto_promotion
      ? `Promotes by itself after at least ${time(profile.min_canary_duration)} of good health`
      : `You promote it; the checks want at least ${time(profile.min_canary_duration)}`,
    `Rolls back at +${share(thresholds.max_error_rate_increase)} errors, +${share(thresholds.max_latency_increase)} p95, ` +
      `−${share(thresholds.max_throughput_decrease)} throughput, or under ${share(thresholds.min_success_rate)} success`,
    `Judges from ${plural(thresholds.required_sample_size, 'canary job')} on, within ${time(profile.max_canary_duration)}`,
  ];
}
