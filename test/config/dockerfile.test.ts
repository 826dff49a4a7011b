import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../docs/pages.ts';
import { temporaryDirectory } from '../helpers/process.ts';
import { TestWorker } from '../helpers/worker.ts';

/**
 * The Dockerfile by what it names. Its steps install the dependencies twice, which takes a minute: too long for a test,
 * and there is no Docker where the tests run.
 */

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

const DOCKERFILE = read('Dockerfile');

test('what the Dockerfile copies from here is there, and .dockerignore lets it through', () => {
  const allowed = new Set([...read('.dockerignore').matchAll(/^!(\S+)$/gm)].map(([, path]) => path!));
  expect([...allowed].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  const copied = [...DOCKERFILE.matchAll(/^COPY (?!--from)(.*) \S+$/gm)]
    .flatMap(([, sources]) => sources!.split(' '))
    .filter((source) => source !== '.');
  expect(copied).toContain('package-lock.json');
  expect(copied.filter((path) => !allowed.has(path))).toEqual([]);
});

test('package-lock.json has all that package.json asks for, so that npm ci installs it', async () => {
  await using stack = new AsyncDisposableStack();
  const cache = await temporaryDirectory(stack);
  const args = ['ci', '--dry-run', '--offline', '--ignore-scripts', '--cache', cache];
  const { status, stderr } = spawnSync('npm', args, { cwd: ROOT, encoding: 'utf8' });
  expect({ status, missing: stderr.match(/Missing: .*/g) }).toEqual({ status: 0, missing: null });
});

test('.dockerignore lets through all that the build compiles', () => {
  const { include } = JSON.parse(read('tsconfig.json')) as { include: readonly string[] };
  const folders = include.map((pattern) => pattern.split('/')[0]!);
  expect(read('.dockerignore').split('\n')).toEqual(
    expect.arrayContaining(folders.map((folder) => `!${folder}`)),
  );
});

test('the image runs the program as it is built, without root', () => {
  const { bin, scripts } = JSON.parse(read('package.json')) as Readonly<
    Record<string, Record<string, string>>
  >;
  const [, entry] = /^ENTRYPOINT \["node", "(.*)"\]$/m.exec(DOCKERFILE)!;
  expect(entry).toBe(bin!['lanewise']);
  for (const [, script] of DOCKERFILE.matchAll(/npm run (\S+)/g))
    expect(Object.keys(scripts!)).toContain(script);
  const final = DOCKERFILE.slice(DOCKERFILE.lastIndexOf('\nFROM '));
  expect(final).toMatch(/^RUN npm ci --omit=dev/m);
  expect(final).toMatch(/^USER node$/m);
});

test('the health check of the image passes where somebody answers, and fails where nobody does', async () => {
  const [, command] = /^HEALTHCHECK .* CMD (\[.*\])$/m.exec(DOCKERFILE)!;
  const [, ...words] = JSON.parse(command!) as string[];
  const exitCodeAt = async (url: string): Promise<number | null> => {
    const child = spawn(process.execPath, words, { env: { HEALTH_URL: url }, stdio: 'ignore' });
    const [code] = (await once(child, 'exit')) as [number | null];
    return code;
  };
  await using worker = await TestWorker.start('v1', ({ url }, response) => {
    response.statusCode = url === '/healthz' ? 200 : 503;
    response.end();
  });
  expect(await exitCodeAt(`${worker.url}/healthz`)).toBe(0);
  expect(await exitCodeAt(`${worker.url}/draining`)).toBe(1);
  const { url } = worker;
  await worker.stop();
  expect(await exitCodeAt(`${url}/healthz`)).toBe(1);
});
