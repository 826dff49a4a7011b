import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Registry } from 'prom-client';
import { loadConfig } from '../../../config/load.ts';
import { systemResolveHost } from '../../../src/runtime/addresses/resolve-host.ts';
import { openWebhooks } from '../../../control/webhooks/open.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createLog } from '../../../src/runtime/log.ts';
import { openRedisStore } from '../../../src/runtime/store/redis/redis-store.ts';
import { openEmbeddedStore } from '../../../src/runtime/store/sqlite/embedded-store.ts';
import type { Store } from '../../../src/runtime/store/store.ts';
import { startRedis, type RedisServer } from '../../helpers/redis.ts';
import { created, openControl, temporaryDirectory, type Control } from '../harness.ts';
import { documentedCheck, type DocumentedCheck } from './documented-check.ts';
import { SECRET, startReceiver, type Receiver } from './receiver.ts';

/** From a call of the API to what the receiver gets, over both stores. */

const PATIENCE = { timeout: 60_000, interval: 10 } as const;

let redis: RedisServer;
let docs: DocumentedCheck;

beforeAll(async () => {
  redis = await startRedis();
  docs = await documentedCheck();
});
afterAll(() => redis[Symbol.asyncDispose]());

const STORES: readonly (readonly [string, () => Promise<Store>])[] = [
  ['embedded', async () => openEmbeddedStore({ dataDir: await temporaryDirectory(), clock: systemClock })],
  [
    'redis',
    async () => {
      await redis.client().flushall();
      return openRedisStore({ url: redis.url, clock: systemClock, log: createLog('silent') });
    },
  ],
];

interface Plane {
  readonly control: Control;
  /** Delivers what is in the outbox, as another process over the same store would. */
  readonly deliver: () => Delivering;
}

interface Delivering {
  /** By result, of the webhook `ops`. */
  counts(): Promise<Readonly<Record<string, number>>>;
  stop(): Promise<void>;
}

async function open(openStore: () => Promise<Store>, receiver: Receiver, events = 'all'): Promise<Plane> {
  const { config } = loadConfig({
    environment: {},
    file: {
      path: 'test.yaml',
      text: `webhooks: { ops: { url: "${receiver.url}", secret: "${SECRET}" ${events === 'all' ? '' : `, events: [${events}]`} } }`,
    },
    readFile: () => '',
  });
  const store = await openStore();
  const opened = await openWebhooks(config, systemResolveHost, createLog('silent'));
  return {
    control: await openControl({ store, webhooks: opened.webhooks }),
    deliver() {
      const registry = new Registry();
      const deliveries = opened.start({ outbox: store, clock: systemClock, registry, version: '0.0.0-test' });
      onTestFinished(() => deliveries.stop());
      return {
        async counts() {
          const text = await registry.metrics();
          const samples = text.matchAll(
            /^canary_webhook_deliveries_total\{webhook="ops",result="(\w+)"\} (\d+)$/gm,
          );
          return Object.fromEntries([...samples].map(([, result, count]) => [result!, Number(count)]));
        },
        stop: () => deliveries.stop(),
      };
    },
  };
}

async function delivered(delivering: Delivering, count: number): Promise<void> {
  await vi.waitFor(async () => {
    expect(await delivering.counts()).toEqual({ delivered: count, failed: 0, given_up: 0 });
  }, PATIENCE);
  await delivering.stop();
}

