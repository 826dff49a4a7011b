import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { URL_ALLOW_DEFAULT } from '../../../config/schema.ts';
import { createAddressAllow } from '../../../src/runtime/addresses/address-allow.ts';
import { systemResolveHost } from '../../../src/runtime/addresses/resolve-host.ts';
import {
  startDeliveries,
  type Deliveries,
  type DeliveryOptions,
} from '../../../control/webhooks/deliveries.ts';
import { createPoster } from '../../../control/webhooks/post.ts';
import type { Clock } from '../../../src/core/clock.ts';
import type { DeploymentEvent } from '../../../src/core/deployment.ts';
import { openSplit } from '../../../src/core/route.ts';
import { createLog } from '../../../src/runtime/log.ts';
import type { OutboxStore } from '../../../src/runtime/store/outbox-store.ts';
import { openEmbeddedStore } from '../../../src/runtime/store/sqlite/embedded-store.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { deploymentOf } from '../../core/fixtures.ts';
import { temporaryDirectory } from '../harness.ts';
import { SECRET, startReceiver, webhookTo } from './receiver.ts';

/** The loop over a real outbox, with a clock that stands until a test moves it on. */

const HOUR = 3_600_000;
const LEASE_MS = 60_000;
const PATIENCE = { timeout: 60_000, interval: 5 } as const;

interface Plane extends Deliveries {
  readonly counts: readonly string[];
  readonly lines: readonly string[];
}

interface Scene {
  readonly store: Store;
  readonly clock: Clock;
  advance(ms: number): void;
  /** Puts so many notices for a webhook into the outbox. @returns the ids of their events */
  notify(webhook: string, count?: number, ageMs?: number): Promise<readonly string[]>;
  /** An instance that delivers. */
  deliver(webhooks: DeliveryOptions['webhooks'], outbox?: OutboxStore): Plane;
}

let made = 0;

async function scene(): Promise<Scene> {
  let now = 1_757_853_900_000;
  const clock: Clock = { now: () => now, monotonic: () => now };
  const store = openEmbeddedStore({ dataDir: await temporaryDirectory(), clock });
  onTestFinished(() => store.close());
  return {
    store,
    clock,
    advance(ms) {
      now += ms;
    },
    async notify(webhook, count = 1, ageMs = 0) {
      const deployment = deploymentOf({ id: `canary_${++made}`, queue: `queue-${made}` });
      const events = Array.from({ length: count }, (): DeploymentEvent => ({
        id: `event_${++made}`,
        deploymentId: deployment.id,
        type: 'deployment_promoted',
        message: 'Deployment promoted to 100%',
        timestamp: now - ageMs,
        actor: 'ops',
      }));
      await store.createDeployment({
        deployment,
        route: openSplit(undefined, deployment),
        basedOnRevision: 0,
        events: [],
        notices: events.map((event) => ({ id: `${event.id}:${webhook}`, webhook, event })),
        openMax: 1000,
      });
      return events.map(({ id }) => id);
    },
    deliver(webhooks, outbox = store) {
      const counts: string[] = [];
      const lines: string[] = [];
      const deliveries = startDeliveries({
        outbox,
        webhooks,
        poster: createPoster({
          allow: createAddressAllow({ allow: URL_ALLOW_DEFAULT, variable: 'ALLOW', subject: 'webhook' }),
          resolve: systemResolveHost,
          clock,
          version: '0.0.0-test',
          timeoutMs: 20_000,
        }),
        clock,
        log: createLog(
          'info',
          new Writable({
            write(chunk: Buffer, _encoding, done) {
              lines.push(chunk.toString());
              done();
            },
          }),
        ),
        counter: { count: (webhook, result) => counts.push(`${webhook} ${result}`) },
        random: () => 1,
        settings: { pollMs: 1 },
      });
      onTestFinished(() => deliveries.stop());
      return { ...deliveries, counts, lines };
    },
  };
}

function counted(plane: Plane, ...counts: readonly string[]): Promise<unknown> {
  return vi.waitFor(() => expect(plane.counts).toEqual(counts), PATIENCE);
}

