import { describe, expect, test } from 'vitest';
import { activeTime, stageProgress } from '../../../control/dashboard/model/stage-progress.ts';

const START = Date.parse('2025-09-14T12:00:00Z');
const MINUTE = 60_000;

function at(minutes: number): string {
  return new Date(START + minutes * MINUTE).toISOString();
}

const CONFIG = {
  routing_strategy: 'hash_ring',
  sticky_routing: true,
  auto_promotion: true,
  max_canary_duration: '2h0m0s',
  min_canary_duration: '20m0s',
  stages: [
    { percentage: 10, duration: '4m0s' },
    { percentage: 50, duration: '6m0s' },
  ],
  rollback_thresholds: {
    max_error_rate_increase: 5,
    max_latency_increase: 50,
    max_throughput_decrease: 20,
    min_success_rate: 95,
    required_sample_size: 20,
  },
} as const;

const DEPLOYMENT = { status: 'active', start_time: at(0), current_percent: 10, config: CONFIG } as const;
const CREATED = { type: 'deployment_created', timestamp: at(0) } as const;

describe('the progress of stages', () => {
  test('in the first one: how much of its time has passed, and what comes next', () => {
    const { stage, activeMs } = stageProgress(DEPLOYMENT, [CREATED], START + MINUTE);
    expect(stage).toEqual({ number: 1, of: 2, nextPercentage: 50, fraction: 0.25, leftMs: 3 * MINUTE });
    expect(activeMs).toBe(MINUTE);
  });

  test('a change of the percentage begins a new stage', () => {
    const events = [{ type: 'percentage_updated', timestamp: at(4) } as const, CREATED];
    const { stage, stepMs } = stageProgress(
      { ...DEPLOYMENT, current_percent: 50 },
      events,
      START + 6 * MINUTE,
    );
    expect(stepMs).toBe(2 * MINUTE);
    // Its own time would be over in 4 minutes, but the whole must last for 20.
    expect(stage).toMatchObject({ number: 2, nextPercentage: 100, leftMs: 14 * MINUTE });
  });

  test('one that is over waits for the checks', () => {
    const { stage } = stageProgress(DEPLOYMENT, [CREATED], START + 9 * MINUTE);
    expect(stage).toMatchObject({ leftMs: 0, fraction: 1 });
  });

  test('time that was spent paused does not count, and stands still while it is paused', () => {
    const paused = { type: 'deployment_paused', timestamp: at(1) } as const;
    const resumed = { type: 'deployment_resumed', timestamp: at(31) } as const;
    const left = (events: Parameters<typeof stageProgress>[1], minutes: number) =>
      stageProgress(DEPLOYMENT, events, START + minutes * MINUTE).stage?.leftMs;
    expect(left([paused, CREATED], 25)).toBe(3 * MINUTE);
    expect(left([resumed, paused, CREATED], 32)).toBe(2 * MINUTE);
  });

  test('a percentage below the first stage, or moved by hand, goes on from there', () => {
    const below = stageProgress({ ...DEPLOYMENT, current_percent: 5 }, [CREATED], START).stage;
    expect(below).toMatchObject({ number: 0, nextPercentage: 10, leftMs: 4 * MINUTE });
    const between = stageProgress({ ...DEPLOYMENT, current_percent: 30 }, [CREATED], START).stage;
    expect(between).toMatchObject({ number: 1, nextPercentage: 50, leftMs: 4 * MINUTE });
  });

  test('there is none where it is moved by hand', () => {
    const config = { ...CONFIG, auto_promotion: false };
    expect(stageProgress({ ...DEPLOYMENT, config }, [CREATED], START).stage).toBeUndefined();
  });

  test('one that has ended took the time up to its end', () => {
    const ended = { ...DEPLOYMENT, status: 'completed', completed_at: at(7) } as const;
    expect(stageProgress(ended, [CREATED], START + 500 * MINUTE).activeMs).toBe(7 * MINUTE);
  });
});

test('a pause from before the time that is asked for ends the time before it, not the time after', () => {
  const events = [
    { type: 'deployment_paused', timestamp: at(1) },
    { type: 'deployment_resumed', timestamp: at(2) },
  ] as const;
  expect(activeTime(events, START + 3 * MINUTE, START + 5 * MINUTE)).toBe(2 * MINUTE);
});
