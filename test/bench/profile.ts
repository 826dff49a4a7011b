import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startLanewise } from './lanewise.ts';
import type { Lanes } from './nginx.ts';
import { temporaryDirectory } from './program.ts';
import type { ProfileRow, Settings } from './run.ts';
import { load } from './wrk.ts';

/** Where the proxy's time goes, by V8's sampling profiler. */

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

export async function profileLanewise(
  lanes: Lanes,
  { seconds, connections, bodyBytes }: Settings,
  log: (text: string) => void,
): Promise<readonly ProfileRow[]> {
  log('profile');
  await using opened = new AsyncDisposableStack();
  const dir = await temporaryDirectory(opened);
  const { program, url } = await startLanewise(opened, lanes, 1, dir);
  const options = { url: `${url}/dispatch/jobs`, seconds, connections, bodyBytes };
  await load('the profiled proxy', options);
  const began = performance.now();
  await load('the profiled proxy', options);
  // The profile ends with the process; what came before the second load, starting and compiling, is left out.
  const lastMs = performance.now() - began;
  await program.stop();
  const file = (await readdir(dir)).find((name) => name.endsWith('.cpuprofile'));
  return shares(JSON.parse(await readFile(join(dir, file!), 'utf8')) as CpuProfile, lastMs);
}

function shares({ nodes, samples, timeDeltas }: CpuProfile, lastMs: number): readonly ProfileRow[] {
  const partOf = new Map(nodes.map(({ id, callFrame }) => [id, partOfFrame(callFrame)]));
  const spent = new Map<string, number>();
  let left = lastMs * 1000;
  for (let i = samples.length - 1; i >= 0 && left > 0; i--) {
    left -= timeDeltas[i]!;
    const part = partOf.get(samples[i]!);
    if (part !== undefined) spent.set(part, (spent.get(part) ?? 0) + timeDeltas[i]!);
  }
  const total = [...spent.values()].reduce((sum, time) => sum + time, 0);
  return [...spent]
    .map(([part, time]) => ({ part, percent: (100 * time) / total }))
    .toSorted((a, b) => b.percent - a.percent);
}

/** Undefined for idle time. Time in the kernel falls on the function that called it. */
function partOfFrame({
  functionName,
  url,
}: {
  readonly functionName: string;
  readonly url: string;
}): string | undefined {
  if (functionName === '(idle)') return undefined;
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (functionName === '(program)') return "the event loop, the HTTP parser's C++, reading from sockets";
  if (url === '' && /^(writev?|write\w+String|writeBuffer)$/.test(functionName)) return 'writing to sockets';
  if (url.includes('/undici/') || url.startsWith('wasm:') || /wasm/.test(functionName)) return 'undici';
  if (/^node:(_http|internal\/http)/.test(url)) return "Node's HTTP server in JavaScript";
  if (url.includes('/node_modules/')) return 'other packages (Redis, metrics)';
  if (url.includes('/dist/')) return 'Lanewise';
  return "Node's streams, sockets, timers and events";
}
