import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PRINT_MS_MAX } from './patience.ts';

/** Lanewise as its users start it: a process, its environment, what it prints, how it ends. */

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'src/cli/main.ts');

export type Environment = Readonly<Record<string, string>>;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class LanewiseProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #onOutput = new Set<() => void>();
  /** Once it has ended and all that it printed is here. */
  readonly exited: Promise<Exit>;
  hasExited = false;
  stdout = '';
  stderr = '';

  private constructor(args: readonly string[], environment: Environment) {
    this.#child = spawn(process.execPath, [MAIN, ...args], {
      env: { ...surroundings(), ...DEFAULTS, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    living.add(this.#child);
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#tell();
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#tell();
    });
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.hasExited = true;
        living.delete(this.#child);
        this.#tell();
        resolve({ code, signal });
      });
    });
  }

  /** Starts a command with free ports, unless the environment says otherwise. Does not wait for anything. */
  static start(args: readonly string[], environment: Environment = {}): LanewiseProcess {
    return new LanewiseProcess(args, environment);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Waits until it has printed that; fails with what it printed instead if it ends before. */
  async printed(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const look = (): void => {
      const match = pattern.exec(this[stream]);
      if (match !== null) resolve(match);
      else if (this.hasExited) reject(this.#failure(`ended without printing ${pattern}`));
    };
    const timer = setTimeout(
      () => reject(this.#failure(`did not print ${pattern} in ${PRINT_MS_MAX} ms`)),
      PRINT_MS_MAX,
    );
    this.#onOutput.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#onOutput.delete(look);
    }
  }

  /** Sends the signal. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends the signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<Exit> {
    this.signal(signal);
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasExited) await this.end('SIGKILL');
  }

  #tell(): void {
    for (const look of this.#onOutput) look();
  }

  #failure(what: string): Error {
    return new Error(`${this.#child.spawnargs.slice(1).join(' ')} ${what}\n${this.stdout}\n${this.stderr}`);
  }
}

/** A test that runs into its time limit never gets to its cleanup; no process outlives the tests all the same. */
const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

const DEFAULTS: Environment = {
  LANEWISE_CONTROL_PORT: '0',
  LANEWISE_PROXY_PORT: '0',
  LANEWISE_ADMIN_PORT: '0',
  // Many short lives: each starts in half the time if it need not compile what the one before has compiled.
  NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/node-compile'),
  // Tests call the API faster than people do.
  LANEWISE_RATE_LIMIT_PER_MINUTE: '0',
};

/** What the shell of whoever runs the tests has set for Lanewise is not what the tests mean. */
function surroundings(): NodeJS.ProcessEnv {
  const names = Object.keys(process.env).filter(
    (name) => !/^(LANEWISE_|OTEL_|REDIS_URL|NODE_OPTIONS)/.test(name),
  );
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

/** A directory that goes with the stack. */
export async function temporaryDirectory(stack: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lanewise-it-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
