import type { DeploymentHealth, HealthCheck } from '../../../src/client/api-types.ts';
import { parseDuration } from '../../../src/core/duration.ts';
import { count } from './format.ts';

/** The five checks as the page shows them: what was found, and how much is known of it against what is required. */
export interface CheckView {
  readonly name: string;
  /** `waiting`: not enough yet, which is nobody's fault. `breached`: but that may be chance still. */
  readonly state: 'passing' | 'waiting' | 'breached' | 'proven';
  /** What was found, without the name. */
  readonly found: string;
  readonly meter: Meter | undefined;
}

export interface Meter {
  /** 0 to 1. */
  readonly fraction: number;
  readonly text: string;
  /** Whether a full one is bad news: evidence against the canary. */
  readonly isAgainst: boolean;
}

export function checkViews(health: DeploymentHealth): readonly CheckView[] {
  const { evidence, overall_status } = health;
  const judged = (check: HealthCheck, ...criteria: readonly (Criterion | undefined)[]): CheckView => {
    // Without evidence, where the plain threshold is the rule, a breach that counts shows in the status.
    const isProven = criteria.some((criterion) => criterion?.proven) || overall_status === 'failing';
    return {
      ...parted(check),
      state: check.passing ? 'passing' : isProven ? 'proven' : 'breached',
      meter: strongest(criteria),
    };
  };
  const waited = (check: HealthCheck, meter: Meter | undefined): CheckView => ({
    ...parted(check),
    state: check.passing ? 'passing' : 'waiting',
    meter,
  });
  return [
    judged(health.error_rate_check, evidence?.error_rate, evidence?.success_rate),
    judged(health.latency_check, evidence?.latency),
    judged(health.throughput_check, evidence?.throughput),
    waited(health.sample_size_check, ofNumbers(health.sample_size_check.message)),
    waited(health.duration_check, ofDurations(health.duration_check.message)),
  ];
}

/** `Error rate increase: 0.5% (threshold: 5.0%)`: what it is about, and what was found. */
function parted({ name, message }: HealthCheck): { readonly name: string; readonly found: string } {
  const [, subject, found] = /^([^:]+): (.+)$/.exec(message) ?? [];
  return { name: subject ?? name, found: found ?? message };
}

interface Criterion {
  readonly evidence: number;
  readonly required: number;
  readonly proven: boolean;
}

/** Of the criteria that one check stands for, the one that is nearest to what it requires. */
function strongest(criteria: readonly (Criterion | undefined)[]): Meter | undefined {
  const meters = criteria.flatMap((criterion) => (criterion === undefined ? [] : [evidenceMeter(criterion)]));
  return meters.toSorted((a, b) => b.fraction - a.fraction)[0];
}

/**
 * Evidence multiplies job by job, so its logarithm is what grows steadily: on that scale the meter fills at an even
 * pace. Below 1 it speaks for the canary, and the meter is empty.
 */
function evidenceMeter({ evidence, required }: Criterion): Meter {
  const fraction = evidence <= 1 ? 0 : Math.min(1, Math.log(evidence) / Math.log(required));
  return { fraction, text: `evidence ${times(evidence)} of ${times(required)}`, isAgainst: true };
}

function times(factor: number): string {
  if (factor > 99_999) return '>99,999×';
  return `${factor >= 10 ? count(factor) : factor.toLocaleString('en', { maximumFractionDigits: 1 })}×`;
}

/** `Sample size: 156 (required: 20)`. */
function ofNumbers(message: string): Meter | undefined {
  const [, has, needs] = /: ([\d,]+) \(required: ([\d,]+)\)/.exec(message) ?? [];
  if (has === undefined || needs === undefined) return undefined;
  return meterOf(
    Number(has.replaceAll(',', '')),
    Number(needs.replaceAll(',', '')),
    `${has} of ${needs} jobs`,
  );
}

/** `Duration: 12m30s (minimum: 5m0s)`. */
function ofDurations(message: string): Meter | undefined {
  const [, has, needs] = /: (\S+) \(minimum: (\S+)\)/.exec(message) ?? [];
  const [hasMs, needsMs] = [has, needs].map((text) => (text === undefined ? undefined : parseDuration(text)));
  if (hasMs === undefined || needsMs === undefined) return undefined;
  return meterOf(hasMs, needsMs, `${has} of ${needs}`);
}

function meterOf(has: number, needs: number, text: string): Meter {
  return { fraction: needs === 0 ? 1 : Math.min(1, has / needs), text, isAgainst: false };
}
