import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Environment } from '../helpers/process.ts';

/**
 * The wall clock of a process, moved from outside by libfaketime where it is installed. The monotonic clock goes on as it
 * does when an administrator sets the time.
 */
export interface FakeClock {
  readonly environment: Environment;
  /** Seconds by which it is wrong from now on, within a second. */
  set(seconds: number): Promise<void>;
}

const LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/faketime/libfaketimeMT.so.1',
  '/usr/lib64/faketime/libfaketimeMT.so.1',
];

const LIBRARY = LIBRARIES.find((path) => existsSync(path));

/** @returns undefined where clocks can't be faked */
export async function createFakeClock(file: string): Promise<FakeClock | undefined> {
  if (LIBRARY === undefined) return undefined;
  const set = (seconds: number): Promise<void> => writeFile(file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  await set(0);
  return {
    environment: {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
      // Named by process ids, which come again after processes that were killed.
      FAKETIME_DISABLE_SHM: '1',
    },
    set,
  };
}
