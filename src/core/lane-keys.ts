import type { Lane } from './lane.ts';
import { hasHashTag } from './names.ts';

/**
 * What the lanes of a queue are called in Redis. The stable lane has the queue's own key, which is what existing
 * workers read today; everything else is that key with something behind it. A suffix never changes the first hash
 * tag, so on a Cluster all keys of a queue share the slot that the tag in its base key names.
 */
export interface LaneQueue {
  readonly name: string;
  /** `list` for split_queue, `stream` for stream_group. */
  readonly kind: LaneKind;
  /** Default `{queue}`, the bare name; Sidekiq's is `queue:{queue}`. */
  readonly keyTemplate?: string;
  /** Default `json`. */
  readonly envelope?: EnvelopeKind;
  /** Where producers push that know nothing of lanes. */
  readonly intake?: Intake;
}

/** Of the queue's kind. Proxies move jobs from it into the lanes. */
export interface Intake {
  readonly key: string;
  /** Of a stream: the consumer group whose place the proxies take. */
  readonly group: string;
}

export const LANE_KINDS = ['list', 'stream'] as const;
export type LaneKind = (typeof LANE_KINDS)[number];

/**
 * `json`: see `queue-job.ts`. `raw`: the body and nothing else, for workers that read Redis themselves. `bullmq`: no list
 * of ours, but a queue of BullMQ for each lane; see `bullmq-job.ts`.
 */
export const ENVELOPE_KINDS = ['json', 'raw', 'bullmq'] as const;
export type EnvelopeKind = (typeof ENVELOPE_KINDS)[number];

/** Whether its jobs are taken by BullMQ's workers, so that no proxy reads its lanes. */
export function isOfBullmq({ envelope }: Pick<LaneQueue, 'envelope'>): boolean {
  return envelope === 'bullmq';
}

export const KEY_TEMPLATE_DEFAULT = '{queue}';
const PLACEHOLDER = '{queue}';

export const CANARY_SUFFIX = '@canary';
export const DEAD_SUFFIX = ':dead';
/** Of all that is ours alone: ledger, fences, leases, jobs in workers' hands, retries. */
export const OWN_SUFFIX = ':lanewise:';

/** Suffix of the name under which a consumer waits; see `inboxOf`. */
const INBOX_SUFFIX = '+inbox';

/** What is wrong with a template, as it completes "the key template …"; undefined if nothing is. */
export function keyTemplateProblem(template: string): string | undefined {
  const parts = template.split(PLACEHOLDER);
  if (parts.length !== 2) return `must contain ${PLACEHOLDER} exactly once`;
  // A stray brace would hide the hash tag in the queue's name, or make one that is not meant.
  if (/[{}]/.test(parts[1] ?? '') || /\{[^}]*$|^[^{]*\}/.test(parts[0] ?? '')) return 'has a brace too many';
  if (!/^[\x21-\x7e]{1,256}$/.test(template)) return 'must be 1 to 256 visible ASCII characters';
  return undefined;
}

export function baseKeyOf({ name, keyTemplate = KEY_TEMPLATE_DEFAULT }: LaneQueue): string {
  return keyTemplate.replace(PLACEHOLDER, () => name);
}

export function laneKeyOf(queue: LaneQueue, lane: Lane): string {
  return lane === 'canary' ? baseKeyOf(queue) + CANARY_SUFFIX : baseKeyOf(queue);
}

/** Whether the key is one of those that hold the queue's lanes and what belongs to them. */
export function ownsKey(queue: LaneQueue, key: string): boolean {
  const base = baseKeyOf(queue);
  return (
    key === base ||
    key === base + CANARY_SUFFIX ||
    key === base + DEAD_SUFFIX ||
    key.startsWith(`${base}${DEAD_SUFFIX}:`) ||
    key.startsWith(base + OWN_SUFFIX)
  );
}

/** What the queue of a lane is called in BullMQ: as its workers call it today, and for the canary with `@canary`. */
export function bullmqNameOf({ name }: LaneQueue, lane: Lane): string {
  return lane === 'canary' ? name + CANARY_SUFFIX : name;
}

/**
 * Where a job goes that Redis hands to a consumer which waited for it: a list of its own, or in a stream the pending
 * entries of a name of its own. Nobody else looks there, and its owner always does before it takes more.
 */
export function inboxOf(queue: LaneQueue, lane: Lane, consumer: string): string {
  return queue.kind === 'stream'
    ? consumer + INBOX_SUFFIX
    : `${baseKeyOf(queue)}${OWN_SUFFIX}inbox:${lane}:${consumer}`;
}

/** Why a Redis Cluster can't take the queue, undefined if it can. */
export function hashTagProblem(queue: LaneQueue): string | undefined {
  const base = baseKeyOf(queue);
  if (hasHashTag(base)) return undefined;
  return (
    `on Redis Cluster all keys of a queue must share a slot, but the key "${base}" of the queue "${queue.name}" has ` +
    `no hash tag: call the queue "{${queue.name.replaceAll(/[{}]/g, '')}}"`
  );
}
