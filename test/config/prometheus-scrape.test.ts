import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { ROOT } from '../docs/pages.ts';
import { useCertificates } from '../helpers/certificates.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { temporaryDirectory } from '../helpers/process.ts';
import { freePort } from '../helpers/ports.ts';
import { SteadyLoad } from '../helpers/steady-load.ts';
import { enlist, Fleet } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';

/** A real Prometheus scrapes three proxies and a control plane under load; what we ship is asked of it. */

const DIRECT = 'direct';
const LANED = 'laned';
const DECIDED = 'decided';
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

interface Target {
  readonly expr: string;
}

interface Dashboard {
  readonly annotations: { readonly list: readonly Target[] };
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly targets?: readonly Target[];
  }[];
}

interface RuleGroup {
  readonly rules: readonly { readonly alert?: string; readonly record?: string; readonly expr: string }[];
}

const DASHBOARD = JSON.parse(readFileSync(join(ROOT, 'config/grafana/lanewise.json'), 'utf8')) as Dashboard;
const RULE_FILES = ['recording-rules.yml', 'alerts.yml'].map((name) => join(ROOT, 'config/prometheus', name));
const RULES = RULE_FILES.flatMap((file) => {
  return (parse(readFileSync(file, 'utf8')) as { groups: readonly RuleGroup[] }).groups;
}).flatMap(({ rules }) => rules);

const PANELS = DASHBOARD.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }, i) => [`${title}, query ${i + 1}`, expr] as const),
);

const at = useCertificates();
const stack = new AsyncDisposableStack();
let fleet: Fleet;
let prometheusUrl: string;
afterAll(() => stack.disposeAsync());

beforeAll(async () => {
  const receiver = stack.use(await TestWorker.start('receiver'));
  fleet = stack.use(
    await Fleet.start(3, {
      LANEWISE_WEBHOOKS: JSON.stringify({ ops: { url: receiver.url, secret: SECRET } }),
      LANEWISE_QUEUES: JSON.stringify({ [LANED]: { max_attempts: 1 } }),
      LANEWISE_PROXY_WORKER_TLS_CA: at('ca.pem'),
    }),
  );
  await startJobs();
  await startPrometheus();
});

async function startJobs(): Promise<void> {
  const { api, proxies } = fleet;
  const good = stack.use(
    await TestWorker.start('v1', (_job, response) => setTimeout(() => response.end(), 2)),
  );
  const poor = stack.use(
    await TestWorker.start('v2', (_job, response) => {
      response.statusCode = Math.random() < 0.5 ? 500 : 200;
      setTimeout(() => response.end(), 4);
    }),
  );
  for (const queue of [DIRECT, LANED]) {
    await enlist(fleet, { id: `${queue}-v1`, version: 'v1', url: good.url, queue });
    await enlist(fleet, { id: `${queue}-v2`, version: 'v2', url: poor.url, lane: 'canary', queue });
  }
  const watched = { initial_percentage: 40, auto_rollback: false, auto_promotion: false };
  await api.createDeployment('v1', 'v2', { ...watched, queue_name: DIRECT, retry_on_stable: true });
  await api.createDeployment('v1', 'v2', {
    ...watched,
    queue_name: LANED,
    routing_strategy: 'split_queue',
  });
  await api.rollBack(await api.createDeployment('v1', 'v2', { queue_name: DECIDED }));
  await api.promote(await api.createDeployment('v1', 'v2', { queue_name: `${DECIDED}-too` }));
  for (const queue of [DIRECT, LANED, 'nobodys']) stack.use(new SteadyLoad(proxies, queue, 30));
}

