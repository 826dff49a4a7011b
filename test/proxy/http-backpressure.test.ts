import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, onTestFinished } from 'vitest';
import { Rig } from '../helpers/rig.ts';

/**
 * Bodies that are far larger than what the proxy may hold, in front of a side that is slower than the other. The
 * producer and the worker share this process, so that their buffers are counted, too. `BODY_MIB=1024` for the whole GiB.
 */

const MIB = 1024 * 1024;
const BODY_BYTES = Number(process.env['BODY_MIB'] ?? 256) * MIB;
const MORE_BYTES_MAX = 64 * MIB;
const PIECE = Buffer.alloc(64 * 1024, 'x');

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Without what nobody needs any more and is only not collected yet. */
function heldBytes(): number {
  collect();
  const { external, heapUsed } = process.memoryUsage();
  return external + heapUsed;
}

interface Writer {
  write(chunk: Buffer): boolean;
  end(): void;
  once(event: 'drain', listener: () => void): unknown;
}

function pour(to: Writer): void {
  let left = BODY_BYTES;
  const more = (): void => {
    while (left > 0) {
      left -= PIECE.length;
      if (!to.write(PIECE)) {
        to.once('drain', more);
        return;
      }
    }
    to.end();
  };
  more();
}

/** Reads all of it, with a breath now and then, in which the other side would run ahead. */
async function drink(from: IncomingMessage, memory: { peak: number }): Promise<number> {
  let bytes = 0;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    const before = bytes;
    bytes += chunk.length;
    if (Math.floor(before / (8 * MIB)) === Math.floor(bytes / (8 * MIB))) continue;
    memory.peak = Math.max(memory.peak, heldBytes());
    await new Promise((resolve) => setImmediate(resolve));
  }
  return bytes;
}

it.each(['to', 'from'])('a body %s a worker goes through without being held', async (direction) => {
  const memory = { peak: 0 };
  const received = Promise.withResolvers<number>();
  const worker = createServer((request, response) => {
    if (direction === 'to') received.resolve(drink(request, memory).finally(() => response.end()));
    else pour(response);
  });
  worker.listen(0, '127.0.0.1');
  await once(worker, 'listening');
  await using rig = await Rig.start();
  onTestFinished(() => {
    worker.closeAllConnections();
    worker.close();
  });
  await rig.register({ url: `http://127.0.0.1:${(worker.address() as AddressInfo).port}` });
  const before = heldBytes();
  const outgoing = httpRequest(`${rig.dispatchUrl}/dispatch/jobs`, { method: 'POST' });
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
  if (direction === 'to') pour(outgoing);
  else outgoing.end();
  const [answer] = await answered;
  if (direction === 'from') received.resolve(await drink(answer, memory));
  else answer.resume();
  expect(await received.promise).toBe(BODY_BYTES);
  expect(memory.peak).toBeGreaterThan(0);
  expect(memory.peak - before).toBeLessThan(MORE_BYTES_MAX);
});