/** Whether nothing is left in the outbox, however long one waits. */
async function isEmpty(s: Scene): Promise<boolean> {
  s.advance(48 * HOUR);
  return (await s.store.takeNotices(10, 0)).length === 0;
}

describe('a notice', () => {
  test('is delivered and gone', async () => {
    const s = await scene();
    const receiver = await startReceiver();
    const [id] = await s.notify('ops');
    const plane = s.deliver([webhookTo(receiver.url)]);
    await counted(plane, 'ops delivered');
    await plane.stop();
    expect(receiver.ids).toEqual([id]);
    expect(await isEmpty(s)).toBe(true);
  });

  test('that is answered 500 comes again later, with the same id and body, signed anew', async () => {
    const s = await scene();
    const receiver = await startReceiver((response, count) =>
      response.writeHead(count === 1 ? 500 : 200).end(),
    );
    await s.notify('ops');
    const plane = s.deliver([webhookTo(receiver.url)]);
    await counted(plane, 'ops failed');
    expect(await s.store.takeNotices(1, 0)).toEqual([]);
    s.advance(5000);
    await counted(plane, 'ops failed', 'ops delivered');
    const [first, second] = receiver.received;
    expect(second!.body).toBe(first!.body);
    expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id']);
    expect(Number(second!.headers['webhook-timestamp'])).toBe(
      Number(first!.headers['webhook-timestamp']) + 5,
    );
    expect(second!.headers['webhook-signature']).not.toBe(first!.headers['webhook-signature']);
  });

  test('comes no sooner than Retry-After says', async () => {
    const s = await scene();
    const receiver = await startReceiver((response, count) =>
      count === 1 ? response.writeHead(429, { 'retry-after': '90' }).end() : response.writeHead(200).end(),
    );
    await s.notify('ops');
    const plane = s.deliver([webhookTo(receiver.url)]);
    await counted(plane, 'ops failed');
    s.advance(89_999);
    expect(await s.store.takeNotices(1, 0)).toEqual([]);
    s.advance(1);
    await counted(plane, 'ops failed', 'ops delivered');
  });

  test('that is answered 410 is given up, with one line that holds no secret', async () => {
    const s = await scene();
    const receiver = await startReceiver((response) => response.writeHead(410).end());
    const [id] = await s.notify('ops');
    const plane = s.deliver([webhookTo(`${receiver.url}/t0ken`)]);
    await counted(plane, 'ops given_up');
    expect(plane.lines).toHaveLength(1);
    expect(JSON.parse(plane.lines[0]!)).toMatchObject({
      level: 40,
      webhook: 'ops',
      event: id,
      type: 'deployment_promoted',
      attempt: 1,
      reason: 'answered 410',
    });
    expect(plane.lines[0]).not.toContain('t0ken');
    expect(plane.lines[0]).not.toContain(SECRET.slice(6));
    await plane.stop();
    expect(await isEmpty(s)).toBe(true);
  });

  test('that nobody has taken for a day is given up, with one line', async () => {
    const s = await scene();
    const receiver = await startReceiver((response) => response.writeHead(500).end());
    await s.notify('ops');
    const plane = s.deliver([webhookTo(receiver.url)]);
    await counted(plane, 'ops failed');
    s.advance(24 * HOUR);
    await counted(plane, 'ops failed', 'ops given_up');
    expect(plane.lines).toHaveLength(1);
    await plane.stop();
    expect(await isEmpty(s)).toBe(true);
  });
});

describe('a webhook that hangs', () => {
  test('holds up no other, and gets four deliveries at once', async () => {
    const s = await scene();
    const hanging = await startReceiver(() => {});
    const prompt = await startReceiver();
    await s.notify('slow', 300);
    const plane = s.deliver([webhookTo(hanging.url, { name: 'slow' }), webhookTo(prompt.url)]);
    await hanging.came(4);
    await s.notify('ops', 20);
    await prompt.came(20);
    expect(hanging.received).toHaveLength(4);
    await plane.stop();
  });

  // What waits for its turn is ours for a time only; begun near its end, it could be delivered by two.
  test('is not sent what has waited for too long; that comes again', async () => {
    const s = await scene();
    const open: ServerResponse[] = [];
    const receiver = await startReceiver((response, count) => {
      if (count <= 4) open.push(response);
      else response.writeHead(200).end();
    });
    const ids = await s.notify('ops', 5);
    const plane = s.deliver([webhookTo(receiver.url)]);
    await receiver.came(4);
    s.advance(LEASE_MS - 1);
    for (const response of open) response.writeHead(200).end();
    await counted(plane, ...Array<string>(4).fill('ops delivered'));
    expect(receiver.received).toHaveLength(4);
    s.advance(1);
    await counted(plane, ...Array<string>(5).fill('ops delivered'));
    expect(receiver.ids.toSorted()).toEqual(ids.toSorted());
  });
});

