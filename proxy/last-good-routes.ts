import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { RouteSnapshot } from '../src/core/routing-table.ts';
import { makeDataDir } from '../src/runtime/data-dir.ts';

/**
 * The latest routes on disk, so that a proxy can start with everything else down. Written whole to a new file that
 * takes the old one's place: a reader sees one or the other.
 */
export interface LastGoodRoutes {
  /** @returns undefined if there are none, or none that can be read (`onUnreadable` says why) */
  load(): Promise<RouteSnapshot | undefined>;
  save(snapshot: RouteSnapshot): Promise<void>;
}

/** Raised when the content changes its shape; what an older release wrote is then left alone. */
const FORMAT = 1;

interface Stored {
  readonly format: typeof FORMAT;
  readonly snapshot: RouteSnapshot;
}

export function createLastGoodRoutes(
  dataDir: string,
  onUnreadable: (reason: string) => void,
): LastGoodRoutes {
  const path = join(dataDir, 'routes.json');
  let writes = 0;
  return {
    async load() {
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') onUnreadable(String(error));
        return undefined;
      }
      const snapshot = parse(text);
      if (snapshot === undefined) onUnreadable(`${path} does not hold routes of format ${FORMAT}`);
      return snapshot;
    },

    async save(snapshot) {
      makeDataDir(dataDir);
      // Several proxies may share a data directory; each writes to a file of its own.
      const next = `${path}.${globalThis.crypto.randomUUID()}.${++writes}`;
      const file = await open(next, 'w', 0o600);
      try {
        await file.writeFile(JSON.stringify({ format: FORMAT, snapshot } satisfies Stored));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(next, path);
    },
  };
}

function parse(text: string): RouteSnapshot | undefined {
  try {
    const stored = JSON.parse(text) as Partial<Stored> | null;
    const snapshot = stored?.format === FORMAT ? stored.snapshot : undefined;
    return Array.isArray(snapshot?.routes) && Array.isArray(snapshot.workers) ? snapshot : undefined;
  } catch {
    return undefined;
  }
}
