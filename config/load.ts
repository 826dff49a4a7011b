import { parseDocument, parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { CLIENT_VARIABLES } from './client-variables.ts';
import { configSchema, type ConfigInput } from './schema.ts';
import { readSecretFiles, readTokensFile } from './secret-files.ts';

/**
 * From a YAML text and the environment to a configuration, or to all that is wrong with it at once, each problem
 * under the name that the operator wrote.
 */

export type Config = ConfigInput;

export interface ConfigSources {
  /** The file's content and name, if one was given. */
  readonly file?: { readonly path: string; readonly text: string };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads what a `…_FILE` variable points to. */
  readFile(path: string): string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** What is set but not understood, for a warning: another release may know it. */
  readonly unknownVariables: readonly string[];
}

export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n  ${problems.join('\n  ')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

interface Key {
  readonly path: readonly string[];
  readonly variable: string;
  /** Maps of names to settings; in a variable they are YAML (or JSON) text. */
  readonly isMap: boolean;
}

function variableOf(path: readonly string[]): string {
  return path.join('.') === 'redis_url' ? 'REDIS_URL' : `LANEWISE_${path.join('_').toUpperCase()}`;
}

function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional) {
    inner = inner.unwrap() as z.ZodType;
  }
  return inner;
}

function keysOf(schema: z.ZodType, path: readonly string[] = []): Key[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape).flatMap(([name, child]) =>
      keysOf(child as z.ZodType, [...path, name]),
    );
  }
  return [{ path, variable: variableOf(path), isMap: inner instanceof z.ZodRecord }];
}

/** Every key of the configuration with its variable, in the schema's order. */
export const CONFIG_KEYS: readonly Key[] = keysOf(configSchema);

/** @throws ConfigError with every problem */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const problems: string[] = [];
  const input = sources.file === undefined ? {} : parseFile(sources.file, problems);
  const variables = new Map<string, string>();

  for (const key of CONFIG_KEYS) {
    const value = readVariable(key.variable, sources, problems);
    if (value === undefined) continue;
    variables.set(key.path.join('.'), key.variable);
    set(input, key.path, key.isMap ? parseMap(key.variable, value, problems) : value);
  }
  readTokensFile(input, variables, (path) => sources.readFile(path), problems);
  const fromFiles = readSecretFiles(input['webhooks'], (path) => sources.readFile(path), problems);
  for (const [key, name] of fromFiles) variables.set(key, name);

  const parsed = configSchema.safeParse(input);
  if (!parsed.success) problems.push(...parsed.error.issues.flatMap((issue) => describe(issue, variables)));
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems);
  return { config: parsed.data, unknownVariables: unknownVariables(sources.environment) };
}

function parseFile(file: { path: string; text: string }, problems: string[]): Record<string, unknown> {
  const document = parseDocument(file.text, { uniqueKeys: true });
  for (const error of document.errors) problems.push(`${file.path}: ${error.message.split('\n')[0]}`);
  const content: unknown = document.errors.length > 0 ? null : document.toJS();
  if (content === null || content === undefined) return {};
  if (typeof content === 'object' && !Array.isArray(content)) return content as Record<string, unknown>;
  problems.push(`${file.path}: must be a map of keys to values`);
  return {};
}

function readVariable(name: string, sources: ConfigSources, problems: string[]): string | undefined {
  const value = sources.environment[name];
  const path = sources.environment[`${name}_FILE`];
  if (value !== undefined && value !== '') {
    if (path) problems.push(`${name} and ${name}_FILE are both set; keep one`);
    return value;
  }
  if (!path) return undefined;
  try {
    return sources.readFile(path).trim();
  } catch (error) {
    problems.push(
      `${name}_FILE: cannot read ${path} (${error instanceof Error ? error.message : String(error)})`,
    );
    return undefined;
  }
}

function parseMap(variable: string, text: string, problems: string[]): unknown {
  try {
    return parseYaml(text);
  } catch {
    problems.push(`${variable}: must be a YAML or JSON map`);
    return {};
  }
}

function set(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = target;
  for (const name of path.slice(0, -1)) {
    const next = at[name];
    at = (typeof next === 'object' && next !== null ? next : (at[name] = {})) as Record<string, unknown>;
  }
  at[path.at(-1)!] = value;
}

function describe(issue: z.core.$ZodIssue, variables: ReadonlyMap<string, string>): string[] {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(
      (key) => `${path === '' ? key : `${path}.${key}`}: is not a key of the configuration`,
    );
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => `${path}: ${inner.message}`);
  }
  return [`${variables.get(path) ?? path}: ${issue.message}`];
}

function unknownVariables(environment: ConfigSources['environment']): readonly string[] {
  const known = new Set<string>([
    ...CLIENT_VARIABLES,
    ...CONFIG_KEYS.flatMap(({ variable }) => [variable, `${variable}_FILE`]),
  ]);
  return Object.keys(environment).filter((name) => name.startsWith('LANEWISE_') && !known.has(name));
}
