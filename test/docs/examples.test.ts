import { expect, test } from 'vitest';
import { readPage, shellBlocks } from './pages.ts';
import { Reader } from './shell.ts';

/** The examples that pages of reference give are pasted like those of the tours, with what they take for granted. */

test('the examples of the reference do what is said beside them', { timeout: 300_000 }, async () => {
  await using stack = new AsyncDisposableStack();
  const reader = await Reader.start(stack, ['3001'], { LANEWISE_QUEUES: '{"payments": {}}' });
  const blocksOf = (path: string): readonly string[] => shellBlocks(readPage(path));
  const [dispatched, batch, ...noOthers] = blocksOf('docs/dispatch.md');
  const [list] = blocksOf('docs/cli.md');
  const [enqueued] = blocksOf('docs/queues.md');
  const [look] = blocksOf('docs/api.md');
  const [runbook] = blocksOf('docs/runbooks.md');
  expect(noOthers).toEqual([]);

  const printed = await reader.paste([
    `node docs/examples/worker.mjs 3001 v1.2.0 &
     curl -s -o /dev/null --retry 9 --retry-delay 1 --retry-connrefused http://127.0.0.1:3001
     lanewise() { npm run --silent lanewise -- "$@"; }
     lanewise workers register w1 --worker-version v1.2.0 --queues payment-processing --worker-url http://127.0.0.1:3001
     lanewise deployments create payment-processing --stable v1.2.0 --canary v1.3.0 --strategy hash_ring
     lanewise deployments create payments --stable v1.2.0 --canary v1.3.0`,
    dispatched!,
    enqueued!,
    batch!,
    list!,
    look!,
    `${runbook!}\napi /deployments`,
  ]);
  const [, answer = '', accepted = '', acceptedBatch = '', table = '', listed = '', byRunbook = ''] = printed;

  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r$/m);
  expect(answer).toMatch(/^X-Job-Id: order-1\r$/m);
  expect(answer).toContain('"version":"v1.2.0"');
  // What the page shows under the command is what comes.
  const [, shown] = /^# 202 (\{.*\})$/m.exec(enqueued!)!;
  expect(accepted).toMatch(/^HTTP\/1\.1 202 Accepted\r$/m);
  expect(JSON.parse(/^\{.*\}$/m.exec(accepted)![0])).toEqual(JSON.parse(shown!));
  // `order-1` is known there already.
  expect(acceptedBatch).toMatch(/^HTTP\/1\.1 202 Accepted\r$/m);
  expect(acceptedBatch).toMatch(/"job_id":"order-1".*"duplicate":true.*"job_id":"order-2"/);
  expect(table).toMatch(/payment-processing/);
  for (const json of [listed, byRunbook]) expect(JSON.parse(json)).toMatchObject({ count: 2 });
  expect(await reader.lanewise.end('SIGINT')).toEqual({ code: 0, signal: null });
});
