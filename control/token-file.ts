import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDataDir } from '../src/runtime/data-dir.ts';
import { OperatorError } from '../src/runtime/operator-error.ts';

/**
 * On loopback nobody has to configure credentials: a token is made at the first start and kept beside the data, for
 * its owner's eyes only.
 */

export interface StoredToken {
  readonly token: string;
  readonly path: string;
  /** It was made just now. */
  readonly created: boolean;
}

const TOKEN_BYTES = 32;
const TOKEN_FORM = /^[\x21-\x7e]{16,}$/;

/** @throws OperatorError naming the file or directory and what to do about it */
export async function loadOrCreateToken(dataDir: string): Promise<StoredToken> {
  const path = join(dataDir, 'token');
  try {
    makeDataDir(dataDir);
    const stored = await readStored(path);
    if (stored !== undefined) return { token: stored, path, created: false };
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    if (await claim(path, token)) return { token, path, created: true };
    // Another process was first.
    return { token: (await readStored(path))!, path, created: false };
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new OperatorError(
      `Cannot keep the generated token in ${path}: ${error.message}. Set LANEWISE_DATA_DIR to a directory that can be written, or LANEWISE_TOKENS`,
      { cause: error },
    );
  }
}

async function readStored(path: string): Promise<string | undefined> {
  let text;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const token = text.trim();
  if (!TOKEN_FORM.test(token)) {
    throw new OperatorError(`${path} does not hold a token; remove the file and a new one is made`);
  }
  await chmod(path, 0o600);
  return token;
}

/** Appears whole or not at all, and never replaces another's. @returns whether it was ours to write */
async function claim(path: string, token: string): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, `${token}\n`, { mode: 0o600, flag: 'wx' });
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft);
  }
}
