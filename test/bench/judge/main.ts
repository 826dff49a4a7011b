import { DOCUMENTED_PROFILES } from '../../../config/profiles.ts';
import { createLanesTotals } from '../../../src/core/lane-totals.ts';
import { randomOf } from '../../core/fixtures.ts';
import { ticksOf, type Behaviour, type Scene } from './fleet.ts';
import { createRule, deploymentOf, type ProfileName, type RuleName } from './rules.ts';
import { runTrial, type Trial, type TrialResult } from './trial.ts';

/**
 * `npm run bench:judge`: simulated canaries under our rule and three others, the same jobs for all. Our own figures
 * are asserted; a rule that broke its promise would make this fail. `RUNS` is the number of canaries in a row of the
 * first table (default 100; a share of 5 % is then known to ± 4 points), the others take a third of it.
 */

const RULES: readonly RuleName[] = ['lanewise', 'threshold', 'z-test', 'Mann-Whitney'];
const RUNS = Number(process.env['RUNS'] ?? 100);
const TICKS = 10_000;

let broken = 0;
const print = (line = ''): void => void process.stdout.write(`${line}\n`);

function expectAtMost(what: string, found: number | null, most: number): void {
  if (found !== null && found <= most) return;
  broken++;
  print(`    NOT AS PROMISED: ${what} is ${found}, should be at most ${most}`);
}

function scene(stable: number, canary: Behaviour, perSecond = 10, split = 0.1): Scene {
  return { perSecond, split, stable: { errors: stable }, canary };
}

/** The floor of the success rate is a threshold of its own; where a row is about another one, it is out of the way. */
const NO_FLOOR = { minSuccessRate: 0 };

function falseRollbacks(): void {
  print(
    `False rollbacks: share of ${RUNS} canaries that were ever taken back, looked at every second for ${TICKS} s`,
  );
  print(`${''.padEnd(62)}${RULES.map((rule) => rule.padStart(14)).join('')}`);
  const profiles = Object.keys(DOCUMENTED_PROFILES) as ProfileName[];
  const rows: [string, Omit<Trial, 'ticks' | 'runs'>, number][] = [
    ...profiles.flatMap((profile) =>
      [0.001, 0.01, 0.05, 0.2].map((errors): [string, Omit<Trial, 'ticks' | 'runs'>, number] => [
        `${profile}: as good as stable, ${100 * errors} % errors`,
        { profile, thresholds: NO_FLOOR, scene: scene(errors, { errors }) },
        0.01,
      ]),
    ),
    ...profiles.map((profile): [string, Omit<Trial, 'ticks' | 'runs'>, number] => {
      const { maxErrorRateIncrease } = DOCUMENTED_PROFILES[profile].rollbackThresholds;
      const errors = 0.01 + maxErrorRateIncrease / 100;
      return [
        `${profile}: errors at the threshold, 1 % and ${(100 * errors).toFixed(0)} %`,
        { profile, thresholds: NO_FLOOR, scene: scene(0.01, { errors }) },
        0.05,
      ];
    }),
    ...profiles.map((profile): [string, Omit<Trial, 'ticks' | 'runs'>, number] => {
      const slowness = 1 + DOCUMENTED_PROFILES[profile].rollbackThresholds.maxLatencyIncrease / 100;
      return [
        `${profile}: latency at the threshold, × ${slowness}`,
        { profile, scene: scene(0.01, { errors: 0.01, slowness }) },
        0.05,
      ];
    }),
    ...profiles.map((profile): [string, Omit<Trial, 'ticks' | 'runs'>, number] => {
      const errors = 1 - DOCUMENTED_PROFILES[profile].rollbackThresholds.minSuccessRate / 100;
      return [
        `${profile}: errors at the floor, both lanes ${(100 * errors).toFixed(0)} %`,
        { profile, scene: scene(errors, { errors }) },
        0.05,
      ];
    }),
  ];
  for (const [name, trial, most] of rows) {
    const results = RULES.map((rule) => runTrial(rule, { ...trial, ticks: TICKS, runs: RUNS }));
    const shares = results.map(({ rolledBack, runs }) => rolledBack / runs);
    print(
      `  ${name.padEnd(60)}${shares.map((share) => `${(100 * share).toFixed(1)} %`.padStart(14)).join('')}`,
    );
    // A true share of `most` shows as more than this once in a thousand tables.
    expectAtMost(name, shares[0]!, most + 3 * Math.sqrt((most * (1 - most)) / RUNS));
  }
}

