import { describe, expect, test } from 'vitest';
import type { Deployment, RollbackThresholds } from '../../../src/core/deployment.ts';
import { evaluateHealth, type HealthReport } from '../../../src/core/health.ts';
import { record } from '../../../src/core/histogram.ts';
import {
  CRITERIA,
  gather,
  isProven,
  logEvidenceOf,
  openEvidence,
  requiredEvidence,
  type Evidence,
} from '../../../src/core/judge/evidence.ts';
import { nextAction } from '../../../src/core/judge/next-action.ts';
import { addLanes, createLanesTotals, type LanesTotals } from '../../../src/core/lane-totals.ts';
import type { Lane } from '../../../src/core/lane.ts';
import { OUTCOME_INDEX } from '../../../src/core/outcome.ts';
import { deploymentOf, randomOf } from '../fixtures.ts';

const ALPHA = 0.05;
const SECOND = 1000;

const THRESHOLDS: RollbackThresholds = {
  maxErrorRateIncrease: 5,
  maxLatencyIncrease: 50,
  maxThroughputDecrease: 20,
  minSuccessRate: 0,
  requiredSampleSize: 20,
};

/** What one lane's jobs of one second do. */
interface Jobs {
  readonly routed: number;
  readonly failed?: number;
  readonly excused?: number;
  /** Of the jobs that end; none: none ends. */
  readonly ms?: readonly number[];
}

function add(totals: LanesTotals, lane: Lane, { routed, failed = 0, excused = 0, ms }: Jobs): void {
  totals[lane].routed += routed;
  totals[lane].retried += excused;
  totals[lane].excused += excused;
  const latencies = ms ?? Array.from({ length: routed }, () => 100);
  totals[lane].outcomes[OUTCOME_INDEX.failure]! += failed;
  totals[lane].outcomes[OUTCOME_INDEX.success]! += Math.max(0, latencies.length - failed);
  for (const latency of latencies) record(totals[lane].latency, latency);
}

/** A canary that is looked at once a second. */
class Canary {
  readonly deployment: Deployment;
  evidence: Evidence;
  totals = createLanesTotals();
  seconds = 0;
  readonly #random = randomOf(11);

  constructor(over: Partial<RollbackThresholds> = {}) {
    const base = deploymentOf({ currentPercent: 10 });
    this.deployment = {
      ...base,
      config: { ...base.config, rollbackThresholds: { ...THRESHOLDS, ...over } },
    };
    this.evidence = openEvidence(1, 0);
  }

  look(jobs: Partial<Record<Lane, Jobs>>, step = this.evidence.step): HealthReport {
    this.seconds++;
    const totals = createLanesTotals();
    if (step === this.evidence.step) addLanes(totals, this.totals);
    for (const lane of ['stable', 'canary'] as const) add(totals, lane, jobs[lane] ?? { routed: 0 });
    this.totals = totals;
    return this.lookAt(totals, step);
  }

