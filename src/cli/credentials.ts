import { readFileSync } from 'node:fs';
import type { Config } from '../../config/load.ts';
import { createCredentialStore, type CredentialStore, type Token } from '../../control/credentials.ts';
import { isLoopbackHost } from '../../control/loopback.ts';
import { loadOrCreateToken, type StoredToken } from '../../control/token-file.ts';
import { parseTokens } from '../../control/tokens.ts';
import type { FileWatch } from '../runtime/file-watch.ts';
import { OperatorError } from '../runtime/operator-error.ts';

/** Whom the control plane knows. */

interface OpenedCredentials {
  readonly credentials: CredentialStore;
  /** The token that was made because none is configured. */
  readonly generatedToken: StoredToken | undefined;
}

/** @throws TokenProblems, OperatorError */
export async function openCredentials(
  config: Config,
  files: FileWatch | undefined,
): Promise<OpenedCredentials> {
  const { tokens, tokens_file: path } = config;
  if (tokens !== undefined) {
    const credentials = createCredentialStore(parseTokens(tokens, path));
    if (path !== undefined) {
      const reload = (): void => credentials.replace(readTokens(path));
      files?.add({ name: 'tokens', paths: [path], reload });
    }
    return { credentials, generatedToken: undefined };
  }
  const { host } = config.control;
  if (!isLoopbackHost(host)) {
    throw new OperatorError(
      `LANEWISE_CONTROL_HOST is ${host}, which others can reach, and no credentials are configured. ` +
        'Set LANEWISE_TOKENS to name:role:secret[:tenant] (roles: viewer, operator, worker, admin), ' +
        'or listen on 127.0.0.1, where a token is generated',
    );
  }
  const generatedToken = await loadOrCreateToken(config.data_dir);
  const credentials = createCredentialStore([{ name: 'local', role: 'admin', secret: generatedToken.token }]);
  return { credentials, generatedToken };
}

function readTokens(path: string): readonly Token[] {
  return parseTokens(readFileSync(path, 'utf8'), path);
}
