import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startHaproxy } from './haproxy.ts';
import { startLanewise } from './lanewise.ts';
import { startNginx, type Lanes } from './nginx.ts';
import { OURS } from './run.ts';
import { Program, temporaryDirectory } from './program.ts';

/** The proxies that are measured side by side, ours last. */

const PEERS = join(import.meta.dirname, 'peers');

export interface Contender {
  readonly name: string;
  /** Sends a tenth of the keys to the canary, each always to the same lane. */
  readonly splits: boolean;
  readonly isOurs?: true;
  start(opened: AsyncDisposableStack, lanes: Lanes): Promise<Started>;
}

export interface Started {
  readonly program: Program;
  readonly url: string;
  /** Of ours. */
  readonly adminUrl?: string;
}

export const BARE = 'node:http + undici, bare';

export const CONTENDERS: readonly Contender[] = [
  {
    name: 'HAProxy',
    splits: true,
    start: async (opened, lanes) => startHaproxy(opened, await temporaryDirectory(opened), lanes),
  },
  {
    name: 'nginx',
    splits: true,
    start: async (opened, lanes) => startNginx(opened, await temporaryDirectory(opened), lanes),
  },
  onNode(BARE, 'bare.mjs'),
  onNode('fast-proxy', 'fast-proxy.mjs'),
  onNode('http-proxy-3', 'http-proxy-3.mjs'),
  onNode('@fastify/http-proxy', 'fastify-http-proxy.mjs'),
  { name: OURS, splits: true, isOurs: true, start: (opened, lanes) => startLanewise(opened, lanes) },
];

function onNode(name: string, file: string): Contender {
  return {
    name,
    splits: false,
    async start(opened, lanes) {
      const program = opened.use(new Program(process.execPath, [join(PEERS, file), ...lanes.stable]));
      const [url] = await program.printed(/^http:\S+/);
      return { program, url };
    },
  };
}

const run = promisify(execFile);

/** Debian's programs and the peers from npm, where they are not there yet. @returns what could not be installed, and why */
export async function installPeers(): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const [command, name] of [
    ['wrk', 'wrk'],
    ['nginx', 'nginx-light'],
    ['haproxy', 'haproxy'],
  ] as const) {
    if (await isThere(command)) continue;
    if (process.getuid?.() !== 0) missing.push(`${name}: not installed, and apt-get needs root`);
    else
      await run('apt-get', ['install', '-y', '--no-install-recommends', name]).catch((error: unknown) =>
        missing.push(`${name}: ${reasonOf(error)}`),
      );
  }
  if (!existsSync(join(PEERS, 'node_modules')))
    await run('npm', ['install', '--no-package-lock', '--no-audit', '--no-fund'], { cwd: PEERS }).catch(
      (error: unknown) => missing.push(`peers from npm: ${reasonOf(error)}`),
    );
  return missing;
}

async function isThere(command: string): Promise<boolean> {
  return run('sh', ['-c', `command -v ${command}`]).then(
    () => true,
    () => false,
  );
}

/** In one line. */
export function reasonOf(error: unknown): string {
  return String(error).split('\n')[0]!;
}
