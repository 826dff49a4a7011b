import { expect, test } from 'vitest';
import { CONFIG_KEYS, loadConfig } from '../../config/load.ts';
import { parseDuration } from '../../src/core/duration.ts';
import { readPage, sectionOf, shellBlocks, tableRows } from './pages.ts';

const PAGE = readPage('docs/configuration.md');
const [KEYS, QUEUE_KEYS] = PAGE.split('\n## Queues\n').map(tableRows) as [Rows, Rows];

type Rows = readonly (readonly string[])[];

function load(text = '') {
  return loadConfig({ file: { path: 'test.yaml', text }, environment: {}, readFile: () => '' }).config;
}

function valueAt(value: unknown, path: string): unknown {
  return path.split('.').reduce((at, name) => (at as Record<string, unknown> | undefined)?.[name], value);
}

/** Keys of a map that hold a value themselves, an empty map being one. */
function leavesOf(value: object, path: readonly string[] = []): readonly string[] {
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) && Object.keys(inner).length > 0
      ? leavesOf(inner, [...path, name])
      : [[...path, name].join('.')],
  );
}

/** What a cell of the column "default" says, as the configuration would hold it. */
function documented(cell: string, actual: unknown): unknown {
  if (cell === 'none') return typeof actual === 'object' ? {} : undefined;
  const words = [...cell.matchAll(/`([^`]*)`/g)].map(([, word]) => word!);
  if (Array.isArray(actual)) return words;
  const [word = ''] = words;
  if (typeof actual === 'boolean') return word === 'true';
  if (typeof actual === 'number') return /^[\d.]+$/.test(word) ? Number(word) : parseDuration(word);
  return word;
}

test('docs/configuration.md has every key, in the order of the schema, with its variable', () => {
  expect(KEYS.map(([key, variable]) => [key, variable])).toEqual(
    CONFIG_KEYS.map(({ path, variable }) => [path.join('.'), `\`${variable}\``]),
  );
});

test.each(KEYS.map(([key, , cell]) => [key!, cell!]))('the default of %s is %s', (key, cell) => {
  const actual = valueAt(load(), key);
  expect(documented(cell, actual)).toEqual(actual);
});

/** Those without a default are there only if they are given. */
const EVERY_KEY = `
redis_url: redis://127.0.0.1
queues:
  jobs:
    routing_strategy: stream_group
    key_template: lanes:{queue}
    intake: { key: jobs, group: workers, sticky_key: customer, job_id: id }
`;

test('docs/configuration.md has every key of a queue with its default', () => {
  const settings = load(EVERY_KEY).queues['jobs']!;
  expect(QUEUE_KEYS.map(([key]) => key)).toEqual(expect.arrayContaining([...leavesOf(settings)]));
  expect(QUEUE_KEYS).toHaveLength(leavesOf(settings).length);
  const defaults = load('queues: { jobs: {} }').queues['jobs']!;
  for (const [key, cell] of QUEUE_KEYS) {
    const actual = valueAt(defaults, key!);
    expect({ [key!]: documented(cell!, actual) }).toEqual({ [key!]: actual });
  }
});

test('every key of the configuration says what it is for, or stands below one that does', () => {
  const silent = [...KEYS, ...QUEUE_KEYS].filter((row) => row.at(-1) === '').map(([key]) => key);
  expect(silent).toEqual(['proxy.port', 'admin.port']);
});

test('the example in docs/configuration.md is valid', () => {
  const [, example] = /```yaml\n(.*?)```/s.exec(sectionOf(PAGE, '## Example'))!;
  expect(shellBlocks(PAGE)).toEqual([]);
  expect(load(example)).toMatchObject({ log_level: 'warn', queues: { reports: { bounded_load: {} } } });
});
