/**
 * Every key of the control plane's state carries one hash tag: on a Cluster they share a slot, which is what lets one
 * script change several of them in one step.
 */
const PREFIX = '{lanewise}:';

export const KEYS = {
  /** String: a number, see `schema.ts`. */
  schema: `${PREFIX}schema`,
  /** String: a UUID, or the UUID of the first one, a dot and a UUID; see `src/core/epoch.ts`. */
  epoch: `${PREFIX}epoch`,
  /** String: run id of the server that the epoch was last used on. */
  server: `${PREFIX}server`,
  /** String: a number. */
  revision: `${PREFIX}revision`,
  /** Hash: id → `<version> <status> <scope> <json>`. */
  deployments: `${PREFIX}deployments`,
  /** Sorted set: id by sequence, the order of creation. */
  order: `${PREFIX}deployments:order`,
  /** String: the last sequence. */
  sequence: `${PREFIX}deployments:sequence`,
  /** Hash: scope → id of the deployment that has not ended. */
  open: `${PREFIX}deployments:open`,
  /** Hash: scope → `<revision> <json>`. */
  routes: `${PREFIX}routes`,
  /** Hash: id → `<version> <json>`. */
  workers: `${PREFIX}workers`,
  /** Hash: id → JSON of the routing part, to be compared as a string. */
  routing: `${PREFIX}workers:routing`,
  /** Sorted set, all scores 0: ` <worker id>` for each worker, and `<queue> <worker id>` for each queue that it serves. */
  serving: `${PREFIX}workers:serving`,
  /** Hash: worker id → `<version> <processed> <succeeded> <failed> <total ms> <last job> <last seen>`. */
  activity: `${PREFIX}workers:activity`,
  /** Hash: `route <scope>` or `worker <id>` → revision of the memory from which a proxy gave it back. */
  seeded: `${PREFIX}seeded`,
  /** String: `<fence> <end of lease> <holder>`, milliseconds of the server's clock. Stays when it has run out. */
  judge: `${PREFIX}judge`,
  /** Hash: deployment id → JSON. */
  judgements: `${PREFIX}judgements`,
  /** Hash: id → `<how often taken> <json>`. */
  notices: `${PREFIX}notices`,
  /** Sorted set: id of a notice by when it is due, milliseconds of the server's clock. */
  noticesDue: `${PREFIX}notices:due`,
  /** Sorted set: id of a notice by when it was stored. */
  noticesOrder: `${PREFIX}notices:order`,
  /** Sorted set: proxy id by end of lease, milliseconds of the server's clock. */
  leases: `${PREFIX}reports:leases`,
  /** Hash: proxy id → `<epoch> <revision>`. */
  reports: `${PREFIX}reports`,
} as const;

/** List: JSON, newest first. */
export function eventsKey(deploymentId: string): string {
  return `${PREFIX}events:${deploymentId}`;
}

/**
 * Prefix of a deployment's telemetry, see `telemetry-scripts.ts`: strings `<prefix><bucket>` and `<prefix>step:<step>`,
 * MessagePack; lists `<prefix>pending:<bucket>`, JSON; string `<prefix>bucket`, the last one. A hash tag of its own: on
 * a Cluster the telemetry of many deployments spreads over the nodes.
 */
export function telemetryKey(deploymentId: string): string {
  return `{lanewise:${deploymentId}}:telemetry:`;
}

/** String: when the bucket is full, milliseconds of the server's clock. Each bucket is on whichever node of a Cluster. */
export function bucketKey(bucket: string): string {
  return `{lanewise:bucket:${bucket}}`;
}

/** String: `running <fingerprint> <owner>` or `answered <fingerprint> <answer>`. */
export function answerKey(key: string): string {
  return `{lanewise:answer:${key}}`;
}

/** Channels are shared by all databases of a server, keys are not; hence the number. */
export function channelsOf(db: number) {
  return {
    routes: `${PREFIX}${db}:routes`,
    reports: `${PREFIX}${db}:reports`,
    events: `${PREFIX}${db}:events`,
  } as const;
}
