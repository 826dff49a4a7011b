import { z } from '@hono/zod-openapi';
import { DEFAULT_PROFILE_NAME, profileConfig, type Profiles } from '../../config/profiles.ts';
import {
  ANALYSES,
  FALLBACKS,
  ROUTING_STRATEGIES,
  type DeploymentConfig,
  type RoutingStrategy,
} from '../../src/core/deployment.ts';
import { formatDuration, parseDuration } from '../../src/core/duration.ts';
import type { ErrorDetails } from '../../src/core/errors.ts';
import { IDENTIFIER, QUEUE_NAME } from '../../src/core/names.ts';
import { tenantFor } from '../auth.ts';
import type { Credential } from '../credentials.ts';
import { definedOnly } from '../defined-only.ts';
import { expecting, knownFields } from '../http/problems.ts';
import { withStages } from '../../src/core/stages.ts';
import { mergeConfig, type DeploymentConfigRequest, type DeploymentRequest } from '../new-deployment.ts';
import {
  between,
  duration,
  flag,
  integerBetween,
  metadata,
  named,
  oneOf,
  percentage,
  text,
} from './fields.ts';

/** The body of `POST /deployments`: every documented parameter and the extensions of the design. */

const SECOND = 1000;
const HOUR = 3_600_000;
/** A canary that lasts longer than a year is a fork. */
const YEAR = 365 * 24 * HOUR;

export interface CreateContext {
  readonly profiles: Profiles;
  strategyOf(queue: string): RoutingStrategy | undefined;
}

const maxDuration = duration(SECOND, YEAR).optional().openapi({ description: 'How long it may take.' });
const minDuration = duration(0, YEAR)
  .optional()
  .openapi({ description: 'How long it must last before it is promoted automatically.' });

const STAGES_MAX = 20;

const stages = z
  .array(
    knownFields({
      // 0 would wait for ever, and 100 is the promotion.
      percentage: percentage.refine((value) => value > 0 && value < 100, {
        error: expecting('a number above 0 and below 100 with at most two decimals'),
      }),
      duration: duration(0, YEAR),
    }),
    { error: expecting('a list of stages such as [{"percentage": 10, "duration": "5m"}]') },
  )
  .min(1, { error: `must hold 1 to ${STAGES_MAX} stages` })
  .max(STAGES_MAX, { error: `must hold 1 to ${STAGES_MAX} stages` })
  .refine((list) => list.every(({ percentage: p }, i) => i === 0 || p > list[i - 1]!.percentage), {
    error: 'must have rising percentages',
  });

const fields = {
  queue_name: named(QUEUE_NAME),
  tenant_id: named(IDENTIFIER).optional().openapi({ description: "For this tenant's jobs only." }),
  stable_version: named(IDENTIFIER),
  canary_version: named(IDENTIFIER),
  routing_strategy: oneOf(ROUTING_STRATEGIES).optional(),
  sticky_routing: flag.optional().openapi({ description: 'The same key, the same lane.' }),
  auto_promotion: flag.optional().openapi({ description: 'Promote when the metrics allow it.' }),
  max_duration: maxDuration,
  max_canary_duration: maxDuration,
  min_duration: minDuration,
  min_canary_duration: minDuration,
  drain_timeout: duration(0, 24 * HOUR)
    .optional()
    .openapi({ description: 'How long a lane may take to empty after a promotion or rollback.' }),
  metrics_window: duration(SECOND, 24 * HOUR)
    .optional()
    .openapi({ description: 'What health and metrics are taken over.' }),
  rollback_thresholds: knownFields({
    max_error_rate_increase: between(0, 100).optional(),
    // Five hundred times as slow is broken under any name.
    max_latency_increase: between(0, 50_000).optional(),
    max_throughput_decrease: between(0, 100).optional(),
    min_success_rate: between(0, 100).optional(),
    required_sample_size: integerBetween(1, 1_000_000).optional(),
  }).optional(),
  fallback: oneOf(FALLBACKS).optional().openapi({
    description: 'Where a canary job goes when no canary worker can take it; `stable` if left out.',
  }),
  auto_rollback: flag.optional().openapi({ description: 'Roll back when it fails; `true` if left out.' }),
  analysis: oneOf(ANALYSES).optional().openapi({
    description:
      'When a breached threshold counts: `sequential`, once the evidence says so (the default), or `threshold`, at once.',
  }),
  stages: stages.optional().openapi({
    description:
      'Where automatic promotion goes step by step, and how long each must go well. Left out: 5 %, 25 %, 50 % and ' +
      '75 %, a quarter of the minimum duration each.',
  }),
  retry_on_stable: flag.optional().openapi({
    description: 'Try a job that failed on the canary once on stable. For jobs that may run twice.',
  }),
  required_distinct_keys: integerBetween(0, 10_000).optional().openapi({
    description: 'Sticky keys that the canary must have seen before anything is decided; 0 if left out.',
  }),
  initial_percentage: percentage.optional().openapi({
    description: 'Where it starts; the first stage if left out, or 0 without stages.',
  }),
  created_by: text(256).optional().openapi({ description: 'The name of the token if left out.' }),
  metadata: metadata.optional(),
};

