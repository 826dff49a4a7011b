import { describe, expect, it } from 'vitest';
import { openSplit, stampRoute } from '../../../src/core/route.ts';
import type { RouteChange } from '../../../src/core/routing-table.ts';
import { toRoutedWorker } from '../../../src/core/worker.ts';
import { decodeUpdate, encodeChange } from '../../../src/runtime/store/route-message.ts';
import { aDeployment, aWorker } from './samples.ts';

describe('a message of a routing change', () => {
  it('is read as it was written, with the revision in place of what stands for it', () => {
    const route = openSplit(undefined, aDeployment({ tenant: 'acme' }));
    const changes: readonly RouteChange[] = [
      { kind: 'route', route },
      { kind: 'worker', worker: toRoutedWorker(aWorker({ queues: [] })) },
    ];
    for (const change of changes) {
      const expected = change.kind === 'route' ? { ...change, route: stampRoute(route, 7) } : change;
      expect(decodeUpdate(`e-1 7 ${encodeChange(change)}`)).toEqual({
        epoch: 'e-1',
        revision: 7,
        change: expected,
      });
    }
  });

  it('carries any worker id', () => {
    const change: RouteChange = { kind: 'worker_removed', workerId: '"a\\b|c' };
    expect(decodeUpdate(`e 1 ${encodeChange(change)}`).change).toEqual(change);
  });

  it.each([
    '',
    'e',
    'e 1',
    'e 1 route',
    'e 1 route not-json',
    'e 1 route {"queue":"q"}',
    'e 1 worker []',
    'e 1 worker_removed {}',
    'e 1 worker_removed "a"b"',
    'e 1 other {}',
    'e -1 worker_removed "a"',
    'e 99999999999999999999 worker_removed "a"',
  ])('is refused as %j', (message) => {
    expect(() => decodeUpdate(message)).toThrow(/is damaged/);
  });
});
