/**
 * `secret_file` beside a webhook's settings, as `…_FILE` beside a variable: the file's content takes the place of
 * `secret`, before anything is checked.
 */

/**
 * @param entries what the operator wrote under `webhooks`, whatever it is; the ones with a file are changed in place
 * @returns the keys whose values came from files, as they are now → as the operator wrote them
 */
export function readSecretFiles(
  entries: unknown,
  readFile: (path: string) => string,
  problems: string[],
): ReadonlyMap<string, string> {
  const read = new Map<string, string>();
  if (!isMap(entries)) return read;
  for (const [name, settings] of Object.entries(entries)) {
    if (!isMap(settings)) continue;
    const { secret, secret_file: path } = settings;
    if (typeof path !== 'string' || path.trim() === '') continue;
    const key = `webhooks.${name}`;
    if (secret !== undefined) {
      problems.push(`${key}.secret and ${key}.secret_file are both set; keep one`);
      continue;
    }
    try {
      settings['secret'] = readFile(path.trim()).trim();
      delete settings['secret_file'];
      read.set(`${key}.secret`, `${key}.secret_file`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      problems.push(`${key}.secret_file: cannot read ${path} (${reason})`);
    }
  }
  return read;
}

/**
 * `tokens_file` in place of `tokens`; which of the two is in a variable wins.
 * @param input what the operator wrote; changed in place, so that `tokens` has what counts, and `tokens_file` whence
 * @param variables the keys that variables have set
 */
export function readTokensFile(
  input: Record<string, unknown>,
  variables: ReadonlyMap<string, string>,
  readFile: (path: string) => string,
  problems: string[],
): void {
  const { tokens, tokens_file: path } = input;
  // That of the variable has been read.
  if (typeof path !== 'string' || path.trim() === '' || variables.has('tokens_file')) return;
  if (variables.has('tokens')) {
    delete input['tokens_file'];
  } else if (tokens !== undefined) {
    problems.push('tokens and tokens_file are both set; keep one');
  } else {
    try {
      input['tokens'] = readFile(path.trim()).trim();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      problems.push(`tokens_file: cannot read ${path} (${reason})`);
    }
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
