import { describe, expect, test } from 'vitest';
import { METRICS_EXAMPLE } from '../../../control/api/observation-json.ts';
import { DEPLOYMENT_EXAMPLE } from '../../../control/api/deployment-json.ts';
import { ApiError } from '../../../src/client/errors.ts';
import { comparisonOf } from '../../../control/dashboard/model/comparison.ts';
import { EMPTY_FORM, FORM_FIELDS, requestOf } from '../../../control/dashboard/model/deployment-form.ts';
import { inOrder, matches, type StatusFilter } from '../../../control/dashboard/model/deployment.ts';
import { otherDetails, refusalFrom } from '../../../control/dashboard/model/refusal.ts';
import { actualShare } from '../../../control/dashboard/model/share.ts';

describe('the actual share', () => {
  const { stable, canary } = METRICS_EXAMPLE;
  const late = { ...DEPLOYMENT_EXAMPLE, last_update: '2025-09-14T12:44:00Z' };

  test('is of the jobs at the present percentage, where they are counted', () => {
    expect(actualShare(late, { stable, canary }, { canary_jobs: 1, stable_jobs: 3 })).toEqual({
      percent: 25,
      name: 'actual',
    });
  });

  test('else of the window, and says so if that holds another percentage too', () => {
    const share = actualShare(DEPLOYMENT_EXAMPLE, { stable, canary }, undefined);
    expect(share).toEqual({ percent: 20, name: 'actual' });
    expect(actualShare(late, { stable, canary }, undefined)?.name).toBe('actual in 5\u202fmin');
  });

  test('is not known where no job has run', () => {
    const idle = { stable: { ...stable, job_count: 0 }, canary: { ...canary, job_count: 0 } };
    expect(actualShare(late, idle, { canary_jobs: 0, stable_jobs: 0 })).toBeUndefined();
  });
});

describe('stable and canary side by side', () => {
  const rowsOf = (canary: object) =>
    Object.fromEntries(
      comparisonOf({ ...METRICS_EXAMPLE, canary: { ...METRICS_EXAMPLE.canary, ...canary } }).map(
        ({ name, difference, verdict }) => [name, [difference.replaceAll('\u202f', ' '), verdict]],
      ),
    );

  test('errors differ by points, latencies by percent', () => {
    const rows = rowsOf({ error_rate: 3.96, p95_latency: 913.4 });
    expect(rows['Error rate']).toEqual(['+3 pts', 'worse']);
    expect(rows['Latency p95']).toEqual(['+100 %', 'worse']);
    expect(rowsOf({ p95_latency: 228.35 })['Latency p95']).toEqual(['−50 %', 'better']);
  });

  test('small differences are no verdict, and what is not known has none', () => {
    expect(rowsOf({ p95_latency: 457 })['Latency p95']).toEqual(['+0.1 %', undefined]);
    expect(rowsOf({ error_rate: null })['Error rate']).toEqual(['–', undefined]);
  });
});

describe('the list', () => {
  const of = (status: typeof DEPLOYMENT_EXAMPLE.status) => ({ ...DEPLOYMENT_EXAMPLE, status });

  test('has those that run first', () => {
    expect(
      inOrder([of('failed'), of('active'), of('completed'), of('paused')]).map(({ status }) => status),
    ).toEqual(['active', 'paused', 'failed', 'completed']);
  });

  test.each<readonly [StatusFilter, string, boolean]>([
    ['all', '', true],
    ['open', 'PAYMENT', true],
    ['active', 'acme', true],
    ['ended', '', false],
    ['paused', '', false],
    ['all', 'thumbnails', false],
  ])('of an active one, %s and "%s" shows: %s', (status, queue, isShown) => {
    expect(matches(of('active'), { status, queue })).toBe(isShown);
  });
});

describe('the form', () => {
  test('leaves out what is left empty, but not what is required', () => {
    expect(requestOf({ ...EMPTY_FORM, queue_name: ' mail ' })).toEqual({
      queue_name: 'mail',
      stable_version: '',
      canary_version: '',
      profile: 'default',
    });
  });

  test('sends numbers as numbers, and what is none as it is', () => {
    expect(requestOf({ ...EMPTY_FORM, initial_percentage: '2.5', auto_promotion: 'true' })).toMatchObject({
      initial_percentage: 2.5,
      auto_promotion: true,
    });
    expect(requestOf({ ...EMPTY_FORM, initial_percentage: 'ten' })).toMatchObject({
      initial_percentage: 'ten',
    });
  });

  test('shows what the API says of other fields as well', () => {
    const details = { queue_name: 'is taken', rollback_thresholds: 'must be an object' };
    const error = new ApiError(
      'The request is not valid',
      {
        status: 400,
        code: 'VALIDATION_FAILED',
        details,
        retryAfterSeconds: undefined,
      },
      'http://127.0.0.1:8080',
    );
    expect(otherDetails(refusalFrom(error), FORM_FIELDS)).toEqual(['rollback_thresholds must be an object']);
  });
});
