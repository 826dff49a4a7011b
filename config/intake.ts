import { z } from 'zod';
import type { RoutingStrategy } from '../src/core/deployment.ts';
import { isJobPath, JOB_PATH_ACCEPTED } from '../src/core/intake-job.ts';
import {
  isOfBullmq,
  laneKeyOf,
  ownsKey,
  type EnvelopeKind,
  type LaneKind,
  type LaneQueue,
} from '../src/core/lane-keys.ts';
import { hashTagOf } from '../src/core/names.ts';

/** Router mode: producers push to the list or stream that they have always had, and proxies move jobs into the lanes. */

const redisKey = (() => {
  const error = 'must be the key of a Redis list or stream: 1 to 256 visible ASCII characters';
  return z.string({ error }).regex(/^[\x21-\x7e]{1,256}$/, { error });
})();

const jobPath = (() => {
  const error = `must be ${JOB_PATH_ACCEPTED}`;
  return z.string({ error }).refine(isJobPath, { error });
})();

const groupName = (() => {
  const error = 'must be the name of a consumer group: 1 to 256 visible ASCII characters';
  return z.string({ error }).regex(/^[\x21-\x7e]{1,256}$/, { error });
})();

export const intakeSettings = z.strictObject({
  key: redisKey,
  /** Of a stream, by default a group of ours. */
  group: groupName.optional(),
  sticky_key: jobPath.optional(),
  job_id: jobPath.optional(),
});

type IntakeSettings = z.output<typeof intakeSettings>;

interface QueueWithIntake {
  readonly routing_strategy?: RoutingStrategy | undefined;
  readonly envelope: EnvelopeKind;
  readonly key_template: string;
  readonly intake?: IntakeSettings | undefined;
}

interface ConfigWithIntakes {
  readonly redis_url?: string | undefined;
  readonly queues: Readonly<Record<string, QueueWithIntake>>;
}

type Problem = readonly [path: readonly string[], problem: string];

/** What can't be of intakes, by where it is in the configuration. */
export function intakeProblems({ redis_url, queues }: ConfigWithIntakes): readonly Problem[] {
  return Object.entries(queues).flatMap(([name, settings]): readonly Problem[] => {
    const { intake } = settings;
    if (intake === undefined) return [];
    const at = ['queues', name, 'intake'];
    const misfit = misfitOf(settings, redis_url);
    if (misfit !== undefined) return [[at, misfit]];
    const problems: Problem[] = [];
    const key = keyProblem(queues, name, intake.key, redis_url);
    if (key !== undefined) problems.push([[...at, 'key'], key]);
    if (intake.group !== undefined && settings.routing_strategy === 'split_queue')
      problems.push([[...at, 'group'], 'must be left out with split_queue: a list has no consumer groups']);
    return problems;
  });
}

function misfitOf(
  { routing_strategy, envelope }: QueueWithIntake,
  redisUrl: string | undefined,
): string | undefined {
  if (isOfBullmq({ envelope }))
    return "must be left out where envelope is bullmq: BullMQ's own workers own its keys; dispatch jobs to a proxy instead";
  if (routing_strategy !== 'split_queue' && routing_strategy !== 'stream_group')
    return 'needs routing_strategy of the same queue: split_queue if the intake is a list, stream_group if it is a stream';
  if (redisUrl === undefined)
    return 'needs redis_url: nobody else can put jobs into the embedded store, so there is nothing to take in';
  return undefined;
}

function keyProblem(
  queues: ConfigWithIntakes['queues'],
  name: string,
  key: string,
  redisUrl: string | undefined,
): string | undefined {
  for (const [other, settings] of Object.entries(queues)) {
    const lanes = laneNames(other, settings);
    if (settings.routing_strategy !== 'hash_ring' && ownsKey(lanes, key))
      return (
        `must not be "${key}", a key of the lanes of ${other}: set key_template so that those have others, ` +
        'such as lanes:{queue}, and let the workers read them'
      );
    if (other !== name && settings.intake?.key === key) return `must not be "${key}", the intake of ${other}`;
  }
  const lane = laneKeyOf(laneNames(name, queues[name]!), 'stable');
  if (redisUrl?.startsWith('redis+cluster:') && (hashTagOf(key) ?? key) !== (hashTagOf(lane) ?? lane))
    return `must share a hash tag with "${lane}" on Redis Cluster, such as {${name.replaceAll(/[{}]/g, '')}}`;
  return undefined;
}

/** The kind makes no difference to the names. */
function laneNames(name: string, { key_template }: QueueWithIntake): LaneQueue {
  return { name, kind: 'list' satisfies LaneKind, keyTemplate: key_template };
}