function badCanaries(): void {
  const runs = Math.ceil(RUNS / 3);
  print();
  print(
    `Bad canaries, medians of ${runs}: canary jobs, seconds, failed jobs until rollback (share found, if not all)`,
  );
  print(`${''.padEnd(50)}${RULES.map((rule) => rule.padStart(24)).join('')}`);
  const rows: [string, Omit<Trial, 'ticks' | 'runs'>, number?][] = [
    [
      'default, 1 % → 2 %, + 1 point (within the threshold)',
      { profile: 'default', scene: scene(0.01, { errors: 0.02 }) },
    ],
    [
      'default, 1 % → 6 %, + 5 points (at the threshold)',
      { profile: 'default', scene: scene(0.01, { errors: 0.06 }) },
    ],
    ['conservative, 1 % → 6 %', { profile: 'conservative', scene: scene(0.01, { errors: 0.06 }) }, 500],
    ['default, 1 % → 11 %', { profile: 'default', scene: scene(0.01, { errors: 0.11 }) }, 300],
    ['default, 1 % → 21 %', { profile: 'default', scene: scene(0.01, { errors: 0.21 }) }, 45],
    ['default, all fail', { profile: 'default', scene: scene(0.01, { errors: 1 }) }, 22],
    [
      'default, p95 × 1.5 (at the threshold)',
      { profile: 'default', scene: scene(0.01, { errors: 0.01, slowness: 1.5 }) },
    ],
    ['default, p95 × 2', { profile: 'default', scene: scene(0.01, { errors: 0.01, slowness: 2 }) }],
    ['default, p95 × 3', { profile: 'default', scene: scene(0.01, { errors: 0.01, slowness: 3 }) }, 60],
    [
      'default, never answers, 10 canary jobs/s',
      { profile: 'default', scene: scene(0.01, { errors: 0, hangs: 1 }, 20, 0.5) },
    ],
    [
      'default, 30 % never answer, 10 canary jobs/s',
      { profile: 'default', scene: scene(0.01, { errors: 0, hangs: 0.3 }, 20, 0.5) },
    ],
    ['aggressive, 1 % → 50 %', { profile: 'aggressive', scene: scene(0.01, { errors: 0.5 }) }],
  ];
  for (const [name, trial, most] of rows) {
    const results = RULES.map((rule) => runTrial(rule, { ...trial, ticks: 3000, runs }));
    print(`  ${name.padEnd(48)}${results.map((result) => shown(result).padStart(24)).join('')}`);
    if (most !== undefined) expectAtMost(`${name}, canary jobs`, results[0]!.medianJobs, most);
    if (name.includes('never answers')) expectAtMost(`${name}, seconds`, results[0]!.medianSeconds, 10);
  }
}

function shown({ rolledBack, runs, medianJobs, medianSeconds, medianFailed }: TrialResult): string {
  if (rolledBack === 0) return 'never';
  const share = rolledBack === runs ? '' : ` (${Math.round((100 * rolledBack) / runs)} %)`;
  return `${medianJobs} / ${medianSeconds} s / ${medianFailed}${share}`;
}

const RATES = [0.1, 1, 10, 100, 1000];
const SPLITS = [0.01, 0.1, 0.5];

/** One table a rule: a row for each rate of jobs, a column for each share of the canary. */
function overRatesAndSplits(
  rules: readonly RuleName[],
  cell: (rule: RuleName, perSecond: number, split: number) => string,
): void {
  for (const rule of rules) {
    print(`  ${rule}`);
    print(`    jobs/s    ${SPLITS.map((split) => `${100 * split} % canary`.padStart(22)).join('')}`);
    for (const perSecond of RATES) {
      const cells = SPLITS.map((split) => cell(rule, perSecond, split).padStart(22));
      print(`    ${String(perSecond).padEnd(9)} ${cells.join('')}`);
    }
  }
}

