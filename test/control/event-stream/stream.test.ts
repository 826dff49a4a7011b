import { describe, expect, test } from 'vitest';
import { createEventLog } from '../../../control/event-stream/event-log.ts';
import { createStream, type Stream, type StreamSocket } from '../../../control/event-stream/stream.ts';
import type { DeploymentEvent } from '../../../src/core/deployment.ts';

const KIB = 1024;

function events(count: number): DeploymentEvent[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `event_${i + 1}`,
    deploymentId: 'canary_1',
    type: 'deployment_rolled_back',
    message: '',
    timestamp: 0,
    actor: 'ops',
    data: { reason: 'x'.repeat(KIB) },
  }));
}

/** A peer that takes what was sent when it is told to. */
function peer() {
  const waiting: { size: number; sent: (() => void) | undefined }[] = [];
  const socket = {
    received: [] as string[],
    ended: undefined as string | undefined,
    get bufferedAmount() {
      return waiting.reduce((sum, { size }) => sum + size, 0);
    },
    send(data: Buffer, _options: object, sent?: () => void) {
      waiting.push({ size: data.length, sent });
      socket.received.push(data.toString());
    },
    close: (code: number, reason: string) => void (socket.ended = `${code} ${reason}`),
    terminate: () => void (socket.ended = 'terminated'),
    takeOne: () => waiting.shift()?.sent?.(),
    takeAll() {
      while (waiting.length > 0) socket.takeOne();
    },
  } satisfies StreamSocket & Record<string, unknown>;
  return socket;
}

function open(kept: readonly DeploymentEvent[], bufferedBytesMax: number) {
  const log = createEventLog();
  log.merge(kept);
  const cutOff: number[] = [];
  const stream: Stream = createStream({
    log,
    bufferedBytesMax,
    onCutOff: (bytes) => void cutOff.push(bytes),
  });
  return { log, stream, cutOff };
}

describe('a stream', () => {
  test('replays at the pace of its client, and calls none slow for the length of the past', () => {
    const { stream, cutOff } = open(events(300), 100 * KIB);
    const client = peer();
    stream.start(0);
    stream.attach(client);
    expect(client.bufferedAmount).toBeLessThan(70 * KIB);
    let most = 0;
    while (client.bufferedAmount > 0) {
      most = Math.max(most, client.bufferedAmount);
      client.takeOne();
    }
    expect(client.received).toHaveLength(300);
    expect(most).toBeLessThan(70 * KIB);
    expect(cutOff).toEqual([]);
  });

  test('keeps what comes during the replay for its place, and leaves out what is not kept', () => {
    const { log, stream } = open(events(100), 1000 * KIB);
    const client = peer();
    stream.start(0);
    stream.attach(client);
    stream.sendLive(Buffer.from('live'));
    log.merge(events(101));
    stream.advance();
    client.takeAll();
    expect(client.received).toHaveLength(101);
    expect(client.received.at(-1)).toContain('"event_101"');
    stream.sendLive(Buffer.from('live'));
    expect(client.received.at(-1)).toBe('live');
  });

  test.each(['what is kept', 'what is not'])('cuts off a client that does not take %s', (what) => {
    const { log, stream, cutOff } = open([], 10 * KIB);
    const client = peer();
    stream.attach(client);
    for (let count = 1; count <= 20; count++) {
      log.merge(what === 'what is kept' ? events(count) : []);
      stream.advance();
      if (what === 'what is not') stream.sendLive(Buffer.alloc(KIB));
    }
    expect(client.ended).toBe('terminated');
    expect(cutOff).toHaveLength(1);
    expect(client.received.length).toBeLessThan(12);
  });

  test('that has ended before its socket is there ends it, with the reason', () => {
    const { stream } = open(events(1), 10 * KIB);
    stream.end(1000, 'gone');
    const client = peer();
    stream.attach(client);
    stream.advance();
    expect(client.ended).toBe('1000 gone');
    expect(client.received).toEqual([]);
  });

  test('begins where it was opened, however late its socket comes', () => {
    const { log, stream } = open(events(2), 10 * KIB);
    log.merge(events(4));
    const client = peer();
    stream.attach(client);
    expect(client.received.map((text) => (JSON.parse(text) as { id: string }).id)).toEqual([
      'event_3',
      'event_4',
    ]);
  });
});
