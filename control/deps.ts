import type { Registry } from 'prom-client';
import type { Profiles } from '../config/profiles.ts';
import type { Clock } from '../src/core/clock.ts';
import type { RoutingStrategy } from '../src/core/deployment.ts';
import type { Logger } from '../src/runtime/log.ts';
import type { TokenRate } from '../src/runtime/store/request-store.ts';
import type { Store } from '../src/runtime/store/store.ts';
import type { CredentialStore } from './credentials.ts';
import type { DashboardFiles } from './dashboard-files.ts';
import type { EventStreamSettings } from './event-stream/settings.ts';
import type { ResolveHost } from '../src/runtime/addresses/address-allow.ts';
import type { QueueSettings } from './lanes/queue-catalog.ts';
import type { Webhook } from './webhooks/webhook.ts';

/** What the control plane is made of; the composition root has it all. */
export interface ControlDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly credentials: CredentialStore;
  /** Above it: CONCURRENCY_LIMIT. */
  readonly maxActiveDeployments: number;
  /** Of each token, and of each address that has none; 0 a minute, or left out: no limit. */
  readonly rateLimit?: TokenRate;
  /** Web pages of these origins may call the API. Left out: of none. */
  readonly corsOrigins?: readonly string[];
  /** How long an answer waits for the proxies to apply its change. */
  readonly propagationWaitMs: number;
  /** CIDRs that a worker's `url` may point to. */
  readonly workerUrlAllow: readonly string[];
  /** Who is told of changes. Left out: nobody. */
  readonly webhooks?: readonly Webhook[];
  /** What the configuration fixes for a queue; wins over the deployment's. */
  strategyOf(queue: string): RoutingStrategy | undefined;
  /** How jobs wait in lanes, by queue. Left out: everywhere by the defaults. */
  readonly queues?: Readonly<Record<string, QueueSettings>>;
  /** For a queue that neither the configuration nor a deployment gives one. Left out: split_queue. */
  readonly defaultStrategy?: RoutingStrategy;
  readonly profiles: Profiles;
  /** Chance of ever failing a canary that is within its thresholds. */
  readonly judgeAlpha: number;
  /** Of this build. */
  readonly version: string;
  /** Where the metrics go; a new one if left out. */
  readonly registry?: Registry;
  /** Serve `/metrics` to anybody. Left out: it takes a token, like everything that names queues. */
  readonly metricsPublic?: boolean;
  /** What is served at `/`. Left out: a line that says how to build it. */
  readonly dashboard?: DashboardFiles | undefined;
  /** Other than the defaults. */
  readonly eventStream?: Partial<EventStreamSettings>;
  /** The system's resolver if left out. */
  readonly resolveHost?: ResolveHost;
}