/** How long until a bad one is out. */
function grid(): void {
  const runs = 9;
  print();
  print(
    `default, 1 % → 21 %: seconds / canary jobs until rollback, medians of ${runs} (share found, if not all)`,
  );
  print('(within the time for 120 canary jobs, and within 40,000 s)');
  overRatesAndSplits(RULES, (rule, perSecond, split) => {
    const ticks = Math.min(40_000, Math.max(10, Math.ceil(120 / (perSecond * split))));
    const bad = scene(0.01, { errors: 0.21 }, perSecond, split);
    const result = runTrial(rule, { profile: 'default', scene: bad, ticks, runs });
    if (result.rolledBack === 0) return 'never';
    const share = result.rolledBack === runs ? '' : ` (${Math.round((100 * result.rolledBack) / runs)} %)`;
    return `${result.medianSeconds} s / ${result.medianJobs}${share}`;
  });
}

/** And how often a good one, where stable and canary fail alike. */
function goodGrid(): void {
  const runs = Math.ceil(RUNS / 5);
  print();
  print(`default, 5 % → 5 %: share of ${runs} that were ever taken back, looked at every second`);
  print('(for 10,000 s; at 100 jobs/s for 2,000 s, at 1,000 jobs/s for 500 s)');
  overRatesAndSplits(RULES, (rule, perSecond, split) => {
    const ticks = perSecond >= 1000 ? 500 : perSecond >= 100 ? 2000 : TICKS;
    const good = scene(0.05, { errors: 0.05 }, perSecond, split);
    const trial = { profile: 'default', thresholds: NO_FLOOR, scene: good, ticks, runs } as const;
    const share = runTrial(rule, trial).rolledBack / runs;
    if (rule === 'lanewise') {
      const most = 0.01 + 3 * Math.sqrt((0.01 * 0.99) / runs);
      expectAtMost(`as good as stable, ${perSecond} jobs/s, ${100 * split} % canary`, share, most);
    }
    return `${(100 * share).toFixed(1)} %`;
  });
}

/** The judgement of one look at each of 1,000 deployments, each with 100 jobs/s of its own. */
function cost(): void {
  const deployments = 1000;
  const random = randomOf(1);
  const judges = Array.from({ length: deployments }, () =>
    createRule('lanewise', deploymentOf('default', 10), random),
  );
  const [, ...ticks] = ticksOf(scene(0.01, { errors: 0.01 }, 100), 11, random);
  for (const judge of judges)
    judge({ at: 0, totals: createLanesTotals(), window: createLanesTotals(), second: createLanesTotals() });
  const before = process.cpuUsage();
  for (const tick of ticks) for (const judge of judges) judge(tick);
  const { user, system } = process.cpuUsage(before);
  const milliseconds = (user + system) / 1000 / ticks.length;
  print();
  print(
    `A look at ${deployments} active deployments with 100 jobs/s each: ${milliseconds.toFixed(0)} ms of CPU`,
  );
  expectAtMost('CPU of a tick, ms', milliseconds, 1000);
}

/** Mermaid, for the page about the judge. */
function chart(): void {
  const runs = Math.ceil(RUNS / 2);
  const rates = [0.08, 0.09, 0.11, 0.13, 0.16, 0.21, 0.31, 0.51, 1];
  const medians = (rule: RuleName): (number | null)[] =>
    rates.map((errors) => {
      const trial = { profile: 'default', scene: scene(0.01, { errors }), ticks: 10_000, runs } as const;
      return runTrial(rule, trial).medianJobs;
    });
  print();
  print('```mermaid');
  print('xychart-beta');
  print('  title "Canary jobs until rollback (stable fails 1 %, threshold 5 points, 10 % canary)"');
  print(`  x-axis "errors of the canary, %" [${rates.map((rate) => Math.round(100 * rate)).join(', ')}]`);
  print('  y-axis "median canary jobs"');
  print(`  line [${medians('lanewise').join(', ')}]`);
  print('```');
}

/** `npm run bench:judge -- bad grid` prints only those. */
const SECTIONS: Readonly<Record<string, () => void>> = {
  bad: badCanaries,
  grid,
  'good-grid': goodGrid,
  cost,
  chart,
  good: falseRollbacks,
};
const asked = process.argv.slice(2);
for (const section of asked.length > 0 ? asked : Object.keys(SECTIONS)) {
  const show = SECTIONS[section];
  if (show === undefined)
    throw new Error(`no section ${section}; there are ${Object.keys(SECTIONS).join(', ')}`);
  show();
}
if (broken > 0) process.exitCode = 1;