async function startPrometheus(): Promise<void> {
  const directory = await temporaryDirectory(stack);
  const port = await freePort();
  const targetsOf = (urls: readonly string[]) => [{ targets: urls.map((url) => new URL(url).host) }];
  await writeFile(
    join(directory, 'prometheus.yml'),
    stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: RULE_FILES,
      scrape_configs: [
        { job_name: 'lanewise-control', static_configs: targetsOf([fleet.api.url]) },
        {
          job_name: 'lanewise-proxy',
          static_configs: targetsOf(fleet.proxies.map(({ adminUrl }) => adminUrl)),
        },
      ],
    }),
  );
  const child = spawn(
    'prometheus',
    [
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  const exited = once(child, 'exit');
  stack.defer(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  prometheusUrl = `http://127.0.0.1:${port}`;
  await vi.waitUntil(
    async () => (await fetch(`${prometheusUrl}/-/ready`).catch(() => undefined))?.status === 200,
    PATIENCE,
  );
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

async function query(expr: string): Promise<readonly Sample[]> {
  const asked = await fetch(`${prometheusUrl}/api/v1/query?query=${encodeURIComponent(expr)}`);
  const answer = (await asked.json()) as { status: string; error?: string; data: { result: Sample[] } };
  if (answer.status !== 'success') throw new Error(`${expr}: ${answer.error}`);
  return answer.data.result;
}

/** A scrape of a busy machine may fail now and then, and its series are gone until the next one. */
const WITHIN = { ...PATIENCE, interval: 200 };

/** As Grafana would fill it in, for a Prometheus that scrapes every second. */
function filledIn(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '10s')
    .replaceAll('$__interval', '10s')
    .replaceAll('$queue', '.*');
}

async function hasData(expr: string): Promise<boolean> {
  return (await query(expr)).some(({ value: [, value] }) => value !== 'NaN');
}

test('every query of every panel of the dashboard returns numbers', async () => {
  const missing = new Map(PANELS);
  await vi.waitFor(async () => {
    for (const [name, expr] of missing) if (await hasData(filledIn(expr))) missing.delete(name);
    expect([...missing], 'queries without data').toEqual([]);
  }, WITHIN);
});

test('the queries of the dashboard show what was sent', async () => {
  const valueOf = async (title: string, labels: Readonly<Record<string, string>>): Promise<number> => {
    const results = await Promise.all(
      PANELS.filter(([name]) => name.startsWith(`${title},`)).map(([, expr]) => query(filledIn(expr))),
    );
    const samples = results
      .flat()
      .filter(({ metric }) => Object.entries(labels).every(([name, value]) => metric[name] === value));
    return Number(samples.at(-1)?.value[1]);
  };
  await vi.waitFor(async () => {
    expect(await valueOf('Share of the canary', { queue: DECIDED })).toBe(0);
    expect(await valueOf('Promotions and rollbacks', { queue: DECIDED, reason: 'manual' })).toBe(1);
    expect(await valueOf('Judge', {})).toBeLessThan(60);
    expect(await valueOf('Proxies and control planes', { component: 'proxy' })).toBe(3);
    expect(await valueOf('Proxies and control planes', { component: 'control' })).toBe(1);
    expect(await valueOf('Failed jobs', { queue: DIRECT, lane: 'stable' })).toBe(0);
    expect(await valueOf('Failed jobs', { queue: LANED, lane: 'canary' })).toBeGreaterThan(0);
    expect(await valueOf('Duration, median', { queue: DIRECT, lane: 'canary' })).toBeGreaterThan(0.001);
  }, WITHIN);
});

test('the variable and the annotation of the dashboard find what they look for', async () => {
  const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(
    DASHBOARD.templating.list.find(({ name }) => name === 'queue')!.definition!,
  )!;
  await vi.waitFor(async () => {
    const queues = (await query(metric!)).map((sample) => sample.metric[label!]);
    expect(queues).toEqual(expect.arrayContaining([DIRECT, LANED]));
  }, WITHIN);
  for (const { expr } of DASHBOARD.annotations.list) await query(filledIn(expr));
});

test('every rule is evaluated without an error, and every recorded series has values', async () => {
  const { data } = (await (await fetch(`${prometheusUrl}/api/v1/rules`)).json()) as {
    data: { groups: readonly { rules: readonly { name: string; health: string; lastError?: string }[] }[] };
  };
  const told = data.groups.flatMap(({ rules }) => rules);
  expect(told.map(({ name }) => name).toSorted()).toEqual(
    RULES.map(({ alert, record }) => (alert ?? record)!).toSorted(),
  );
  expect(told.filter(({ lastError }) => lastError !== undefined)).toEqual([]);
  for (const { record } of RULES) {
    if (record === undefined) continue;
    await vi.waitUntil(() => hasData(record), WITHIN);
  }
});

/** By what this load does not bring about. `config/prometheus/rules.yml` fires their alerts on made-up series. */
const RARE = new Set(['canary_jobs_stranded_total']);

test('every metric that an alert asks for is there, with the labels that it asks for', async () => {
  for (const { alert, expr } of RULES) {
    for (const [, name, matchers = ''] of expr.matchAll(
      /\b((?:canary_|lanewise_|nodejs_|queue_|up\b)[\w:]*)(?:\{([^}]*)\})?/g,
    )) {
      if (RARE.has(name!) || !/^(up|(?:canary|lanewise|nodejs)_\w+)$/.test(name!)) continue;
      // Labels of this name, whatever they hold: nothing is down here.
      const labels = [...matchers.matchAll(/(\w+)\s*(?:=~|!=|!~|=)/g)].map(([, label]) => `${label}!=""`);
      const selector = `${name}{${labels.join(',')}}`;
      await vi.waitFor(
        async () => expect(await query(selector), `${alert}: ${selector}`).not.toEqual([]),
        WITHIN,
      );
    }
  }
});

const OF_INSTALLATION = /Down$|Stale$|Behind$|Unsaved$|^LanewiseJudge/;

test('no alert of the installation itself has anything to say while all is well with it', async () => {
  const alerts = RULES.filter(({ alert }) => OF_INSTALLATION.test(alert ?? ''));
  expect(alerts).toHaveLength(7);
  for (const { alert, expr } of alerts) {
    await vi.waitFor(
      async () => expect({ alert, told: await query(expr) }).toEqual({ alert, told: [] }),
      WITHIN,
    );
  }
});

test('promtool finds nothing to complain of in /metrics of either plane under load', async () => {
  const urls = [fleet.api.url, ...fleet.proxies.map(({ adminUrl }) => adminUrl)];
  for (const url of urls) {
    const input = await (await fetch(`${url}/metrics`)).text();
    expect(input).toContain('canary_');
    const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
    expect({ url, status, stderr }).toEqual({ url, status: 0, stderr: '' });
  }
});
