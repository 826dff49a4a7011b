import type { Registry } from 'prom-client';
import type { Config } from '../../config/load.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { Logger } from '../../src/runtime/log.ts';
import type { OutboxStore } from '../../src/runtime/store/outbox-store.ts';
import { createAddressAllow, type ResolveHost } from '../../src/runtime/addresses/address-allow.ts';
import { ATTEMPT_TIMEOUT_MS, startDeliveries, type Deliveries } from './deliveries.ts';
import { createDeliveryCounter } from './delivery-counter.ts';
import { createPoster } from './post.ts';
import { checkReceivers } from './receivers.ts';
import { webhooksFrom, type Webhook } from './webhook.ts';

/** The webhooks of the configuration, which lead where they may. */
export interface OpenedWebhooks {
  readonly webhooks: readonly Webhook[];
  /** Runs also without any: what is left of one that was taken out of the configuration has to go. */
  start(options: DeliveryParts): Deliveries;
}

export interface DeliveryParts {
  readonly outbox: OutboxStore;
  readonly clock: Clock;
  readonly registry: Registry;
  /** Of this build. */
  readonly version: string;
}

/** @throws OperatorError for an allow-list that is none, or naming every webhook that leads elsewhere */
export async function openWebhooks(
  config: Pick<Config, 'webhooks' | 'webhook_url_allow'>,
  resolve: ResolveHost,
  log: Logger,
): Promise<OpenedWebhooks> {
  const webhooks = webhooksFrom(config.webhooks);
  const allow = createAddressAllow({
    allow: config.webhook_url_allow,
    variable: 'LANEWISE_WEBHOOK_URL_ALLOW',
    subject: 'webhook',
  });
  await checkReceivers(webhooks, allow, resolve, log);
  return {
    webhooks,
    start({ outbox, clock, registry, version }) {
      return startDeliveries({
        outbox,
        webhooks,
        poster: createPoster({ allow, resolve, clock, version, timeoutMs: ATTEMPT_TIMEOUT_MS }),
        clock,
        log,
        counter: createDeliveryCounter(
          registry,
          webhooks.map(({ name }) => name),
        ),
        random: Math.random,
      });
    },
  };
}