/** The profile names are those of this control plane, so the schema is made with it. */
export function createRequestSchema(context: CreateContext) {
  const profile = z
    .enum(Object.keys(context.profiles), {
      error: expecting(`one of ${Object.keys(context.profiles).join(', ')}`),
    })
    .optional();
  return knownFields({ ...fields, profile })
    .superRefine(
      (body: unknown, refinement) => {
        for (const [field, message] of Object.entries(crossFieldProblems(body, context))) {
          refinement.addIssue({ code: 'custom', path: [field], message });
        }
      },
      // Also where single fields are wrong: the caller is told all of it at once.
      { when: () => true },
    )
    .openapi('DeploymentRequest');
}

export type CreateBody = z.output<ReturnType<typeof createRequestSchema>>;

/** What is wrong between fields. @param body as it came: any field may be anything */
function crossFieldProblems(body: unknown, context: CreateContext): ErrorDetails {
  if (typeof body !== 'object' || body === null) return {};
  const given = stringsOf(body);
  const details: Record<string, string> = {};

  if (given.stable_version !== undefined && given.stable_version === given.canary_version) {
    details.canary_version = `must differ from stable_version, both are ${given.stable_version.slice(0, 128)}`;
  }
  for (const [short, long] of DURATION_SPELLINGS) {
    const [a, b] = [given[short], given[long]].map((d) => (d === undefined ? undefined : parseDuration(d)));
    if (a !== undefined && b !== undefined && a !== b) {
      details[long] = `must be the same as ${short}, which is another name for it; give one of them`;
    }
  }
  const pinned = given.queue_name === undefined ? undefined : context.strategyOf(given.queue_name);
  if (pinned !== undefined && given.routing_strategy !== undefined && given.routing_strategy !== pinned) {
    details.routing_strategy = `must be ${pinned} for this queue, or left out: the configuration fixes it`;
  }
  return { ...details, ...durationOrderProblem(given, context), ...stagesProblem(body, given, context) };
}

type GivenStrings = Readonly<Partial<Record<string, string>>>;

function stringsOf(body: object): GivenStrings {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => typeof value === 'string'));
}

const DURATION_SPELLINGS = [
  ['max_duration', 'max_canary_duration'],
  ['min_duration', 'min_canary_duration'],
] as const;

