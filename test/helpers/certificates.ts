import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

/** Of the key `encrypted.key`, unless a test wants another. */
export const PASSPHRASE = 'opensesame';

/**
 * Certificates made on the spot by `certificates.sh`, for all tests of a file.
 * @param passphrase of the key `encrypted.key`
 * @returns the path of one of its files
 */
export function useCertificates(passphrase = PASSPHRASE): (name: string) => string {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lanewise-certificates-'));
    execFileSync('sh', [join(import.meta.dirname, 'certificates.sh'), directory, passphrase]);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));
  return (name) => join(directory, name);
}
