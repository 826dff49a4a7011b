import { afterAll, beforeAll, expect, test } from 'vitest';
import { Standalone } from '../helpers/system.ts';
import { environmentOf, onTerminal, run, start } from './session.ts';

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

test('what is dangerous is asked for on a terminal: "n" changes nothing, "y" does it', async () => {
  await created('asked');
  const declined = onTerminal(environment, 'deployments', 'promote', 'asked');
  await declined.shows(/Promote v2 of asked, which has 0 % and is unknown, to all jobs\? \[y\/N\]/);
  declined.type('n\n');
  expect(await declined.ended).toMatchObject({ code: 4 });
  expect(declined.stdout).toContain('Nothing was changed');

  const agreed = onTerminal(environment, 'deployments', 'promote', 'asked');
  await agreed.shows(/\[y\/N\]/);
  agreed.type('y\n');
  expect(await agreed.ended).toMatchObject({ code: 0 });
  expect(agreed.stdout).toContain('Deployment promoted to 100%: 1 of 1 proxies in sync');
});

test('colour is for terminals, and not for those who set NO_COLOR', async () => {
  await created('colourful');
  const args = ['deployments', 'list', '--queue', 'colourful'];
  const coloured = onTerminal(environment, ...args);
  expect((await coloured.ended).stdout).toContain('\u001b[32mactive\u001b[39m');
  const plain = onTerminal({ ...environment, NO_COLOR: '1' }, ...args);
  expect((await plain.ended).stdout).not.toContain('\u001b[');
  expect((await run(environment, ...args)).stdout).not.toContain('\u001b[');
});

test('get --watch draws over what it drew, as the deployment changes', async () => {
  const id = await created('watched');
  const watch = onTerminal(environment, 'deployments', 'get', 'watched', '--watch');
  await watch.shows(/ 0 % canary/);
  await watch.shows(/Live; Ctrl-C ends the watch/);
  await system.api.setPercentage(id, 37.5);
  // Back up over the lines of the first picture.
  // oxlint-disable-next-line no-control-regex
  await watch.shows(/\u001b\[\d+A\u001b\[J[^]* 37\.5 % canary/);
  watch.type('\u0003');
  expect(await watch.ended).toMatchObject({ code: 0 });
});

test('get --watch in a pipe prints one picture below the other', async () => {
  const id = await created('piped');
  const watch = start(environment, 'deployments', 'get', 'piped', '--watch');
  await watch.shows(/ 0 % canary/);
  await system.api.setPercentage(id, 12);
  await watch.shows(/ 12 % canary/);
  watch.signal('SIGINT');
  expect(await watch.ended).toMatchObject({ code: 0 });
  expect(watch.stdout).not.toContain('\u001b');
});
