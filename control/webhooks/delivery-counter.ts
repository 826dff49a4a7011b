import { Counter, type Registry } from 'prom-client';

/** How deliveries ended. `failed` is tried again. */
const RESULTS = ['delivered', 'failed', 'given_up'] as const;
export type DeliveryResult = (typeof RESULTS)[number];

export interface DeliveryCounter {
  count(webhook: string, result: DeliveryResult): void;
}

/** @param webhooks names; each has its series from the start, so that the first failure is a rise already */
export function createDeliveryCounter(registry: Registry, webhooks: readonly string[]): DeliveryCounter {
  const counter = new Counter({
    name: 'canary_webhook_deliveries_total',
    help: 'Attempts of this instance to tell a webhook of an event, by what became of them.',
    labelNames: ['webhook', 'result'],
    registers: [registry],
  });
  for (const webhook of webhooks) {
    for (const result of RESULTS) counter.inc({ webhook, result }, 0);
  }
  return { count: (webhook, result) => counter.inc({ webhook, result }) };
}
