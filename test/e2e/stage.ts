import { afterAll, beforeAll } from 'vitest';
import type { Browser } from 'playwright-core';
import { freePort } from '../helpers/ports.ts';
import { SteadyLoad } from '../helpers/steady-load.ts';
import { enlist, Standalone } from '../helpers/system.ts';
import { TestWorker } from '../helpers/worker.ts';
import { startBrowser, View, type ViewOptions } from './browser.ts';

/** A whole installation with workers and load, and a browser that looks at it. */

const PER_SECOND = 60;
const WORK_MS = 20;

export interface Stage {
  readonly system: Standalone;
  readonly browser: Browser;
  /** A page that is signed in. */
  open(options?: ViewOptions): Promise<View>;
  /** A worker that fails at a share of its jobs. */
  hire(queue: string, version: string, lane?: 'stable' | 'canary', failing?: number): Promise<TestWorker>;
  /** Jobs for a queue, from now on. */
  load(queue: string): SteadyLoad;
}

/** For all tests of a file. */
export function setStage(environment: Readonly<Record<string, string>> = {}): Stage {
  const stack = new AsyncDisposableStack();
  let system: Standalone;
  let browser: Browser;
  beforeAll(async () => {
    system = stack.use(
      await Standalone.start({
        // The same one after a restart.
        LANEWISE_CONTROL_PORT: String(await freePort()),
        LANEWISE_PROXY_PORT: String(await freePort()),
        LANEWISE_DEFAULT_ROUTING_STRATEGY: 'hash_ring',
        ...environment,
      }),
    );
    browser = await startBrowser();
    stack.defer(() => browser.close());
  });
  afterAll(() => stack.disposeAsync());

  let workers = 0;
  return {
    get system() {
      return system;
    },
    get browser() {
      return browser;
    },
    async open(options) {
      const view = stack.use(await View.open(browser, system.api.url, options));
      await view.signIn(system.api.token);
      return view;
    },
    async hire(queue, version, lane = 'stable', failing = 0) {
      let jobs = 0;
      const worker = stack.use(
        await TestWorker.start(version, (_job, response) => {
          const isFailing = Math.floor(++jobs * failing) > Math.floor((jobs - 1) * failing);
          setTimeout(() => response.writeHead(isFailing ? 500 : 200).end(), WORK_MS);
        }),
      );
      await enlist(system, { id: `${queue}-${++workers}`, version, url: worker.url, lane, queue });
      return worker;
    },
    load: (queue) => stack.use(new SteadyLoad(system.proxies, queue, PER_SECOND)),
  };
}
