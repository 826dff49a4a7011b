import { afterAll, beforeAll, expect, test } from 'vitest';
import { Standalone } from '../helpers/system.ts';
import { environmentOf, run, start } from './session.ts';

let system: Standalone;
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  system = await Standalone.start();
  environment = environmentOf(system);
});

afterAll(() => system[Symbol.asyncDispose]());

async function created(queue: string): Promise<string> {
  return system.api.createDeployment('v1', 'v2', { queue_name: queue });
}

test('a local control plane is found with its token, and a deployment goes through its life', async () => {
  const made = await run(environment, 'deployments', 'create', 'life', '--stable', 'v1', '--canary', 'v2');
  expect(made).toMatchObject({ code: 0, stderr: '' });
  expect(made.stdout).toMatch(/^Created canary_\S+ at 0 %: 1 of 1 proxies in sync\n$/);
  const set = await run(environment, 'deployments', 'set', 'life', '25');
  expect(set.stdout).toBe('life: 0 % → 25 % canary, 1 of 1 proxies in sync\n');
  expect((await run(environment, 'deployments', 'pause', 'life')).stdout).toBe('Paused life at 25 %\n');
  const list = await run(environment, 'deployments', 'list', '--queue', 'life');
  expect(list.stdout).toMatch(
    /^ID +QUEUE +STABLE +CANARY +SHARE +STATUS +AGE\ncanary_\S+ +life +v1 +v2 +25 % +paused +\d+s\n$/,
  );
  const rolledBack = await run(environment, 'deployments', 'rollback', 'life', '--yes', '--reason', 'a test');
  expect(rolledBack).toMatchObject({ code: 0 });
  const events = await run(environment, 'deployments', 'events', 'life');
  expect(events.stdout).toMatch(/deployment_created[^]*percentage_updated[^]*deployment_rolled_back/);
  const deleted = await run(environment, 'deployments', 'delete', 'life', '-y');
  expect(deleted.stdout).toMatch(/^Deleted canary_/);
  expect((await run(environment, 'deployments', 'get', 'life')).code).toBe(3);
});

test('-o json and -o yaml print what the API answered', async () => {
  const id = await created('formats');
  const json = await run(environment, 'deployments', 'get', 'formats', '-o', 'json');
  expect(JSON.parse(json.stdout)).toMatchObject({ id, queue_name: 'formats', routing: { proxies: 1 } });
  const yaml = await run(environment, 'deployments', 'list', '--queue', 'formats', '-o', 'yaml');
  expect(yaml.stdout).toContain(`- id: ${id}\n  queue_name: formats\n`);
});

test('where all of a queue have ended, looking shows the latest, and changing wants to be told which', async () => {
  const first = await created('again');
  await system.api.rollBack(first);
  const second = await created('again');
  await system.api.rollBack(second);
  const shown = await run(environment, 'deployments', 'get', 'again', '-o', 'json');
  expect(JSON.parse(shown.stdout)).toMatchObject({ id: second });
  expect((await run(environment, 'deployments', 'events', 'again')).code).toBe(0);
  const refused = await run(environment, 'deployments', 'delete', 'again', '--yes');
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(first);
});

test.each([
  ['help', ['--help']],
  ['a list', ['deployments', 'list', '-o', 'json']],
  ['what would go on', ['deployments', 'events', 'unread', '--follow']],
  ['a watch', ['deployments', 'get', 'unread', '--watch']],
])('where nobody reads %s any more, it ends without a stack trace', async (_what, args) => {
  if (!(await run(environment, 'deployments', 'get', 'unread')).stdout) await created('unread');
  const session = start(environment, ...args);
  session.stopReading();
  expect(await session.ended).toMatchObject({ code: 0, stderr: '' });
});

test('where nobody can be asked, what is dangerous is refused without --yes', async () => {
  await created('unasked');
  const refused = await run(environment, 'deployments', 'rollback', 'unasked');
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toContain('There is no terminal to ask on; say --yes if that is meant');
});

test('events --follow goes on with what happens, until the deployment is deleted', async () => {
  const id = await created('followed');
  const follow = start(environment, 'deployments', 'events', id, '--follow', '-o', 'json');
  await follow.shows(/"deployment_created"/);
  await system.api.setPercentage(id, 5);
  await follow.shows(/"new_percentage":5/);
  await system.api.rollBack(id);
  await system.api.done('DELETE', `/deployments/${id}`);
  const { code, stdout } = await follow.ended;
  expect(code).toBe(0);
  for (const line of stdout.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('type');
});

test('workers are registered, listed, marked and deleted', async () => {
  const register = ['workers', 'register', 'w-1', '--worker-version', 'v1', '--queues', 'a,b'];
  const registered = await run(environment, ...register, '--worker-url', 'http://127.0.0.1:9');
  expect(registered.stdout).toBe('Registered w-1: v1, stable, a, b\n');
  expect((await run(environment, 'workers', 'status', 'w-1', 'degraded')).stdout).toBe('w-1 is degraded\n');
  const list = await run(environment, 'workers', 'list', '--of-version', 'v1');
  expect(list.stdout).toMatch(/\nw-1 +v1 +stable +degraded +a,b +0 +\d+s +http:\/\/127\.0\.0\.1:9\n$/);
  expect((await run(environment, 'workers', 'delete', 'w-1', '--yes')).stdout).toBe('Deleted w-1\n');
});

test('queues are listed, and their dead jobs requeued and dropped', async () => {
  await created('letters');
  expect((await run(environment, 'queues', 'list')).stdout).toMatch(/\nletters +hash_ring +– +– +– +–/);
  await system.api.createDeployment('v1', 'v2', { queue_name: 'lists', routing_strategy: 'split_queue' });
  expect((await run(environment, 'queues', 'dead', 'lists')).stdout).toBe('No dead jobs.\n');
  const requeued = await run(environment, 'queues', 'requeue', 'lists', '--all');
  expect(requeued.stdout).toBe('0 jobs of lists wait again, in stable\n');
  const dropped = await run(environment, 'queues', 'drop', 'lists', '1', '2', '--yes');
  expect(dropped.stdout).toBe('0 dead jobs of lists are gone\n');
});

test('status is the whole system on one screen', async () => {
  await created('on-the-screen');
  const { code, stdout } = await run(environment, 'status');
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^Control plane +http:\/\/127\.0\.0\.1:\d+\nStore +ok\nProxies +1 of 1 proxies in sync\nDeployments +.*\d+ active/,
  );
  expect(stdout).toMatch(/\nQUEUE +STRATEGY[^]*\non-the-screen /);
});
