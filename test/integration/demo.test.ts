import { readFileSync, readdirSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { freePort } from '../helpers/ports.ts';
import { LanewiseProcess, temporaryDirectory } from '../helpers/process.ts';
import { PATIENCE } from '../helpers/patience.ts';

/** The first thing that a visitor starts must end by itself and leave nothing behind. */

/** Processes that were started by this one, and live. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => statusOf(candidate)?.parent === pid);
}

function lives(pid: number): boolean {
  const state = statusOf(pid)?.state;
  return state !== undefined && state !== 'Z';
}

function statusOf(pid: number): { state: string; parent: number } | undefined {
  try {
    // The name in parentheses may hold anything; what follows the last one is plain.
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return { state: state!, parent: Number(parent) };
  } catch {
    return undefined; // It has gone.
  }
}

/** The demo with its four first workers running, and their pids. */
async function demoWithWorkers(demo: LanewiseProcess): Promise<number[]> {
  await demo.printed(/1\. v1\.3\.0 is good/);
  const workers = childrenOf(demo.pid);
  expect(workers).toHaveLength(4);
  return workers;
}

const GONE = { code: 0, signal: null };

// These two take their time and little else, so they take it together.
test.concurrent(
  'the demo rolls one version out and another back, ends by itself and leaves no process',
  async () => {
    await using demo = LanewiseProcess.start(['demo']);
    const workers = await demoWithWorkers(demo);
    await demo.printed(/2\. v1\.4\.0 fails/);
    await vi.waitUntil(() => childrenOf(demo.pid).length === 5, PATIENCE);
    workers.push(...childrenOf(demo.pid));
    expect(await demo.exited).toEqual(GONE);
    expect(workers.filter(lives)).toEqual([]);
    expect(demo.stderr).toBe('');

    const [walk, summary] = demo.stdout.split('\nIn all:\n');
    for (const step of [
      /10 % set: 1 of 1 proxy routes by it/,
      /50 % set: /,
      /promoted: /,
      /after \d+\.\d s the judge: Deployment rolled back: Error rate increase: \d+\.\d% /,
    ]) {
      expect(walk).toMatch(step);
    }
    const lines = summary!.trim().split('\n');
    expect(lines.map((line) => line.trim().split(/ +/)[0])).toEqual(['v1.2.0', 'v1.3.0', 'v1.4.0']);
    for (const good of lines.slice(0, 2)) expect(good).toMatch(/ [1-9]\d* jobs, 0 failed/);
    expect(lines[2]).toMatch(/ [1-9]\d* jobs, [1-9]\d* failed/);
  },
);

test.concurrent('with --keep it runs until it is told to stop', async () => {
  await using demo = LanewiseProcess.start(['demo', '--keep']);
  const workers = await demoWithWorkers(demo);
  const [, api, token] = await demo.printed(/Still running \(--keep\): API (http:\S+), token (\S+)/);
  const answer = await fetch(`${api}/deployments`, { headers: { authorization: `Bearer ${token}` } });
  expect(await answer.json()).toMatchObject({ count: 2 });
  workers.push(...childrenOf(demo.pid));
  expect(await demo.end('SIGINT')).toEqual(GONE);
  expect(workers.filter(lives)).toEqual([]);
});

test('a demo that is told to stop ends soon, with its workers', async () => {
  await using demo = LanewiseProcess.start(['demo']);
  const workers = await demoWithWorkers(demo);
  expect(await demo.end('SIGTERM')).toEqual(GONE);
  expect(workers.filter(lives)).toEqual([]);
  expect(demo.stdout).toContain('In all:');
  expect(demo.stdout).not.toContain('2. v1.4.0');
});

test('a demo that is killed leaves no workers behind', async () => {
  await using stack = new AsyncDisposableStack();
  // Its directory it can't remove any more.
  await using demo = LanewiseProcess.start(['demo'], { TMPDIR: await temporaryDirectory(stack) });
  const workers = await demoWithWorkers(demo);
  await demo.end('SIGKILL');
  await vi.waitUntil(() => !workers.some(lives), PATIENCE);
});

test('a port that is taken ends it at once, with one message', async () => {
  const port = await freePort();
  await using first = LanewiseProcess.start(['demo'], { LANEWISE_CONTROL_PORT: String(port) });
  await demoWithWorkers(first);
  await using second = LanewiseProcess.start(['demo'], { LANEWISE_CONTROL_PORT: String(port) });
  expect(await second.exited).toEqual({ code: 1, signal: null });
  expect(second.stderr).toContain(`Cannot listen on 127.0.0.1:${port}`);
  expect(second.stderr).toContain('LANEWISE_CONTROL_PORT');
  expect(second.stdout).toBe('');
});

test('what is set for the real installation does not lead the demo astray', async () => {
  await using demo = LanewiseProcess.start(['demo'], {
    REDIS_URL: 'redis://127.0.0.1:1',
    LANEWISE_TOKENS: 'ops:admin:secret',
    LANEWISE_DATA_DIR: '/proc/nowhere',
    LANEWISE_QUEUES: '{payment-processing: {routing_strategy: stream_group}}',
  });
  await demoWithWorkers(demo);
  await demo.printed(/10 % set: 1 of 1 proxy/);
  expect(await demo.end('SIGTERM')).toEqual(GONE);
  expect(demo.stdout).not.toMatch(/no worker|no answer/);
});
