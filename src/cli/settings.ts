import { loadConfig, type Config } from '../../config/load.ts';
import type { Logger } from '../runtime/log.ts';
import { OperatorError } from '../runtime/operator-error.ts';
import type { Host } from './host.ts';

export interface Settings {
  readonly config: Config;
  readonly log: Logger;
}

/** @throws ConfigError, OperatorError */
export function loadSettings(host: Host, configPath: string | undefined): Settings {
  const { config, unknownVariables } = loadConfig({
    environment: host.environment,
    readFile: (path) => host.readFile(path),
    ...(configPath !== undefined && { file: { path: configPath, text: readConfigFile(host, configPath) } }),
  });
  const log = host.createLog(config.log_level);
  for (const variable of unknownVariables) log.warn({ variable }, 'not a variable of this release; ignored');
  return { config, log };
}

/** @throws OperatorError */
export function readConfigFile(host: Host, path: string): string {
  try {
    return host.readFile(path);
  } catch (error) {
    throw new OperatorError(`Cannot read the configuration ${path}: ${(error as Error).message}`);
  }
}