describe('several instances', () => {
  test('deliver each notice once between them', async () => {
    const s = await scene();
    const receiver = await startReceiver();
    const ids = await s.notify('ops', 200);
    const planes = [1, 2, 3].map(() => s.deliver([webhookTo(receiver.url)]));
    await vi.waitUntil(() => planes.reduce((sum, { counts }) => sum + counts.length, 0) === 200, PATIENCE);
    await Promise.all(planes.map((plane) => plane.stop()));
    expect(receiver.ids.toSorted()).toEqual(ids.toSorted());
    expect(await isEmpty(s)).toBe(true);
  });

  test('stand in for one that stopped under way, once its lease has run out', async () => {
    const s = await scene();
    const receiver = await startReceiver((response, count) => {
      if (count > 1) response.writeHead(200).end();
    });
    const [id] = await s.notify('ops');
    const first = s.deliver([webhookTo(receiver.url)]);
    await receiver.came(1);
    await first.stop();
    expect(first.counts).toEqual([]);

    const second = s.deliver([webhookTo(receiver.url)]);
    s.advance(LEASE_MS);
    await counted(second, 'ops delivered');
    expect(receiver.ids).toEqual([id, id]);
  });

  // While one instance after the other gets a new configuration, some know a webhook that others do not.
  test('that do not know a webhook leave its notices to those that do', async () => {
    const s = await scene();
    const receiver = await startReceiver();
    await s.notify('new');
    let postponed = 0;
    const old = s.deliver([], {
      ...s.store,
      async postponeNotice(...args) {
        await s.store.postponeNotice(...args);
        postponed++;
      },
    });
    await vi.waitUntil(() => postponed > 0, PATIENCE);
    await old.stop();
    expect(old.counts).toEqual([]);
    s.deliver([webhookTo(receiver.url, { name: 'new' })]);
    s.advance(5000);
    await receiver.came(1);
  });

  test('drop the notices of a webhook that none of them has known for a while', async () => {
    const s = await scene();
    await s.notify('removed', 1, HOUR);
    const plane = s.deliver([]);
    await counted(plane, 'removed given_up');
    expect(plane.lines).toHaveLength(1);
    expect(plane.lines[0]).toContain('no such webhook is configured');
    await plane.stop();
    expect(await isEmpty(s)).toBe(true);
  });
});

describe('a store that is away', () => {
  test('is asked again', async () => {
    const s = await scene();
    const receiver = await startReceiver();
    await s.notify('ops');
    let calls = 0;
    const plane = s.deliver([webhookTo(receiver.url)], {
      ...s.store,
      async takeNotices(...args) {
        if (++calls === 1) throw new Error('away');
        return s.store.takeNotices(...args);
      },
    });
    await counted(plane, 'ops delivered');
    expect(calls).toBeGreaterThan(1);
  });

  test('when a delivery is over has it delivered again, with the same id', async () => {
    const s = await scene();
    const receiver = await startReceiver();
    const [id] = await s.notify('ops');
    let refused = 0;
    const plane = s.deliver([webhookTo(receiver.url)], {
      ...s.store,
      async settleNotice(settled) {
        if (refused++ === 0) throw new Error('away');
        await s.store.settleNotice(settled);
      },
    });
    await vi.waitUntil(() => refused === 1, PATIENCE);
    s.advance(LEASE_MS);
    await counted(plane, 'ops delivered');
    expect(receiver.ids).toEqual([id, id]);
  });
});
