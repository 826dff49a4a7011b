import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes the directory for its owner only: deployments, routes and tokens are nobody else's business.
 *
 * Not with `recursive`: Node 24 never returns from that where the parent exists but refuses with ENOENT (`/proc`).
 */
export function makeDataDir(path: string): void {
  if (existsSync(path)) return;
  makeDataDir(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process was first.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
