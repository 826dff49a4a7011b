import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ApiError,
  createClient,
  followEvents,
  UnreachableError,
  type Client,
} from '../../src/client/index.ts';
import { freePort } from '../helpers/ports.ts';
import { Standalone } from '../helpers/system.ts';

let system: Standalone;
let client: Client;

beforeAll(async () => {
  system = await Standalone.start();
  client = createClient({ url: system.api.url, token: system.api.token });
});

afterAll(() => system[Symbol.asyncDispose]());

let queues = 0;

async function created(): Promise<string> {
  const { id } = await client.createDeployment({
    body: { queue_name: `client-${++queues}`, stable_version: 'v1', canary_version: 'v2' },
  });
  return id;
}

async function refusalOf(call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

test('a deployment goes through its life by the operations of the API', async () => {
  const id = await created();
  const changed = await client.setPercentage({ id, body: { percentage: 12.5 } });
  expect(changed).toMatchObject({ percentage: 12.5, routing: { proxies: 1, applied: 1 } });
  expect(await client.getDeployment({ id })).toMatchObject({ current_percent: 12.5, status: 'active' });
  expect(await client.pauseDeployment({ id })).toMatchObject({ status: 'paused' });
  expect(await client.rollBackDeployment({ id, body: { reason: 'a test' } })).toMatchObject({
    reason: 'a test',
  });
  const { events, count } = await client.listDeploymentEvents({ id });
  expect(events).toHaveLength(count);
  expect(events[0]?.type).toBe('lane_drained');
  expect(await client.deleteDeployment({ id })).toBeUndefined();
  expect((await refusalOf(client.getDeployment({ id }))).code).toBe('DEPLOYMENT_NOT_FOUND');
});

test('lists are whole, or in pages where a page is asked for', async () => {
  await created();
  const { deployments } = await client.listDeployments({ status: 'active' });
  const { data, pagination } = await client.listDeployments({ status: 'active', page: 1, page_size: 1 });
  expect(data).toEqual(deployments.slice(0, 1));
  expect(pagination.total_items).toBe(deployments.length);
});

test('a refusal carries the fields that are bad', async () => {
  const body = { queue_name: 'a b', stable_version: '', canary_version: 'v2' };
  const error = await refusalOf(client.createDeployment({ body }));
  expect(error).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
  expect(Object.keys(error.details).toSorted()).toEqual(['queue_name', 'stable_version']);
});

test('an ETag makes a change conditional', async () => {
  const id = await created();
  const { etag, body } = await client.exchange('getDeployment', { id });
  expect(body.id).toBe(id);
  await client.setPercentage({ id, body: { percentage: 5 }, ifMatch: etag });
  const error = await refusalOf(client.setPercentage({ id, body: { percentage: 6 }, ifMatch: etag }));
  expect(error).toMatchObject({ status: 412, code: 'PRECONDITION_FAILED' });
});

test('the same idempotency key again does nothing twice', async () => {
  const body = { queue_name: 'idempotent', stable_version: 'v1', canary_version: 'v2' };
  const first = await client.createDeployment({ body, idempotencyKey: 'once' });
  expect(await client.createDeployment({ body, idempotencyKey: 'once' })).toEqual(first);
});

test('a control plane that is not there is said, with what was tried', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const call = createClient({ url }).listWorkers();
  await expect(call).rejects.toThrow(UnreachableError);
  await expect(call).rejects.toThrow(`Cannot reach the control plane at ${url}: connect ECONNREFUSED`);
});

test('what is followed is told without a gap over a restart of the control plane, until it is deleted', async () => {
  const port = await freePort();
  await using own = await Standalone.start({ LANEWISE_CONTROL_PORT: String(port) });
  const { url, token } = own.api;
  const operator = createClient({ url, token });
  const id = await own.api.createDeployment('v1', 'v2');
  const seen: unknown[] = [];
  const connections: boolean[] = [];
  const connected = Promise.withResolvers<void>();
  const onConnection = (isOpen: boolean): void => {
    connections.push(isOpen);
    connected.resolve();
  };
  const first = Promise.withResolvers<void>();
  const following = (async () => {
    for await (const { type, data } of followEvents(operator, id, { onConnection })) {
      if (type === 'percentage_updated') seen.push(data['new_percentage']);
      if (type === 'percentage_updated') first.resolve();
    }
  })();
  await connected.promise;
  await operator.setPercentage({ id, body: { percentage: 1 } });
  await first.promise;
  await own.restart('SIGKILL');
  await operator.setPercentage({ id, body: { percentage: 2 } });
  await operator.rollBackDeployment({ id });
  await operator.deleteDeployment({ id });
  await following;
  expect(seen[0]).toBe(1);
  expect(connections.slice(0, 2)).toEqual([true, false]);
});

test('following ends by its signal', async () => {
  const stop = new AbortController();
  const onConnection = (): void => stop.abort();
  const seen = [];
  for await (const frame of followEvents(client, await created(), { signal: stop.signal, onConnection })) {
    seen.push(frame.type);
  }
  expect(stop.signal.aborted).toBe(true);
});
