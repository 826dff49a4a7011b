import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Member } from '../member.ts';

/**
 * Memory and sockets of the planes come back to what they were before the load. Sockets to as many, and four: connections
 * that wait on Redis are kept for ten seconds after their last use, and lanes that had none before are now looked after.
 * Memory to twice what it was, and 64 MiB: the heap is as large as its collector finds good.
 */
export interface Use {
  readonly sockets: number;
  readonly memoryMb: number;
}

const SOCKETS_MORE = 4;
const MEMORY_FACTOR = 2;
const MEMORY_MORE_MB = 64;
/** Connections that nobody uses are closed by then: those of ours to workers, and those of whoever looked on. */
const QUIET_MS = 8000;

/** Of each member by name; undefined where /proc does not say. */
export async function quietUse(members: readonly Member[]): Promise<ReadonlyMap<string, Use>> {
  await delay(QUIET_MS);
  const uses = new Map<string, Use>();
  for (const member of members) {
    const use = await useOf(member.pid()).catch(() => undefined);
    if (use !== undefined) uses.set(member.name, use);
  }
  return uses;
}

export function aboveBaseline(
  before: ReadonlyMap<string, Use>,
  now: ReadonlyMap<string, Use>,
): readonly string[] {
  return [...before].flatMap(([name, was]) => {
    const is = now.get(name);
    if (is === undefined) return [];
    const found: string[] = [];
    if (is.sockets > was.sockets + SOCKETS_MORE)
      found.push(`${name} has ${is.sockets} sockets, and had ${was.sockets}`);
    if (is.memoryMb > was.memoryMb * MEMORY_FACTOR + MEMORY_MORE_MB)
      found.push(`${name} has ${is.memoryMb} MB, and had ${was.memoryMb} MB`);
    return found;
  });
}

async function useOf(pid: number): Promise<Use> {
  const files = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return {
    sockets: targets.filter((target) => target.startsWith('socket:')).length,
    memoryMb: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024),
  };
}
