import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLastGoodRoutes, type LastGoodRoutes } from '../../proxy/last-good-routes.ts';
import { RouteSaver } from '../../proxy/route-saver.ts';
import type { RouteSnapshot } from '../../src/core/routing-table.ts';
import { createLog } from '../../src/runtime/log.ts';
import { fillDisk, type FullDisk } from '../helpers/full-disk.ts';
import { until } from '../helpers/patience.ts';

/** Real files on a disk that is really full. Time passes when the test says so. */

const FAILS = 'the last good routes could not be saved; trying again';
const WORKS = 'the last good routes are saved again';

describe('the last good routes', () => {
  let directory: string;
  let lastGood: LastGoodRoutes;
  let saver: RouteSaver;
  let full: FullDisk | undefined;
  let revision: number;
  let now: number;
  let said: string[];
  /** Milliseconds of the pauses so far; the last one lasts until `goOn`. */
  let pauses: number[];
  let goOn: () => void;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lanewise-saver-'));
    lastGood = createLastGoodRoutes(directory, (reason) => said.push(reason));
    revision = 1;
    now = 0;
    said = [];
    pauses = [];
    saver = new RouteSaver({
      lastGood,
      snapshot: (): RouteSnapshot => ({ epoch: 'e1', revision, routes: [], workers: [] }),
      clock: { now: () => 0, monotonic: () => now },
      log: createLog('info', { write: (line) => void said.push((JSON.parse(line) as { msg: string }).msg) }),
      leastMs: 1000,
      pause: (ms, signal) =>
        new Promise((resolve) => {
          pauses.push(ms);
          goOn = () => resolve(true);
          if (signal.aborted) resolve(false);
          signal.addEventListener('abort', () => resolve(false));
        }),
    });
  });
  afterEach(async () => {
    await saver.stop();
    await free();
    await rm(directory, { recursive: true, force: true });
  });

  async function fill(): Promise<void> {
    full = await fillDisk(directory);
  }

  async function free(): Promise<void> {
    await full?.free();
    full = undefined;
  }

  async function saved(): Promise<number | undefined> {
    return (await lastGood.load())?.revision;
  }

  const pausesAre = (count: number): Promise<void> => until(() => pauses.length === count);

  it('are saved by themselves once there is room again, and both are said once', async () => {
    saver.changed();
    await pausesAre(1);
    goOn();
    await fill();
    revision = 2;
    saver.changed();
    for (const tries of [2, 3, 4]) {
      await pausesAre(tries);
      goOn();
    }
    await pausesAre(5);
    await free();
    expect(await saved()).toBe(1);
    goOn();
    await pausesAre(6);
    expect(await saved()).toBe(2);
    expect(pauses).toEqual([1000, 1000, 2000, 4000, 8000, 1000]);
    expect(said).toEqual([FAILS, WORKS]);
  });

  it('are tried again once a minute in the end, and sooner after the next success', async () => {
    await fill();
    saver.changed();
    for (let tries = 1; tries <= 8; tries++) {
      await pausesAre(tries);
      goOn();
    }
    await pausesAre(9);
    expect(pauses.slice(-4)).toEqual([32_000, 60_000, 60_000, 60_000]);
    await free();
    goOn();
    await pausesAre(10);
    await fill();
    saver.changed();
    goOn();
    await pausesAre(11);
    expect(pauses.slice(-2)).toEqual([1000, 1000]);
    expect(said).toEqual([FAILS, WORKS, FAILS]);
  });

  it('tell for how long the disk has been behind them', async () => {
    expect(saver.behindMs).toBe(0);
    await fill();
    saver.changed();
    await pausesAre(1);
    now = 700;
    saver.changed();
    expect(saver.behindMs).toBe(700);
    goOn();
    now = 2000;
    await pausesAre(2);
    expect(saver.behindMs).toBe(2000);
    await free();
    goOn();
    await pausesAre(3);
    expect(saver.behindMs).toBe(0);
    // What changes now has to wait for the end of the pause.
    saver.changed();
    now = 2300;
    expect(saver.behindMs).toBe(300);
  });

  it('leave nothing else behind where they could not be written', async () => {
    await fill();
    saver.changed();
    await pausesAre(1);
    const left = await readdir(directory).catch(() => []);
    expect(left.filter((name) => name !== 'filler')).toEqual([]);
  });

  it('are tried once more when the proxy stops', async () => {
    await fill();
    saver.changed();
    await pausesAre(1);
    await free();
    await saver.stop();
    expect(await saved()).toBe(1);
  });

  it('do not keep a proxy from stopping while the disk is full', async () => {
    await fill();
    saver.changed();
    await pausesAre(1);
    await saver.stop();
    expect(said).toEqual([FAILS]);
  });

  it('are saved by themselves where something stood in the way of the directory', async () => {
    await rm(directory, { recursive: true });
    await writeFile(directory, '');
    saver.changed();
    await pausesAre(1);
    await rm(directory);
    goOn();
    await pausesAre(2);
    expect(await saved()).toBe(1);
    expect(said).toEqual([FAILS, WORKS]);
  });
});
