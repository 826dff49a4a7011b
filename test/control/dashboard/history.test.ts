import { describe, expect, test } from 'vitest';
import { chartData, latestKnown, marksOf, merged } from '../../../control/dashboard/model/history.ts';

const BASE = Date.parse('2025-09-14T12:00:00Z');

function point(seconds: number, jobs: number) {
  const lane = {
    job_count: jobs,
    jobs_per_second: jobs / 5,
    error_rate: jobs === 0 ? null : 1,
    p95_latency: null,
  };
  return {
    timestamp: new Date(BASE + seconds * 1000).toISOString(),
    stable: lane,
    canary: { ...lane, error_rate: 2 },
  };
}

describe('the points of a chart', () => {
  test('what comes later is put behind, what comes again replaces, what is too old goes', () => {
    const points = merged([point(0, 1), point(5, 2), point(10, 3)], [point(10, 30), point(15, 4)], 15_000);
    expect(points.map(({ stable }) => stable.job_count)).toEqual([2, 30, 4]);
  });

  test('there may be none', () => {
    expect(merged([], [], 1000)).toEqual([]);
  });

  test('are seconds and one line for each lane, with gaps where nothing is known', () => {
    expect(chartData([point(0, 5), point(5, 0)], 'error_rate')).toEqual([
      [BASE / 1000, BASE / 1000 + 5],
      [1, null],
      [2, 2],
    ]);
  });

  test('the latest value is the last one that is known', () => {
    expect(latestKnown([1, 2, null])).toBe(2);
    expect(latestKnown([null])).toBeNull();
  });
});

test('a line stands wherever the percentage has changed, and only there', () => {
  const told = (seconds: number, data?: Readonly<Record<string, unknown>>) => ({
    timestamp: new Date(BASE + seconds * 1000).toISOString(),
    data,
  });
  const marks = marksOf([
    told(30, { old_percentage: 25, new_percentage: 0, old_status: 'active' }),
    told(20, { old_percentage: 25, new_percentage: 25 }),
    told(10, { old_percentage: 5, new_percentage: 25 }),
    told(0),
  ]);
  expect(marks).toEqual([
    { at: BASE / 1000 + 10, percentage: 25 },
    { at: BASE / 1000 + 30, percentage: 0 },
  ]);
});
