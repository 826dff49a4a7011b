import { describe, expect, test, vi } from 'vitest';
import { documentedCheck } from '../control/webhooks/documented-check.ts';
import { SECRET, startReceiver } from '../control/webhooks/receiver.ts';
import { QUEUE } from '../helpers/api.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { LanewiseProcess, temporaryDirectory } from '../helpers/process.ts';
import { Fleet, Standalone, type System } from '../helpers/system.ts';

/** Webhooks of whole installations, in processes of their own. */

function settings(url: string) {
  return { LANEWISE_WEBHOOKS: JSON.stringify({ ops: { url, secret: SECRET } }) };
}

const SYSTEMS: readonly (readonly [string, (url: string) => Promise<System>])[] = [
  ['standalone', (url) => Standalone.start(settings(url))],
  ['control plane with Redis', (url) => Fleet.start(0, settings(url))],
];

describe.each(SYSTEMS)('%s', (_name, start) => {
  // The receiver is down when it happens, and the control plane is killed before it is up again.
  test('an event outlives the process that it happened in', async () => {
    let isUp = false;
    const receiver = await startReceiver((response) => response.writeHead(isUp ? 204 : 503).end());
    await using system = await start(`${receiver.url}/hooks`);
    const { id } = await system.api.done('POST', '/deployments', {
      queue_name: QUEUE,
      stable_version: 'v1',
      canary_version: 'v2',
    });
    await system.api.done('POST', `/deployments/${String(id)}/rollback`, { reason: 'refunds fail' });
    await receiver.came(1);
    await vi.waitUntil(async () => (await attempts(system)).get('failed') !== 0, PATIENCE);
    await system.restart('SIGKILL');
    isUp = true;
    await vi.waitUntil(async () => (await attempts(system)).get('delivered') === 1, PATIENCE);

    const docs = await documentedCheck();
    expect(receiver.ids.length).toBeGreaterThan(1);
    expect(new Set(receiver.ids).size).toBe(1);
    for (const { headers, body } of receiver.received) {
      expect(docs.isGenuine(headers, body, SECRET)).toBe(true);
      expect(JSON.parse(body)).toMatchObject({ kind: 'rolled_back', deployment_id: id, queue_name: QUEUE });
    }
  });
});

/** What the control plane's metrics say of deliveries, by result. */
async function attempts({ api }: System): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${api.url}/metrics`)).text();
  const samples = text.matchAll(/^canary_webhook_deliveries_total\{webhook="ops",result="(\w+)"\} (\d+)$/gm);
  return new Map([...samples].map(([, result, count]) => [result!, Number(count)]));
}

test('a webhook that leads where it may not is an error at the start, without its path and secret', async () => {
  await using stack = new AsyncDisposableStack();
  await using process = LanewiseProcess.start(['standalone'], {
    ...settings('http://169.254.169.254/t0ken'),
    LANEWISE_DATA_DIR: await temporaryDirectory(stack),
  });
  expect(await process.exited).toEqual({ code: 1, signal: null });
  expect(process.stderr).toContain(
    'lanewise: webhooks.ops.url: points to 169.254.169.254, which no webhook may have',
  );
  expect(process.stderr).not.toMatch(/t0ken|whsec_/);
});
