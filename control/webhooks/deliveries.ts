import type { Clock } from '../../src/core/clock.ts';
import type { Logger } from '../../src/runtime/log.ts';
import { startPeriodic } from '../../src/runtime/periodic.ts';
import type { OutboxStore, TakenNotice } from '../../src/runtime/store/outbox-store.ts';
import type { DeliveryCounter } from './delivery-counter.ts';
import { createLimiter } from './limiter.ts';
import type { Answer, Poster } from './post.ts';
import { retryAfterFailure } from './retry.ts';
import type { Webhook } from './webhook.ts';

/**
 * Carries notices from the outbox to the webhooks. Every instance of the control plane does it; the outbox gives each
 * notice to one of them at a time. At least once: what was delivered and could not be settled comes again, with the same
 * id. In no order: what fails is tried again after what came later.
 *
 * Nothing waits for it: changes only put notices into the outbox, and a webhook that hangs holds up its own notices
 * alone.
 */
export interface DeliveryOptions {
  readonly outbox: OutboxStore;
  readonly webhooks: readonly Webhook[];
  readonly poster: Poster;
  readonly clock: Clock;
  readonly log: Logger;
  readonly counter: DeliveryCounter;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Other than the defaults. */
  readonly settings?: Partial<DeliverySettings>;
}

export interface DeliverySettings {
  /** Between two looks into the outbox. */
  readonly pollMs: number;
  /** How long a notice is ours. */
  readonly leaseMs: number;
  /** A notice that is ours for longer is not begun any more: its lease could run out under way. */
  readonly beginWithinMs: number;
}

/** Long enough for an attempt, a wait for one's turn, and settling it over a store that is slow. */
export const ATTEMPT_TIMEOUT_MS = 10_000;
const SETTINGS: DeliverySettings = { pollMs: 1000, leaseMs: 60_000, beginWithinMs: 40_000 };

/** Of one webhook at once: enough to catch up after an outage, few enough not to be one for the receiver. */
const CONCURRENCY_MAX = 4;
/** About a kilobyte each. */
const HELD_MAX = 1000;
const TAKEN_AT_ONCE_MAX = 100;

/**
 * While the configuration is changed on one instance after the other, one that does not know a webhook meets notices
 * from one that does; it leaves them to the others for so long.
 */
const UNKNOWN_AGE_MS_MAX = 15 * 60_000;
const UNKNOWN_DELAY_MS = 5000;

export interface Deliveries {
  /** Breaks off what is under way; the outbox gives it to another instance, or to the next start. */
  stop(): Promise<void>;
}

export function startDeliveries(options: DeliveryOptions): Deliveries {
  const { outbox, poster, clock, log, counter, random } = options;
  const settings = { ...SETTINGS, ...options.settings };
  const webhooks = new Map(options.webhooks.map((webhook) => [webhook.name, webhook]));
  const limiter = createLimiter(CONCURRENCY_MAX);
  const stopped = new AbortController();
  const held = new Set<Promise<void>>();

  const giveUp = async (notice: TakenNotice, reason: string): Promise<void> => {
    await outbox.settleNotice(notice.id);
    counter.count(notice.webhook, 'given_up');
    const { webhook, attempt, event } = notice;
    const fields = {
      webhook,
      event: event.id,
      deployment: event.deploymentId,
      type: event.type,
      attempt,
      reason,
    };
    log.warn(fields, 'A webhook was not told of an event; given up');
  };

  const retry = async (notice: TakenNotice, answer: Answer & { kind: 'failed' }): Promise<void> => {
    const { attempt, webhook, event } = notice;
    const next = retryAfterFailure({ ...answer, attempt, ageMs: ageOf(notice) }, random());
    if (next.kind === 'give up') return giveUp(notice, answer.reason);
    await outbox.postponeNotice(notice.id, next.delayMs);
    counter.count(webhook, 'failed');
    log.debug({ webhook, event: event.id, attempt, reason: answer.reason, ...next }, 'webhook not delivered');
  };

  const ageOf = ({ event }: TakenNotice): number => clock.now() - event.timestamp;

  const deliver = async (webhook: Webhook, notice: TakenNotice): Promise<void> => {
    const answer = await poster.post(webhook, notice.event, stopped.signal);
    switch (answer.kind) {
      case 'delivered':
        await outbox.settleNotice(notice.id);
        counter.count(webhook.name, 'delivered');
        return;
      case 'gone':
        return giveUp(notice, answer.reason);
      case 'failed':
        // Broken off by us, it says nothing of the receiver.
        return stopped.signal.aborted ? undefined : retry(notice, answer);
      default:
        return answer satisfies never;
    }
  };

  const leaveToOthers = async (notice: TakenNotice): Promise<void> => {
    if (ageOf(notice) < UNKNOWN_AGE_MS_MAX) await outbox.postponeNotice(notice.id, UNKNOWN_DELAY_MS);
    else await giveUp(notice, 'no such webhook is configured');
  };

  const hold = (notice: TakenNotice): void => {
    const webhook = webhooks.get(notice.webhook);
    const takenAt = clock.monotonic();
    const handling = limiter.run(notice.webhook, async () => {
      const isLate = clock.monotonic() - takenAt > settings.beginWithinMs;
      if (stopped.signal.aborted || isLate) return;
      try {
        await (webhook === undefined ? leaveToOthers(notice) : deliver(webhook, notice));
      } catch (error) {
        // Its lease runs out, and it comes again.
        log.debug({ err: error, webhook: notice.webhook }, 'the outcome of a delivery could not be stored');
      }
    });
    held.add(handling);
    void handling.finally(() => held.delete(handling));
  };

  const take = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const limit = Math.min(TAKEN_AT_ONCE_MAX, HELD_MAX - held.size);
      if (limit <= 0) return;
      const notices = await outbox.takeNotices(limit, settings.leaseMs);
      notices.forEach(hold);
      if (notices.length < limit) return;
    }
  };

  const taking = startPeriodic(
    () => settings.pollMs * (0.5 + random()),
    () => take().catch((error: unknown) => log.debug({ err: error }, 'the outbox could not be read')),
  );
  return {
    async stop() {
      stopped.abort();
      await taking.stop();
      await Promise.all(held);
      await poster.close();
    },
  };
}
