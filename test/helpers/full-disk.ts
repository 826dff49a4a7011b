import { execFile } from 'node:child_process';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface FullDisk {
  free(): Promise<void>;
}

/**
 * Lets nothing be written into a directory: over it goes a file system of its own, which is full. Who may not mount
 * finds a file in the directory's place, in which nothing can be written either.
 */
export async function fillDisk(directory: string): Promise<FullDisk> {
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', directory]);
  } catch {
    return replace(directory);
  }
  await writeFile(join(directory, 'filler'), Buffer.alloc(64 * 1024)).catch(() => undefined);
  return {
    // Still full when it goes: nothing can have been written that would go with it.
    async free() {
      await run('umount', ['-l', directory]);
    },
  };
}

async function replace(directory: string): Promise<FullDisk> {
  const away = `${directory}.away`;
  await rename(directory, away);
  await writeFile(directory, '');
  return {
    async free() {
      await rm(directory, { recursive: true, force: true });
      await rename(away, directory);
    },
  };
}