  lookAt(totals: LanesTotals, step = this.evidence.step): HealthReport {
    const at = this.seconds * SECOND;
    this.evidence = gather(this.evidence, { step, totals, at, random: this.#random }, this.deployment.config);
    const logs = CRITERIA.map((criterion) => logEvidenceOf(this.evidence, criterion));
    const report = evaluateHealth(this.deployment, totals, this.evidence, ALPHA, at);
    // Whatever a test is about: everything that is said must be a number.
    if (!logs.every(Number.isFinite) || /NaN|Infinity/.test(JSON.stringify(report))) {
      throw new Error(`no number: ${JSON.stringify({ logs, report })}`);
    }
    return report;
  }

  /** The same every second. @returns the last report, and after how many seconds it was failing */
  looks(
    seconds: number,
    jobs: Partial<Record<Lane, Jobs>>,
  ): { report: HealthReport; failingAfter: number | undefined } {
    let report = this.look(jobs);
    let failingAfter = report.overallStatus === 'failing' ? 1 : undefined;
    for (let i = 2; i <= seconds; i++) {
      report = this.look(jobs);
      if (report.overallStatus === 'failing') failingAfter ??= i;
    }
    return { report, failingAfter };
  }
}

const times = (count: number, ms: number): number[] => Array.from({ length: count }, () => ms);

describe('evidence', () => {
  test('alpha is shared among the criteria and spent once', () => {
    const spent = CRITERIA.reduce((sum, criterion) => sum + 1 / requiredEvidence(criterion, ALPHA), 0);
    expect(spent).toBeCloseTo(ALPHA, 12);
  });

  test('of errors is there within a few jobs where all fail', () => {
    const { report, failingAfter } = new Canary().looks(10, {
      stable: { routed: 90 },
      canary: { routed: 10, failed: 10 },
    });
    expect(failingAfter).toBeLessThanOrEqual(3);
    expect(report.causes).toMatchObject(
      [{ criterion: 'error_rate' }, { criterion: 'success_rate' }].slice(0, 1),
    );
  });

  test('of a latency is there where it is three times as long, and of nothing else', () => {
    const spread = [60, 70, 80, 85, 90, 95, 100, 110, 130, 170];
    const { report, failingAfter } = new Canary().looks(10, {
      stable: { routed: 90, ms: Array.from({ length: 9 }, () => spread).flat() },
      canary: { routed: 10, ms: spread.map((ms) => 3 * ms) },
    });
    expect(failingAfter).toBeLessThanOrEqual(6);
    expect(report.causes.map(({ criterion }) => criterion)).toEqual(['latency']);
  });

  test('of a canary that never answers is there as soon as its jobs are older than stable needs', () => {
    const { report, failingAfter } = new Canary().looks(8, {
      stable: { routed: 90 },
      canary: { routed: 10, ms: [] },
    });
    expect(failingAfter).toBeLessThanOrEqual(6);
    expect(report.causes).toMatchObject([{ criterion: 'throughput' }]);
    expect(report.causes[0]!.message).toMatch(
      /^Throughput decrease: 100\.0% \(threshold: 20\.0%\): 0 of \d+ jobs that should have ended have on the canary/,
    );
  });

  test('is not there while jobs are merely under way, however long stable needs', () => {
    const canary = new Canary();
    canary.looks(30, { stable: { routed: 90, ms: times(89, 30_000) }, canary: { routed: 10, ms: [] } });
    expect(
      canary.looks(10, {
        stable: { routed: 90, ms: times(90, 30_000) },
        canary: { routed: 10, ms: times(9, 30_000) },
      }).failingAfter,
    ).toBeUndefined();
  });

  test('failures that come before the successes of slow jobs are not held against the canary', () => {
    const canary = new Canary();
    // Of 20 jobs a second one fails at once, the others take half a minute: in both lanes alike.
    const { failingAfter } = canary.looks(30, {
      stable: { routed: 180, failed: 9, ms: times(9, 5) },
      canary: { routed: 20, failed: 1, ms: times(1, 5) },
    });
    expect(failingAfter).toBeUndefined();
  });

  test('goes on over the steps of a deployment, with the same alpha', () => {
    const canary = new Canary();
    while (logEvidenceOf(canary.evidence, 'error_rate') < 1.5) {
      canary.look({ stable: { routed: 36 }, canary: { routed: 4, failed: 1 } });
    }
    const before = logEvidenceOf(canary.evidence, 'error_rate');
    canary.look({ stable: { routed: 30 }, canary: { routed: 10 } }, 2);
    expect(canary.evidence.step).toBe(2);
    expect(logEvidenceOf(canary.evidence, 'error_rate')).toBeCloseTo(before, 10);
    expect(canary.evidence.seen.canary.routed).toBe(10);
  });

  test('a job that fails on stable too is no evidence', () => {
    const jobs = { stable: { routed: 90 }, canary: { routed: 10, failed: 3, excused: 3 } };
    const canary = new Canary();
    canary.looks(60, jobs);
    expect(isProven(canary.evidence, 'error_rate', ALPHA)).toBe(false);
    expect(logEvidenceOf(canary.evidence, 'error_rate')).toBeLessThanOrEqual(1e-9);
  });

  test('what stable’s own failures excuse by chance is taken into account', () => {
    const evidenceWith = (excused: number): number => {
      const canary = new Canary();
      for (let i = 0; i < 40; i++) {
        canary.look({
          stable: { routed: 90, failed: 36 },
          canary: { routed: 10, failed: 9, excused },
        });
      }
      return logEvidenceOf(canary.evidence, 'error_rate');
    };
    // Of nine failures stable, which fails at four jobs in ten, excuses about four although all were the canary's own.
    expect(evidenceWith(4)).toBeGreaterThan(Math.log(requiredEvidence('error_rate', ALPHA)));
    // Excused altogether, it proves nothing.
    expect(evidenceWith(9)).toBeLessThanOrEqual(1e-9);
  });
});

describe('stories of other judges', () => {
  test('sparse counts against zeros (kayenta#426): three failures where stable has none are seen for what they are', () => {
    // The canary fails now and then where stable never does. A rank test on series that are mostly zeros sees no
    // difference; counts do.
    const canary = new Canary({ maxErrorRateIncrease: 1, requiredSampleSize: 20 });
    let failing: HealthReport | undefined;
    for (let minute = 0; minute < 60 && failing === undefined; minute++) {
      const report = canary.look({ stable: { routed: 30 }, canary: { routed: 3, failed: minute % 2 } });
      if (report.overallStatus === 'failing') failing = report;
    }
    expect(failing?.causes).toMatchObject([{ criterion: 'error_rate' }]);
  });

  test('sparse counts of which one failed are no proof', () => {
    const canary = new Canary({ maxErrorRateIncrease: 1 });
    const statuses = new Set<string>();
    for (let minute = 0; minute < 60; minute++) {
      const report = canary.look({
        stable: { routed: 30 },
        canary: { routed: 3, failed: minute === 20 ? 1 : 0 },
      });
      statuses.add(report.overallStatus);
    }
    expect(statuses).not.toContain('failing');
  });

  test('a majority of points at a hundred times the baseline (spinnaker#6278) does not pass', () => {
    const canary = new Canary();
    // Seven jobs of ten are a hundred times as slow, three are as before.
    const { report, failingAfter } = canary.looks(20, {
      stable: { routed: 90, ms: times(90, 10) },
      canary: { routed: 10, ms: [...times(7, 1000), ...times(3, 10)] },
    });
    expect(failingAfter).toBeLessThanOrEqual(10);
    expect(report.causes).toMatchObject([{ criterion: 'latency' }]);
  });
});

describe('with bad input the verdict is unknown or right, and nothing is done by accident', () => {
  const good = { stable: { routed: 90 }, canary: { routed: 10 } };

  test.each<[string, Partial<Record<Lane, Jobs>>, HealthReport['overallStatus']]>([
    ['no traffic', {}, 'unknown'],
    ['only canary traffic', { canary: { routed: 10 } }, 'unknown'],
    ['only canary traffic, all of it failing', { canary: { routed: 10, failed: 10 } }, 'unknown'],
    ['only stable traffic', { stable: { routed: 90, failed: 45 } }, 'unknown'],
    ['no variance at all', good, 'healthy'],
    [
      'stable fails altogether',
      { stable: { routed: 90, failed: 90 }, canary: { routed: 10, failed: 10 } },
      'healthy',
    ],
    [
      'stable fails altogether, the canary not',
      { stable: { routed: 90, failed: 90 }, canary: { routed: 10 } },
      'healthy',
    ],
    [
      'latencies of 0',
      { stable: { routed: 90, ms: times(90, 0) }, canary: { routed: 10, ms: times(10, 0) } },
      'healthy',
    ],
    [
      'latencies of an hour',
      { stable: { routed: 90, ms: times(90, 3_600_000) }, canary: { routed: 10, ms: times(10, 3_600_000) } },
      'healthy',
    ],
    [
      'latencies of 0 against an hour',
      { stable: { routed: 90, ms: times(90, 0) }, canary: { routed: 10, ms: times(10, 3_600_000) } },
      'failing',
    ],
  ])('%s', (_, jobs, status) => {
    const canary = new Canary();
    const { report } = canary.looks(30, jobs);
    expect(report.overallStatus).toBe(status);
    const action = nextAction(canary.deployment, report, canary.seconds * SECOND).kind;
    expect(action).toBe(status === 'failing' ? 'roll_back' : 'none');
  });

  test('a single job', () => {
    expect(new Canary().look({ canary: { routed: 1, failed: 1 } }).overallStatus).toBe('unknown');
  });

  test('only canary traffic below the floor of the success rate is failing: that needs no comparison', () => {
    const { report } = new Canary({ minSuccessRate: 95 }).looks(10, { canary: { routed: 10, failed: 10 } });
    expect(report).toMatchObject({ overallStatus: 'failing', causes: [{ criterion: 'success_rate' }] });
  });

  test('counters that go backwards are a new beginning, not negative jobs', () => {
    const canary = new Canary();
    canary.looks(20, { stable: { routed: 90 }, canary: { routed: 10, failed: 1 } });
    const before = logEvidenceOf(canary.evidence, 'error_rate');
    const less = createLanesTotals();
    add(less, 'stable', { routed: 9 });
    add(less, 'canary', { routed: 1 });
    canary.seconds++;
    canary.lookAt(less);
    expect(logEvidenceOf(canary.evidence, 'error_rate')).toBe(before);
    canary.totals = less;
    expect(
      canary.looks(10, { stable: { routed: 90 }, canary: { routed: 10, failed: 10 } }).failingAfter,
    ).toBeLessThanOrEqual(4);
  });

  test('a gap of an hour in which nothing was reported is no jobs, not bad ones', () => {
    const canary = new Canary();
    canary.looks(20, good);
    canary.seconds += 3600;
    expect(canary.look({}).overallStatus).toBe('healthy');
    expect(canary.looks(5, good).report.overallStatus).toBe('healthy');
  });

  test('a clock that goes back does no harm', () => {
    const canary = new Canary();
    canary.looks(20, good);
    canary.seconds -= 15;
    expect(canary.looks(20, good).report.overallStatus).toBe('healthy');
  });
});
