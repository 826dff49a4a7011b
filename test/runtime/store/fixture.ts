import type { Store } from '../../../src/runtime/store/store.ts';

/** An empty store for one test. */
export interface StoreFixture extends AsyncDisposable {
  readonly store: Store;
  /** What another process sees; the same object where there can be only one process. */
  readonly other: Store;
  /** Lets the clock of the leases run, where the test can move it; elsewhere time does. */
  elapse(ms: number): void;
}

export type OpenFixture = () => Promise<StoreFixture>;
