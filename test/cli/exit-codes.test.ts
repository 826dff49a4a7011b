import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT, EXIT_MEANINGS } from '../../src/cli/exit-codes.ts';
import { readPage, sectionOf } from '../docs/pages.ts';
import { freePort } from '../helpers/ports.ts';
import { Standalone } from '../helpers/system.ts';
import { environmentOf, run } from './session.ts';

let system: Standalone;
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  system = await Standalone.start();
  environment = environmentOf(system);
  await system.api.createDeployment('v1', 'v2', { queue_name: 'twins', tenant_id: 'a' });
  await system.api.createDeployment('v1', 'v2', { queue_name: 'twins', tenant_id: 'b' });
});

afterAll(() => system[Symbol.asyncDispose]());

const NONE = 'canary_00000000-0000-0000-0000-000000000000';

test.each([
  [EXIT.usage, ['deployments', 'fly'], /unknown command 'fly'/],
  [EXIT.usage, ['deployments', 'list', '--colour'], /unknown option '--colour'/],
  [
    EXIT.usage,
    ['deployments', 'get', 'twins'],
    /"twins" may be any of 2 deployments:\n {2}canary_\S+ {2}twins \(b\) /,
  ],
  [EXIT.usage, ['deployments', 'set', NONE, 'half'], /must be a number from 0 to 100.*got "half"/],
  [
    EXIT.usage,
    ['deployments', 'create', 'a b', '--stable', 'v1', '--canary', 'v2'],
    /VALIDATION_FAILED\)\n {2}queue_name: must be/,
  ],
  [EXIT.usage, ['queues', 'requeue', 'twins'], /Name the ids of dead jobs, or say --all, and not both/],
  [EXIT.notFound, ['deployments', 'get', NONE], /DEPLOYMENT_NOT_FOUND/],
  [EXIT.notFound, ['deployments', 'get', 'nobody'], /No deployment has the id.*"nobody"/],
  [EXIT.notFound, ['workers', 'delete', 'nobody', '--yes'], /WORKER_NOT_FOUND/],
  [
    EXIT.refused,
    ['workers', 'list', '--token', 'wrong'],
    /UNAUTHORIZED[^]*\nhttp:\/\/127\.0\.0\.1:\d+ was asked, with the token of/,
  ],
  [
    EXIT.usage,
    ['deployments', 'create', 'q', '--stable', 'v1', '--canary', 'v2', '--percentage', 'some'],
    /'some' is invalid.* It must be a number\./,
  ],
  [
    EXIT.usage,
    ['workers', 'list', '--url', 'nonsense'],
    /is http:\/\/<host>:<port> or https:.*got "nonsense"/,
  ],
])('%i: lanewise %j', async (code, args, message) => {
  const ended = await run(environment, ...args);
  expect(ended).toMatchObject({ code, stdout: '' });
  expect(ended.stderr).toMatch(message);
});

test('a control plane that does not answer is 5, and what was tried is said', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const ended = await run({ ...environment, LANEWISE_URL: url }, 'status');
  expect(ended.code).toBe(EXIT.unreachable);
  expect(ended.stderr).toMatch(new RegExp(`Cannot reach the control plane at ${url}: .*ECONNREFUSED`));
});

test('config check prints every problem at once', async () => {
  const file = join(system.dataDir, 'bad.yaml');
  await writeFile(file, 'prot: 1\nproxy: { port: 99999 }\n');
  const bad = await run({ ...environment, LANEWISE_LOG_LEVEL: 'loud' }, 'config', 'check', '-c', file);
  expect(bad.code).toBe(EXIT.failed);
  expect(bad.stderr).toMatch(/3 problems:[^]*prot[^]*/);
  expect(bad.stderr).toMatch(/proxy\.port/);
  expect(bad.stderr).toMatch(/LANEWISE_LOG_LEVEL/);
  const good = await run(environment, 'config', 'check');
  expect(good).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('The configuration is valid') as string,
  });
});

test('docs/cli.md and --help say what each exit code means', async () => {
  const section = sectionOf(readPage('docs/cli.md'), '## Exit codes');
  const rows = [...section.matchAll(/^\| `(\d)` +\| (.*?) +\|$/gm)].map(([, code, meaning]) => [
    Number(code),
    meaning,
  ]);
  expect(rows).toEqual(EXIT_MEANINGS);
  const { code, stdout } = await run(environment, '--help');
  expect(code).toBe(0);
  for (const [number, meaning] of EXIT_MEANINGS) expect(stdout).toContain(`  ${number}  ${meaning}`);
});
