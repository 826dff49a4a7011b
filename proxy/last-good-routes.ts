import { createHash } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { RouteSnapshot } from '../src/core/routing-table.ts';
import { makeDataDir } from '../src/runtime/data-dir.ts';
import { routedWorkerSchema, routeSchema } from '../src/runtime/store/records.ts';

/**
 * The latest routes on disk, so that a proxy can start with everything else down. Written whole to a new file that
 * takes the old one's place: a reader sees one or the other.
 */
export interface LastGoodRoutes {
  /** @returns undefined if there are none, or none that can be read (`onUnreadable` says why) */
  load(): Promise<RouteSnapshot | undefined>;
  /**
   * Not to be called while another call is under way.
   * @returns how many bytes were written
   */
  save(snapshot: RouteSnapshot): Promise<number>;
}

/** Between two writes of a MiB: the routes are written whole, and dispatches wait while they are put into words. */
const MS_PER_MEBIBYTE = 2_000;
const PAUSE_MS_MAX = 30_000;

/** So that routes that change all the time cost a proxy the same share of its time, however many there are. */
export function pauseAfterSaving(bytes: number, leastMs: number): number {
  return Math.min(PAUSE_MS_MAX, Math.max(leastMs, (bytes / 1_048_576) * MS_PER_MEBIBYTE));
}

/** Raised when the content changes its shape; new fields need no new number. What is of another one is left alone. */
const FORMAT = 1;

/** What it must have to be routed by; a snapshot that is whole has no unreadable parts. */
const snapshotSchema: z.ZodType<RouteSnapshot> = z.looseObject({
  epoch: z.string(),
  revision: z.int(),
  routes: z.array(routeSchema),
  workers: z.array(routedWorkerSchema),
});

const storedSchema = z.looseObject({
  format: z.literal(FORMAT),
  /** SHA-256 of the snapshot's JSON: a bit that fell over must not become a percentage. */
  sha256: z.string().optional(),
  snapshot: z.unknown(),
});

export function createLastGoodRoutes(
  dataDir: string,
  onUnreadable: (reason: string) => void,
): LastGoodRoutes {
  const path = join(dataDir, 'routes.json');
  // Several proxies may share a data directory; each writes to a file of its own.
  const next = `${path}.${globalThis.crypto.randomUUID()}`;
  return {
    async load() {
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') onUnreadable(String(error));
        return undefined;
      }
      try {
        return parse(text);
      } catch (error) {
        onUnreadable(`${path} ${error instanceof Error ? error.message : String(error)}`);
        return undefined;
      }
    },

    async save(snapshot) {
      makeDataDir(dataDir);
      try {
        const bytes = await write(next, snapshot);
        await rename(next, path);
        return bytes;
      } catch (error) {
        await rm(next, { force: true }).catch(() => {});
        throw error;
      }
    },
  };
}

async function write(path: string, snapshot: RouteSnapshot): Promise<number> {
  const file = await open(path, 'w', 0o600);
  try {
    const json = JSON.stringify(snapshot);
    await file.writeFile(`{"format":${FORMAT},"sha256":"${digestOf(json)}","snapshot":${json}}`);
    await file.sync();
    return json.length;
  } finally {
    await file.close();
  }
}

/** @throws Error that says what is wrong with the file, to go behind its name */
function parse(text: string): RouteSnapshot {
  const json = jsonOf(text);
  const format: unknown = (json as { format?: unknown } | null)?.format;
  if (typeof format === 'number' && format > FORMAT)
    throw new Error(`has format ${format}, of a newer release; this one reads up to ${FORMAT}`);
  const stored = storedSchema.safeParse(json);
  if (!stored.success) throw new Error(`does not hold routes of format ${FORMAT}`);
  const { sha256, snapshot } = stored.data;
  if (sha256 !== undefined && sha256 !== digestOf(JSON.stringify(snapshot)))
    throw new Error('is damaged: its content is not what was written');
  const parsed = snapshotSchema.safeParse(snapshot);
  if (parsed.success) return parsed.data;
  throw new Error(`is damaged: ${z.prettifyError(parsed.error)}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('is damaged: it is not JSON, or was cut off');
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
