import { execFile } from 'node:child_process';
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { VERSION } from '../../src/runtime/version.ts';
import { readPage, ROOT } from '../docs/pages.ts';
import { temporaryDirectory } from '../helpers/process.ts';
import { Standalone } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

/** What users install: the built package beside its dependencies, in a directory that knows nothing of this one. */

const run = promisify(execFile);
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

async function installed(stack: AsyncDisposableStack): Promise<string> {
  const directory = await temporaryDirectory(stack);
  const lanewise = join(directory, 'node_modules/lanewise');
  await mkdir(lanewise, { recursive: true });
  await copyFile(join(ROOT, 'package.json'), join(lanewise, 'package.json'));
  await run(process.execPath, [TSC, '-p', ROOT, '--outDir', join(lanewise, 'dist')]);
  await symlink(join(ROOT, 'node_modules'), join(lanewise, 'node_modules'));
  await symlink(join(ROOT, 'node_modules/@types'), join(directory, 'node_modules/@types'));
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
  await writeFile(
    join(directory, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        module: 'nodenext',
        target: 'es2024',
        lib: ['es2024', 'esnext.disposable'],
        types: ['node'],
        strict: true,
        noEmit: true,
      },
      include: ['*.ts'],
    }),
  );
  return directory;
}

const stack = new AsyncDisposableStack();
let directory: string;

beforeAll(async () => {
  directory = await installed(stack);
});

afterAll(() => stack.disposeAsync());

test('the examples of docs/client.md compile against the built package, and do what they say', async () => {
  const system = stack.use(await Standalone.start({ LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring' }));
  const worker = stack.use(await TestWorker.start('v1.2.0'));
  await system.api.register({ id: 'stable-1', version: 'v1.2.0', url: worker.url });
  const blocks = [...readPage('docs/client.md').matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!);
  const examples = blocks
    .join('\n')
    .replaceAll('http://127.0.0.1:8090', system.proxy.dispatchUrl)
    .replaceAll('http://127.0.0.1:8080', system.api.url);
  await writeFile(join(directory, 'examples.ts'), examples);

  await run(process.execPath, [TSC, '-p', directory]);
  const { stdout } = await run(process.execPath, [join(directory, 'examples.ts')], {
    env: { ...process.env, LANEWISE_TOKEN: system.api.token },
  });

  expect(blocks).toHaveLength(5);
  const lines = stdout.split('\n');
  expect(lines[0]).toBe('200 stable v1.2.0 v1.2.0');
  expect(lines[1]).toMatch(/^NO_WORKER_AVAILABLE 503 true \d+ order-2$/);
  expect(lines[2]).toBe('1 of 1 proxies route by it');
  expect(stdout).toContain('metrics_updated {');
  expect(stdout).toMatch(/^INVALID_PERCENTAGE \{/m);
});

test('what is no status of a deployment does not compile', async () => {
  const wrong = `import { createClient } from 'lanewise/client';\nawait createClient().listDeployments({ status: 'running' });\n`;
  await writeFile(join(directory, 'wrong.ts'), wrong);
  await expect(run(process.execPath, [TSC, '-p', directory])).rejects.toMatchObject({
    stdout: expect.stringContaining(`Type '"running"' is not assignable`) as string,
  });
  const { stdout } = await run(process.execPath, [
    join(directory, 'node_modules/lanewise/dist/src/cli/main.js'),
    '--version',
  ]);
  expect(stdout).toBe(`${VERSION}\n`);
});
