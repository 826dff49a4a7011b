import { statSync, type BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Logger } from './log.ts';
import { startPeriodic } from './periodic.ts';

/**
 * Files that may be replaced while the process runs: certificates and tokens. They are looked at, not listened to:
 * that also sees a Kubernetes secret (a link that changes) and a network file system, and costs a stat each second.
 */
export interface WatchedFiles {
  /** What the operator calls them: `control.tls`. */
  readonly name: string;
  readonly paths: readonly string[];
  /** Takes what they hold now. If it throws, what was taken before must still hold. */
  reload(): void;
}

export interface FileWatch {
  /** To be called when they have just been read: what changes from now on is a change. */
  add(files: WatchedFiles): void;
  /** Whether they have changed or not. */
  reloadAll(): void;
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 1000;

interface Entry {
  readonly files: WatchedFiles;
  /** What they were like when they were taken, or could not be. */
  taken: string;
  /** What they were like at the last look. */
  seen: string;
}

export function startFileWatch(log: Logger, everyMs = LOOK_EVERY_MS): FileWatch {
  const entries: Entry[] = [];

  const reload = (entry: Entry): void => {
    const { name } = entry.files;
    try {
      entry.files.reload();
      log.info({ what: name }, 'reloaded from its files');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.error({ what: name, reason }, 'not reloaded: what was read before stays in use');
    }
  };

  /** Files come one by one: they are taken once they have been the same for two looks. */
  const look = async (entry: Entry): Promise<void> => {
    const now = await likenessOf(entry.files.paths);
    const isSettled = now === entry.seen;
    entry.seen = now;
    if (!isSettled || now === entry.taken) return;
    entry.taken = now;
    reload(entry);
  };

  const rounds = startPeriodic(
    () => everyMs,
    async () => void (await Promise.all(entries.map(look))),
  );

  return {
    add(files) {
      if (files.paths.length === 0) return;
      const taken = likenessNow(files.paths);
      entries.push({ files, taken, seen: taken });
    },
    reloadAll: () => entries.forEach(reload),
    close: () => rounds.stop(),
  };
}

const BIG = { bigint: true } as const;

async function likenessOf(paths: readonly string[]): Promise<string> {
  const stats = await Promise.all(paths.map((path) => stat(path, BIG).catch(() => undefined)));
  return stats.map(likeness).join();
}

function likenessNow(paths: readonly string[]): string {
  return paths.map((path) => likeness(statSync(path, { ...BIG, throwIfNoEntry: false }))).join();
}

/** Differs if it is another file, or has been written. */
function likeness(found: BigIntStats | undefined): string {
  return found === undefined ? 'none' : `${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
}
