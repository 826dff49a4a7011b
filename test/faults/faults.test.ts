import { appendFileSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { runFaults } from './run.ts';
import { toMarkdown } from './summary.ts';

/**
 * Everything goes wrong, and nothing is lost. With all the other tests it runs for two minutes, with the same faults each
 * time; `npm run test:faults` runs for half an hour. `SEED` replays a run, `FAULTS_SECONDS` says how long it is,
 * `FAULTS_OUTPUT` names a file for what happens as it happens.
 */

const SHORT_FORM = { seconds: 120, seed: 20_261_128 } as const;

const { SEED, FAULTS_SECONDS, FAULTS_OUTPUT } = process.env;
const seconds = Number(FAULTS_SECONDS ?? SHORT_FORM.seconds);
const seed = Number(SEED ?? (FAULTS_SECONDS === undefined ? SHORT_FORM.seed : randomInt(1_000_000)));

/** For starting everything, and for all to become quiet again, on a machine that has other things to do. */
const BESIDES_MS = 15 * 60_000;

function say(line: string): void {
  if (FAULTS_OUTPUT !== undefined) appendFileSync(FAULTS_OUTPUT, `${line}\n`);
}

test(
  'nothing that is promised breaks, whatever breaks',
  async () => {
    say(`SEED=${seed} FAULTS_SECONDS=${seconds}`);
    const summary = await runFaults({ seed, seconds, say });
    const text = toMarkdown(summary);
    say(text);
    process.stdout.write(`${text}\n`);
    expect(summary.violations, `SEED=${seed}`).toEqual([]);
    expect(summary.dispatches.sent).toBeGreaterThan(0);
    expect(summary.jobs.executed).toBeGreaterThan(0);
  },
  seconds * 1000 + BESIDES_MS,
);