function durationOrderProblem(given: GivenStrings, { profiles }: CreateContext): ErrorDetails {
  const profileName = given.profile ?? DEFAULT_PROFILE_NAME;
  const profile = Object.hasOwn(profiles, profileName) ? profiles[profileName] : undefined;
  const [max, min] = DURATION_SPELLINGS.map((names) => names.find((name) => given[name] !== undefined));
  if (profile === undefined || (max === undefined && min === undefined)) return {};
  const maxMs = max === undefined ? profile.maxCanaryDurationMs : parseDuration(given[max]!);
  const minMs = min === undefined ? profile.minCanaryDurationMs : parseDuration(given[min]!);
  if (maxMs === undefined || minMs === undefined || minMs <= maxMs) return {};
  const from = (field: string | undefined): string =>
    field === undefined ? ` of the ${profileName} profile` : '';
  return min === undefined
    ? { [max!]: `must be at least the minimum duration${from(min)}, ${formatDuration(minMs)}` }
    : { [min]: `must be at most the maximum duration${from(max)}, ${formatDuration(maxMs)}` };
}

function stagesProblem(body: object, given: GivenStrings, { profiles }: CreateContext): ErrorDetails {
  if (!('stages' in body)) return {};
  const profileName = given.profile ?? DEFAULT_PROFILE_NAME;
  const own = 'auto_promotion' in body ? body.auto_promotion : undefined;
  const isAutomatic = own ?? (Object.hasOwn(profiles, profileName) && profiles[profileName]?.autoPromotion);
  if (isAutomatic === true) return {};
  return { stages: 'need auto_promotion to be true; without it nobody goes through them' };
}

/** A valid body in the domain's words, and the whole configuration that it asks for. @throws FORBIDDEN */
export function toDeploymentRequest(
  body: CreateBody,
  by: Credential,
  context: CreateContext,
): { request: DeploymentRequest; config: DeploymentConfig } {
  const tenant = tenantFor(by, body.tenant_id);
  const profile = profileConfig(
    context.profiles[body.profile ?? DEFAULT_PROFILE_NAME]!,
    context.profiles[DEFAULT_PROFILE_NAME],
  );
  const pinned = context.strategyOf(body.queue_name);
  const config = withStages(
    mergeConfig(profile, {
      ...configRequest(body),
      ...(pinned !== undefined && { routingStrategy: pinned }),
    }),
  );
  const request: DeploymentRequest = {
    queue: body.queue_name,
    ...(tenant !== undefined && { tenant }),
    stableVersion: body.stable_version,
    canaryVersion: body.canary_version,
    initialPercentage: body.initial_percentage ?? config.stages[0]?.percentage ?? 0,
    createdBy: body.created_by ?? by.name,
    ...(body.metadata !== undefined && { metadata: body.metadata }),
  };
  return { request, config };
}

function configRequest(body: CreateBody): DeploymentConfigRequest {
  const max = body.max_duration ?? body.max_canary_duration;
  const min = body.min_duration ?? body.min_canary_duration;
  const thresholds = body.rollback_thresholds;
  return definedOnly({
    routingStrategy: body.routing_strategy,
    stickyRouting: body.sticky_routing,
    autoPromotion: body.auto_promotion,
    maxCanaryDurationMs: milliseconds(max),
    minCanaryDurationMs: milliseconds(min),
    drainTimeoutMs: milliseconds(body.drain_timeout),
    metricsWindowMs: milliseconds(body.metrics_window),
    fallback: body.fallback,
    autoRollback: body.auto_rollback,
    analysis: body.analysis,
    stages: body.stages?.map((stage) => ({
      percentage: stage.percentage,
      durationMs: parseDuration(stage.duration)!,
    })),
    retryOnStable: body.retry_on_stable,
    requiredKeys: body.required_distinct_keys,
    rollbackThresholds:
      thresholds &&
      definedOnly({
        maxErrorRateIncrease: thresholds.max_error_rate_increase,
        maxLatencyIncrease: thresholds.max_latency_increase,
        maxThroughputDecrease: thresholds.max_throughput_decrease,
        minSuccessRate: thresholds.min_success_rate,
        requiredSampleSize: thresholds.required_sample_size,
      }),
  });
}

function milliseconds(given: string | undefined): number | undefined {
  return given === undefined ? undefined : parseDuration(given);
}
