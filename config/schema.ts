import { z } from 'zod';
import { ROUTING_STRATEGIES } from '../src/core/deployment.ts';
import { QUEUE_NAME } from '../src/core/names.ts';
import { BOUNDED_LOAD_DEFAULT } from '../src/core/pool.ts';
import { intakeProblems } from './intake.ts';
import { bullmqProblems, laneSettings } from './lane-queues.ts';
import { ownProfiles } from './own-profiles.ts';
import { decimal, duration, flag, integer, list, oneOf, origin, port, text } from './fields.ts';
import { clientTls, serverTls } from './tls.ts';
import { webhooks } from './webhooks.ts';

/**
 * Every key of the configuration, as written in the YAML file. The environment variable of a key is `LANEWISE_` and
 * its path in capitals (`proxy.port`: `LANEWISE_PROXY_PORT`); `redis_url` is plain `REDIS_URL`.
 */

const SECOND = 1000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Node timers hold 2^31 ms; beyond that they fire at once. */
const TIMER_MAX = 24 * DAY;

/** Loopback and private ranges. Never link-local: that is where clouds keep their metadata service. */
export const URL_ALLOW_DEFAULT = [
  '127.0.0.0/8',
  '::1/128',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  'fc00::/7',
];

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

function listener(defaultPort: number) {
  return z
    .strictObject({
      // Loopback: nothing of Lanewise is reachable from elsewhere unless somebody says so.
      host: text('must be an address or host name to listen on').default('127.0.0.1'),
      port: port.default(defaultPort),
      tls: serverTls,
    })
    .prefault({});
}

const queueSettings = z.strictObject({
  routing_strategy: oneOf(ROUTING_STRATEGIES).optional(),
  allow_lane_override: flag().default(false),
  ...laneSettings,
  bounded_load: z
    .strictObject({
      factor: decimal(1, 100).default(BOUNDED_LOAD_DEFAULT.factor),
      floor: integer(1, 1_000_000).default(BOUNDED_LOAD_DEFAULT.floor),
    })
    .prefault({}),
});

const queuePolicy = queueSettings.superRefine((settings, context) => {
  for (const [key, message] of bullmqProblems(settings)) {
    context.addIssue({ code: 'custom', path: [key], message });
  }
});

