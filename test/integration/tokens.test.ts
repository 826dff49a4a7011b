import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiError, createClient, followEvents, type Client } from '../../src/client/index.ts';
import { until } from '../helpers/patience.ts';
import { LanewiseProcess, temporaryDirectory } from '../helpers/process.ts';

/** Tokens that are rotated while the control plane runs. */

const stack = new AsyncDisposableStack();
let file: string;
let lanewise: LanewiseProcess;
let url: string;

async function write(text: string): Promise<void> {
  await writeFile(`${file}.next`, text);
  await rename(`${file}.next`, file);
}

const clientOf = (token: string): Client => createClient({ url, token });

async function statusOf(token: string): Promise<number> {
  return clientOf(token)
    .listWorkers()
    .then(
      () => 200,
      (error: unknown) => (error instanceof ApiError ? error.status : 0),
    );
}

const counts = (token: string) => until(async () => (await statusOf(token)) === 200);

beforeAll(async () => {
  const directory = await temporaryDirectory(stack);
  file = join(directory, 'tokens');
  await write('ops:operator:first-secret\ngrafana:viewer:viewer-secret\n');
  lanewise = stack.use(
    LanewiseProcess.start(['standalone'], { LANEWISE_DATA_DIR: directory, LANEWISE_TOKENS_FILE: file }),
  );
  [, url] = (await lanewise.printed(/API +(http:\S+)\/api\/v1\/canary\n/)) as unknown as [string, string];
});
afterAll(() => stack.disposeAsync());

test('a new one counts when its file has changed; the old one stops, and so do its streams', async () => {
  const ops = clientOf('first-secret');
  const { id } = await ops.createDeployment({
    body: { queue_name: 'jobs', stable_version: 'v1', canary_version: 'v2' },
  });
  const seen: string[] = [];
  const withdrawn = (async () => {
    for await (const { type } of followEvents(clientOf('viewer-secret'), id)) seen.push(type);
  })().catch((error: unknown) => error);
  await until(() => seen.length > 0);
  const stays = new WebSocket(`${url.replace('http', 'ws')}/api/v1/canary/deployments/${id}/events`, [
    'lanewise.v1',
    'bearer.first-secret',
  ]);
  await once(stays, 'open');

  const hash = createHash('sha256').update('second-secret').digest('hex');
  await write(`# new\nops:operator:first-secret\nci:operator:sha256:${hash}\n`);
  await counts('second-secret');
  expect(await statusOf('viewer-secret')).toBe(401);
  expect(await statusOf('first-secret')).toBe(200);
  // The client does not go on trying with it.
  expect(await withdrawn).toMatchObject({ code: 'UNAUTHORIZED' });
  expect(stays.readyState).toBe(WebSocket.OPEN);
  stays.close();
});

test('a file that is no good changes nothing, and is told of without what is in it', async () => {
  const before = lanewise.stderr.length;
  await write('ops:king:hush-secret\n');
  await until(() => lanewise.stderr.slice(before).includes('not reloaded'));
  const said = lanewise.stderr.slice(before);
  expect(said).toContain('the role must be one of viewer, operator, worker, admin');
  expect(said).not.toContain('hush-secret');
  expect(await statusOf('first-secret')).toBe(200);
});

test('it is read at SIGHUP, too', async () => {
  await write('ops:operator:third-secret\n');
  lanewise.signal('SIGHUP');
  await counts('third-secret');
  expect(await statusOf('first-secret')).toBe(401);
});
