import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { afterProbe, NOT_FAILING, type ProbeState } from '../../src/core/probe.ts';

const POLICY = { unhealthyAfter: 3, healthyAfter: 2 };
const FAILING: ProbeState = { failing: true, contrary: 0 };

function after(results: string, from = NOT_FAILING, canSpare = () => true): ProbeState {
  return results
    .split('')
    .reduce((state, result) => afterProbe(state, result === '+', POLICY, canSpare), from);
}

describe('a worker fails its probes', () => {
  test('after three failed ones in a row', () => {
    expect(['-', '--', '---', '----'].map((results) => after(results).failing)).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect(after('--+--+--').failing).toBe(false);
  });

  test('not while its lane cannot spare it, and with the next failed probe once it can', () => {
    expect(after('------', NOT_FAILING, () => false).failing).toBe(false);
    expect(
      after(
        '-',
        after('------', NOT_FAILING, () => false),
      ).failing,
    ).toBe(true);
  });

  test('until two good ones in a row', () => {
    expect(['+', '+-+', '++'].map((results) => after(results, FAILING).failing)).toEqual([true, true, false]);
  });
});

test('whether the lane can spare it is asked only when it is due', () => {
  let asked = 0;
  const count = () => ++asked > 0;
  after('--+--++++', NOT_FAILING, count);
  after('--+-++', FAILING, count);
  expect(asked).toBe(0);
  after('---', NOT_FAILING, count);
  expect(asked).toBe(1);
});

test('it turns only after as many contrary results in a row as the policy says, whatever came before', () => {
  const policy = fc.record({
    unhealthyAfter: fc.integer({ min: 1, max: 5 }),
    healthyAfter: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(policy, fc.array(fc.boolean(), { maxLength: 60 }), (rules, results) => {
      let state = NOT_FAILING;
      results.forEach((isGood, i) => {
        const next = afterProbe(state, isGood, rules, () => true);
        const run = state.failing ? rules.healthyAfter : rules.unhealthyAfter;
        const last = results.slice(Math.max(0, i + 1 - run), i + 1);
        const isContrary = last.length === run && last.every((result) => result === state.failing);
        expect(next.failing).toBe(isContrary ? !state.failing : state.failing);
        state = next;
      });
    }),
  );
});

test('a worker that stays as it is costs nothing', () => {
  expect(after('++++')).toBe(NOT_FAILING);
  expect(after('----', FAILING)).toBe(FAILING);
});