const keys = z.strictObject({
  redis_url: text('must be a Redis URL').optional(),
  // With rediss:// only.
  redis_tls: clientTls,
  data_dir: text('must be a path').default('.lanewise'),
  log_level: oneOf(LOG_LEVELS).default('info'),
  control: listener(8080)
    .unwrap()
    .extend({ metrics_public: flag().default(true), cors_origins: list(origin).default([]) })
    .prefault({}),
  proxy: listener(8090)
    .unwrap()
    // Not by default: a second proxy that is started by mistake should say so.
    .extend({
      reuse_port: flag().default(false),
      // Of workers at https://.
      worker_tls: clientTls,
    })
    .prefault({}),
  admin: listener(8091),

  metrics: z
    .strictObject({
      // Every tenant with a route of its own multiplies the series of its queue.
      tenant_label: flag().default(false),
    })
    .prefault({}),

  tokens: text('must be name:role:secret[:tenant], several separated by commas').optional(),
  /** Where `tokens` are read from, again when it changes. */
  tokens_file: text('must be the path of a file').optional(),
  /** Of each token; requests without a known one count by address. */
  rate_limit: z
    .strictObject({
      // 0: no limit.
      per_minute: integer(0, 1_000_000).default(100),
      burst: integer(1, 1_000_000).default(20),
    })
    .prefault({}),
  profiles: ownProfiles,
  max_active_deployments: integer(1, 1_000_000).default(1000),
  // About 20 KiB each; and below the 16 k open files of usual limits, with room for the rest.
  max_event_streams: integer(0, 1_000_000).default(10_000),
  worker_url_allow: list(z.string()).default(URL_ALLOW_DEFAULT),
  webhooks,
  webhook_url_allow: list(z.string()).default(URL_ALLOW_DEFAULT),

  judge: z
    .strictObject({
      // As often as the telemetry comes.
      interval: duration(100, 60 * SECOND).default(SECOND),
      // One canary in twenty that sits exactly at its thresholds; of those well within them hardly any.
      alpha: decimal(0.0001, 0.5).default(0.05),
    })
    .prefault({}),

  /** A worker that nobody has seen for so long is `unreachable` until it is seen again. */
  worker_timeout: duration(100, DAY).default(120 * SECOND),

  /** For a queue that neither `queues` nor a deployment gives one. */
  default_routing_strategy: oneOf(ROUTING_STRATEGIES).default('split_queue'),
  queues: z
    .record(
      z.string().regex(QUEUE_NAME.pattern, { error: `is not a queue name: ${QUEUE_NAME.accepted}` }),
      queuePolicy,
    )
    .default({}),

  /** Queue lanes: jobs that wait in Redis or the embedded store. */
  lanes: z
    .strictObject({
      // Whether this proxy takes jobs from lanes and dispatches them to workers.
      consume: flag().default(true),
      // A consumer that is not heard of for so long has lost its jobs; others have them within twice that.
      lease: duration(SECOND, HOUR).default(15 * SECOND),
      // Jobs under way on one worker of this proxy, where the worker doesn't say.
      concurrency: integer(1, 10_000).default(10),
      // Held whole, as JSON, in Redis: meant for messages, not for files.
      body_bytes_max: integer(1, 256 * 1024 * 1024).default(1024 * 1024),
      // Of Redis, that have a job before its producer gets 202: a fail-over then loses none. 0: a Redis may be alone.
      replicas_acknowledged: integer(0, 16).default(0),
    })
    .prefault({}),

  // Of producers. About 10 KiB each, and below the open files of usual limits.
  max_connections: integer(1, 1_000_000).default(10_000),
  max_in_flight: integer(1, 1_000_000).default(4096),
  /** Dispatches that wait for a place on a worker; Envoy's default. They are under way, too. */
  max_pending: integer(0, 1_000_000).default(1024),
  /** When a worker that fails is left alone for a while; see `src/core/outlier.ts`. The times are Envoy's. */
  ejection: z
    .strictObject({
      // 0: never.
      failures: integer(0, 10_000).default(5),
      time: duration(100, HOUR).default(30 * SECOND),
      time_max: duration(100, DAY).default(300 * SECOND),
      // Of a lane. Half of it gone is trouble of another kind, which ejecting more would not mend.
      max_percent: decimal(0, 100).default(50),
    })
    .prefault({}),
  /** Of workers that gave a health path; see `src/core/probe.ts`. */
  health_check: z
    .strictObject({
      // Every proxy asks every worker.
      interval: duration(10, HOUR).default(5 * SECOND),
      timeout: duration(10, HOUR).default(2 * SECOND),
      // HAProxy's `fall` and `rise`.
      unhealthy_after: integer(1, 1000).default(3),
      healthy_after: integer(1, 1000).default(2),
    })
    .prefault({}),
  /** How long a worker that is new, or was out, takes to its full share; 0: has it at once. See `src/core/slow-start.ts`. */
  slow_start: duration(0, HOUR).default(0),
  dispatch: z
    .strictObject({
      // Long enough for most jobs, short enough that a hung worker is noticed. 0: none.
      timeout: duration(0, TIMER_MAX).default(60 * SECOND),
      // Envoy's default. A worker beside us accepts in microseconds; this is for one whose host is gone.
      connect_timeout: duration(10, 10 * 60 * SECOND).default(5 * SECOND),
      // 0: none. The dispatch timeout covers it; a job may well work for as long before it answers.
      response_header_timeout: duration(0, TIMER_MAX).default(0),
      // Between two pieces of a body, either way. 0: none.
      idle_body_timeout: duration(0, DAY).default(60 * SECOND),
      // 0: no limit.
      body_bytes_max: integer(0, Number.MAX_SAFE_INTEGER).default(0),
    })
    .prefault({}),
  /** How long running dispatches may go on after SIGTERM. */
  shutdown_timeout: duration(0, HOUR).default(120 * SECOND),
  /** How long idle connections are kept then, for those who are just sending. */
  shutdown_idle_grace: duration(0, HOUR).default(SECOND),
});

export const configSchema = keys.superRefine((config, context) => {
  for (const [path, message] of intakeProblems(config)) {
    context.addIssue({ code: 'custom', path: [...path], message });
  }
});

export type ConfigInput = z.output<typeof configSchema>;
