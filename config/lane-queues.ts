import { z } from 'zod';
import type { RoutingStrategy } from '../src/core/deployment.ts';
import { bullmqOptionsProblem, type BullmqOptions } from '../src/core/bullmq-job.ts';
import {
  ENVELOPE_KINDS,
  KEY_TEMPLATE_DEFAULT,
  keyTemplateProblem,
  type LaneKind,
  type LaneQueue,
} from '../src/core/lane-keys.ts';
import type { Lane } from '../src/core/lane.ts';
import { duration, integer, oneOf } from './fields.ts';
import { intakeSettings } from './intake.ts';

/** How the jobs of a queue wait in Redis or the embedded store, where its strategy is split_queue or stream_group. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 3_600_000;

const keyTemplate = z
  .string({ error: 'must be a text such as queue:{queue}' })
  .superRefine((value, context) => {
    const problem = keyTemplateProblem(value);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });

/** Braces only as a hash tag: any other would hide the one in the queue's name from a Cluster. */
const bullmqPrefix = z
  .string({ error: "must be a text, BullMQ's own being bull" })
  .regex(/^(?=[\x21-\x7e]{1,64}$)[^{}]*(\{[^{}]+\}[^{}]*)?$/, {
    error: 'must be 1 to 64 visible ASCII characters, with braces only as in {tag}',
  });

const bullmqJobOptions = z.unknown().transform((value, context): BullmqOptions => {
  const problem = bullmqOptionsProblem(value);
  if (problem === undefined) return value as BullmqOptions;
  context.addIssue({ code: 'custom', message: problem });
  return z.NEVER;
});

export const RETRY_LANES = ['sticky', 'stable'] as const;

export const laneSettings = {
  key_template: keyTemplate.default(KEY_TEMPLATE_DEFAULT),
  envelope: oneOf(ENVELOPE_KINDS).default('json'),
  /** Where producers push that know nothing of lanes. */
  intake: intakeSettings.optional(),
  /** Of all keys of BullMQ: what its workers have as `prefix`. */
  bullmq_prefix: bullmqPrefix.default('bull'),
  /** BullMQ's own `defaultJobOptions`, in its own words. */
  bullmq_job_options: bullmqJobOptions.default({}),
  /** Attempts, the first included; then the job is dead. */
  max_attempts: integer(1, 100).default(5),
  /** Before the second attempt; doubled with each further one, with jitter. */
  retry_delay: duration(10, DAY).default(SECOND),
  retry_delay_max: duration(10, DAY).default(5 * MINUTE),
  /** Where a job is tried again: in the lane that it failed in, or always on stable. */
  retry_lane: oneOf(RETRY_LANES).default('sticky'),
  /** A canary job that nobody has taken for so long goes to stable. */
  stranded_after: duration(SECOND, DAY).default(MINUTE),
};

const LANE_SETTINGS_DEFAULT = z.object(laneSettings).parse({});
export type LaneSettings = z.output<z.ZodObject<typeof laneSettings>>;

export function laneSettingsOf(queues: Readonly<Record<string, LaneSettings>>, queue: string): LaneSettings {
  return Object.hasOwn(queues, queue) ? queues[queue]! : LANE_SETTINGS_DEFAULT;
}

/** Of a queue whose workers are BullMQ's: what can't be, by key. */
export function bullmqProblems({
  envelope,
  routing_strategy,
  key_template,
}: Pick<LaneSettings, 'envelope' | 'key_template'> & {
  readonly routing_strategy?: RoutingStrategy | undefined;
}): readonly (readonly [key: string, problem: string])[] {
  if (envelope !== 'bullmq') return [];
  const problems: [string, string][] = [];
  if (routing_strategy !== 'split_queue') {
    problems.push([
      'routing_strategy',
      'must be split_queue where envelope is bullmq: a lane is a queue of BullMQ',
    ]);
  }
  if (key_template !== KEY_TEMPLATE_DEFAULT) {
    problems.push([
      'key_template',
      'must be left out where envelope is bullmq, which names its keys by bullmq_prefix',
    ]);
  }
  return problems;
}

const KINDS: Readonly<Record<RoutingStrategy, LaneKind | undefined>> = {
  split_queue: 'list',
  stream_group: 'stream',
  hash_ring: undefined,
};

const INTAKE_GROUP_DEFAULT = 'lanewise';

/** The lanes of a queue by its configuration; undefined where its strategy has none. */
export function laneQueueOf(
  queues: Readonly<Record<string, LaneSettings>>,
  name: string,
  strategy: RoutingStrategy,
): LaneQueue | undefined {
  const kind = KINDS[strategy];
  if (kind === undefined) return undefined;
  const { key_template, envelope, intake } = laneSettingsOf(queues, name);
  const lanes = { name, kind, keyTemplate: key_template, envelope };
  return intake === undefined
    ? lanes
    : { ...lanes, intake: { key: intake.key, group: intake.group ?? INTAKE_GROUP_DEFAULT } };
}

/** Where a job goes that failed in a lane. */
export function retryLaneOf({ retry_lane }: LaneSettings, lane: Lane): Lane {
  return retry_lane === 'stable' ? 'stable' : lane;
}