describe.each(STORES)('with the %s store', (_name, openStore) => {
  test('a promotion by the API is told exactly once, and the documented check holds it for genuine', async () => {
    const receiver = await startReceiver();
    const { control, deliver } = await open(openStore, receiver);
    const delivering = deliver();
    const id = await created(control, { metadata: { ticket: 7 } });
    await control.call('PUT', `/deployments/${id}/percentage`, { percentage: 25 });
    await control.call('POST', `/deployments/${id}/promote`);
    await delivered(delivering, 1);

    expect(receiver.received).toHaveLength(1);
    const { headers, body } = receiver.received[0]!;
    expect(docs.isGenuine(headers, body, SECRET)).toBe(true);
    const { body: list } = await control.call('GET', `/deployments/${id}/events`);
    const told = list.events.find(({ type }: { type: string }) => type === 'deployment_promoted');
    expect(headers['webhook-id']).toBe(told.id);
    expect(JSON.parse(body)).toEqual({
      kind: 'promoted',
      ...told,
      deployment_id: id,
      queue_name: 'payment-processing',
      stable_version: 'v1.2.0',
      canary_version: 'v1.3.0',
    });
  });

  test('an instance that dies before it delivers leaves it to another, also if the deployment is deleted', async () => {
    const receiver = await startReceiver();
    const { control, deliver } = await open(openStore, receiver);
    const id = await created(control, { tenant_id: 'acme' });
    await control.call('POST', `/deployments/${id}/rollback`, { reason: 'refunds fail' });
    await control.call('DELETE', `/deployments/${id}`);
    expect(receiver.connections).toBe(0);

    await delivered(deliver(), 1);
    expect(JSON.parse(receiver.received[0]!.body)).toMatchObject({
      kind: 'rolled_back',
      deployment_id: id,
      tenant_id: 'acme',
      data: { reason: 'refunds fail' },
    });
  });

  test('a webhook is told of the kinds that it asks for only', async () => {
    const receiver = await startReceiver();
    const { control, deliver } = await open(openStore, receiver, 'rolled_back');
    const promoted = await created(control, { queue_name: 'a' });
    await control.call('POST', `/deployments/${promoted}/promote`);
    const rolledBack = await created(control, { queue_name: 'b' });
    await control.call('POST', `/deployments/${rolledBack}/rollback`);
    await delivered(deliver(), 1);
    expect(receiver.received.map(({ body }) => JSON.parse(body).deployment_id as unknown)).toEqual([
      rolledBack,
    ]);
  });

  test('a change that is refused is not told', async () => {
    const receiver = await startReceiver();
    const { control, deliver } = await open(openStore, receiver);
    const id = await created(control);
    await Promise.all(Array.from({ length: 5 }, () => control.call('POST', `/deployments/${id}/promote`)));
    await delivered(deliver(), 1);
    expect(receiver.received).toHaveLength(1);
  });
});

describe('the documented check', () => {
  const now = Date.parse('2025-09-14T12:45:00Z');
  const body = '{"message":"Zurück auf 0 % — größer als 5"}';
  const headers = {
    'webhook-id': 'event_987fcdeb-51a2-43d8-b7e1-123456789abc',
    'webhook-timestamp': String(now / 1000),
    'webhook-signature': 'v1,zakOe96B88s+CZ6YKenbugcqXO0qdopB6ad3xPhTZNk=',
  };

  test('holds what the reference library has signed for genuine, for five minutes', () => {
    expect(docs.isGenuine(headers, body, SECRET, now)).toBe(true);
    expect(docs.isGenuine(headers, body, SECRET, now + 300_000)).toBe(true);
    expect(docs.isGenuine(headers, body, SECRET, now + 301_000)).toBe(false);
    expect(docs.isGenuine(headers, body, SECRET, now - 301_000)).toBe(false);
  });

  test('takes any of several signatures', () => {
    const signature = `v1a,AAAA v1,AAAA ${headers['webhook-signature']}`;
    expect(docs.isGenuine({ ...headers, 'webhook-signature': signature }, body, SECRET, now)).toBe(true);
  });

  test.each([
    ['another body', {}, `${body} `],
    ['another id', { 'webhook-id': 'event_x' }, body],
    ['another time', { 'webhook-timestamp': String(now / 1000 + 1) }, body],
    ['no time', { 'webhook-timestamp': undefined }, body],
    ['no signature', { 'webhook-signature': undefined }, body],
    ['an empty signature', { 'webhook-signature': 'v1,' }, body],
    [
      'a signature of another scheme',
      { 'webhook-signature': headers['webhook-signature'].replace('v1', 'v1a') },
      body,
    ],
  ])('refuses %s', (_name, over, text) => {
    expect(docs.isGenuine({ ...headers, ...over }, text, SECRET, now)).toBe(false);
  });

  test('refuses another secret', () => {
    expect(docs.isGenuine(headers, body, `whsec_${Buffer.alloc(32).toString('base64')}`, now)).toBe(false);
  });
});
