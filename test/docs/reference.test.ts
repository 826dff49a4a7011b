import { expect, test } from 'vitest';
import { OUTCOMES } from '../../src/core/outcome.ts';
import { ERROR_STATUS } from '../../src/core/errors.ts';
import { BASE_PATH } from '../../control/app.ts';
import { openClock } from '../../src/cli/clock.ts';
import { startControl } from '../../src/cli/control.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { CertificateDates } from '../../src/runtime/tls/certificate-dates.ts';
import { openControl } from '../control/harness.ts';
import { Rig } from '../helpers/rig.ts';
import { readPage, sectionOf, tableRows } from './pages.ts';

const API = readPage('docs/api.md');
const DISPATCH = readPage('docs/dispatch.md');
const OPERATIONS = readPage('docs/operations.md');

/** Names, types and labels as the text format gives them, without those of the process and of Node. */
function metricsIn(exposition: string): ReadonlyMap<string, string> {
  const types = exposition.matchAll(/^# TYPE ((?:canary|lanewise)_\S+) (\S+)$/gm);
  return new Map([...types].map(([, name, type]) => [name!, type!]));
}

function documentedMetrics(part: string): ReadonlyMap<string, string> {
  return new Map(tableRows(part).map(([name, type]) => [name!, type!]));
}

test('docs/operations.md lists every metric of both planes, with its type', async () => {
  await using rig = await Rig.start({ settings: { LANEWISE_CONTROL_PORT: '0' } });
  await using opened = new AsyncDisposableStack();
  const log = createLog('silent');
  // As over Redis, which has a clock of its own.
  const clock = await openClock(opened, { ...rig.store, kind: 'redis' }, log);
  const control = await startControl(rig.config, rig.store, clock, log);
  const certificates = new CertificateDates(log, systemClock);
  for (const { metrics } of [control, rig.proxy]) {
    clock.addMetric(metrics);
    certificates.addMetric(metrics);
  }
  const ofControl = await (await fetch(`${control.url}/metrics`)).text();
  await control.close();
  const [proxyPart, controlPart] = sectionOf(OPERATIONS, '## Metrics').split('\nControl plane:\n');
  expect(documentedMetrics(proxyPart!)).toEqual(metricsIn((await rig.admin('/metrics')).body));
  expect(documentedMetrics(controlPart!)).toEqual(metricsIn(ofControl));
});

test('the error tables of the docs have every code with its status', () => {
  const rows = [...tableRows(API), ...tableRows(DISPATCH)].filter(([code]) => /^[A-Z_]+$/.test(code!));
  const documented = new Map(rows.map(([code, status]) => [code, Number(status)]));
  const later = API.match(/`(\w+)` \(\d+\) is a code of later releases/)?.[1];
  expect(documented).toEqual(new Map(Object.entries(ERROR_STATUS).filter(([code]) => code !== later)));
});

test('docs/dispatch.md lists every outcome', () => {
  expect(tableRows(sectionOf(DISPATCH, '## Outcomes')).map(([word]) => word)).toEqual([...OUTCOMES]);
});

test('every endpoint that docs/api.md describes is there', async () => {
  const { app } = await openControl();
  const endpoints = new Set(
    app.routes.map(
      ({ method, path }) => `${method} ${path.replace(BASE_PATH, '').replaceAll(/:(\w+)/g, '{$1}')}`,
    ),
  );
  const described = [...API.matchAll(/^### `(\w+ \/\S*)`$/gm)].map(([, endpoint]) => endpoint!);
  expect(described.length).toBeGreaterThan(15);
  expect(described.filter((endpoint) => !endpoints.has(endpoint))).toEqual([]);
});
