import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { anchorsOf, readPage, ROOT, tableRows } from '../docs/pages.ts';

/** The rules for Prometheus, by Prometheus' own tool. `prometheus-scrape.test.ts` asks a running one. */

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

function rulesOf(file: string): readonly Rule[] {
  const text = readFileSync(join(ROOT, 'config/prometheus', file), 'utf8');
  return (parse(text) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules);
}

const ALERTS = rulesOf('alerts.yml');
const RULES = [...ALERTS, ...rulesOf('recording-rules.yml')];
const UNIT_TESTS = readFileSync(join(ROOT, 'test/config/prometheus/rules.yml'), 'utf8');

function promtool(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? 'fine' : `promtool ${args.join(' ')}\n${stdout}${stderr}`;
}

test('promtool finds nothing wrong with the configuration and the rules that it loads', () => {
  expect(promtool('check', 'config', '--lint=all', '--lint-fatal', 'config/prometheus/prometheus.yml')).toBe(
    'fine',
  );
});

test('the alerts fire when they must and are silent when they must be', () => {
  expect(promtool('test', 'rules', 'test/config/prometheus/rules.yml')).toBe('fine');
});

test.each(ALERTS.map((rule) => [rule.alert!, rule]))(
  '%s is tested, has a severity, and a runbook',
  (name, rule) => {
    expect(UNIT_TESTS).toMatch(
      new RegExp(`ALERTS\\{alertname="${name}", alertstate="firing"|alertname: ${name}\n`),
    );
    expect(['critical', 'warning', 'info']).toContain(rule.labels?.['severity']);
    const [page, anchor] = rule.annotations!['runbook_url']!.split('#');
    expect(anchorsOf(readPage(page!))).toContain(anchor);
  },
);

test('every runbook is one of an alert', () => {
  const headings = [...readPage('docs/runbooks.md').matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
  expect(headings).toEqual(ALERTS.map(({ alert }) => alert));
});

test('the API calls of the runbooks are in docs/api.md', () => {
  const known = new Set(
    [...readPage('docs/api.md').matchAll(/^### `[A-Z]+ ([^`]+)`$/gm)].map(([, path]) => path!),
  );
  const called = [...readPage('docs/runbooks.md').matchAll(/`api '?(\/[^ '?`]+)/g)].map(([, path]) =>
    path!.replaceAll('<', '{').replaceAll('>', '}'),
  );
  expect(called.length).toBeGreaterThan(5);
  expect(called.filter((path) => !known.has(path))).toEqual([]);
});

test('rules use metrics that docs/operations.md lists', () => {
  const documented = tableRows(readPage('docs/operations.md')).map(([name]) => name!);
  const recorded = RULES.flatMap(({ record }) => record ?? []);
  const known = new Set([...documented, ...documented.map((name) => `${name}_bucket`), ...recorded]);
  const used = RULES.flatMap(
    ({ expr }) => expr.match(/\b(?:[a-z_]+:)?(?:canary|lanewise)_[a-z_0-9]+(?::[a-z_0-9]+)?/g) ?? [],
  );
  expect(used.length).toBeGreaterThan(20);
  expect(used.filter((name) => !known.has(name))).toEqual([]);
});
