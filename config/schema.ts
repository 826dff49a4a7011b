import { z } from 'zod';
import { ROUTING_STRATEGIES } from '../src/core/deployment.ts';
import { QUEUE_NAME } from '../src/core/names.ts';
import { BOUNDED_LOAD_DEFAULT } from '../src/core/pool.ts';
import { ownProfiles } from './own-profiles.ts';
import { decimal, duration, flag, integer, list, oneOf, origin, port, text } from './fields.ts';

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
export const WORKER_URL_ALLOW_DEFAULT = [
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
    })
    .prefault({});
}

const queuePolicy = z.strictObject({
  routing_strategy: oneOf(ROUTING_STRATEGIES).optional(),
  allow_lane_override: flag().default(false),
  bounded_load: z
    .strictObject({
      factor: decimal(1, 100).default(BOUNDED_LOAD_DEFAULT.factor),
      floor: integer(1, 1_000_000).default(BOUNDED_LOAD_DEFAULT.floor),
    })
    .prefault({}),
});

export const configSchema = z.strictObject({
  redis_url: text('must be a Redis URL').optional(),
  data_dir: text('must be a path').default('.lanewise'),
  log_level: oneOf(LOG_LEVELS).default('info'),
  control: listener(8080)
    .unwrap()
    .extend({ metrics_public: flag().default(true), cors_origins: list(origin).default([]) })
    .prefault({}),
  proxy: listener(8090),
  admin: listener(8091),

  tokens: text('must be name:role:secret[:tenant], several separated by commas').optional(),
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
  worker_url_allow: list(z.string()).default(WORKER_URL_ALLOW_DEFAULT),

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

  max_in_flight: integer(1, 1_000_000).default(4096),
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
});

export type ConfigInput = z.output<typeof configSchema>;
