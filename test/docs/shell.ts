import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LanewiseProcess, temporaryDirectory, type Environment } from '../helpers/process.ts';
import { freePort } from '../helpers/ports.ts';
import { ROOT } from './pages.ts';

/**
 * What somebody does who follows a page: Lanewise runs in one shell, and the page's blocks are pasted one by one into
 * another, in the directory of the checkout. Here both have ports of their own, and what each block prints is looked at.
 */
export class Reader {
  readonly lanewise: LanewiseProcess;
  readonly #directory: string;
  /** As the page writes it → as it is here. */
  readonly #places: ReadonlyMap<string, string>;

  private constructor(lanewise: LanewiseProcess, directory: string, places: ReadonlyMap<string, string>) {
    this.lanewise = lanewise;
    this.#directory = directory;
    this.#places = places;
  }

  /** @param ports that the page gives to workers */
  static async start(
    stack: AsyncDisposableStack,
    ports: readonly string[],
    settings: Environment = {},
  ): Promise<Reader> {
    const directory = await temporaryDirectory(stack);
    await mkdir(join(directory, '.lanewise'));
    for (const part of CHECKOUT) await symlink(join(ROOT, part), join(directory, part));
    const lanewise = stack.use(
      LanewiseProcess.start(['standalone'], {
        LANEWISE_DATA_DIR: join(directory, '.lanewise'),
        // As by default: whoever pastes it all at once must not run into the limit either.
        LANEWISE_RATE_LIMIT_PER_MINUTE: '100',
        ...settings,
      }),
    );
    const places = new Map<string, string>();
    for (const [place, name] of [
      ['127.0.0.1:8080', 'API'],
      ['127.0.0.1:8090', 'Dispatch'],
      ['127.0.0.1:8091', 'Admin'],
    ] as const) {
      const [, address] = await lanewise.printed(new RegExp(`${name} +http://(127\\.0\\.0\\.1:\\d+)`));
      places.set(place, address!);
    }
    for (const port of ports) places.set(port, String(await freePort()));
    return new Reader(lanewise, directory, places);
  }

  /** @returns what each block printed */
  async paste(blocks: readonly string[]): Promise<readonly string[]> {
    const script = blocks.map((block) => `echo '${MARK}'\n${this.#moved(block)}`).join('\n');
    // Workers must not outlive a reader who is stuck.
    const tidy = `trap 'kill $(jobs -p) 2>/dev/null' EXIT`;
    const { stdout } = await promisify(execFile)('bash', ['-c', `${tidy}\n${script}`], {
      cwd: this.#directory,
      env: { ...process.env, LANEWISE_CONTROL_PORT: this.#places.get('127.0.0.1:8080')!.split(':')[1] },
      timeout: PASTE_MS_MAX,
    });
    return stdout.split(`${MARK}\n`).slice(1);
  }

  #moved(block: string): string {
    // Ranges are of neighbours on the page; here they are where there was room.
    let moved = block.replaceAll(/\[(\d{4})-(\d{4})\]/g, (range, first: string, last: string) => {
      const ports = [...this.#places].filter(([from]) => from >= first && from <= last && from.length === 4);
      return ports.length === 0 ? range : `{${ports.map(([, to]) => to).join(',')}}`;
    });
    for (const [from, to] of this.#places) moved = moved.replaceAll(from, to);
    return moved;
  }
}

/** What a page's commands need of it. */
const CHECKOUT = ['package.json', 'node_modules', 'src', 'config', 'control', 'proxy', 'docs'];
const MARK = '=== next block';
/** It has to fit into a test's time. */
const PASTE_MS_MAX = 270_000;

/** Lines by what they say, as `sort | uniq -c` shows them. */
export function counts(output: string): Readonly<Record<string, number>> {
  const lines = output.matchAll(/^ *(\d+) (?:"version":)?"?([^"\n]+)"?$/gm);
  return Object.fromEntries([...lines].map(([, count, text]) => [text!, Number(count)]));
}
