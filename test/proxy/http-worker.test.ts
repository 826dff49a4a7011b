import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { request } from 'undici';
import { RawClient, RawWorker } from '../helpers/raw-http.ts';
import { Rig } from '../helpers/rig.ts';

/** What a worker may answer, well or badly, byte by byte. */

let rig: Rig;
let queues = 0;

beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(() => rig[Symbol.asyncDispose]());

/** A queue of this worker's own. */
async function serve(worker: RawWorker): Promise<string> {
  const queue = `jobs-${++queues}`;
  onTestFinished(() => worker[Symbol.asyncDispose]());
  await rig.register({ id: queue, queues: [queue], url: worker.url });
  return queue;
}

async function dispatchTo(worker: RawWorker, method = 'POST', rest = '\r\n'): Promise<string> {
  const queue = await serve(worker);
  await using client = await RawClient.connect(rig.dispatchUrl);
  client.write(`${method} /dispatch/${queue} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${rest}`);
  return await client.until('closed');
}

/** Small bodies of a known length and streamed ones take different ways. */
const BODIES = [
  ['a small body', 'Content-Length: 5\r\n\r\nhello'],
  ['a streamed body', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
] as const;

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf('\r\n\r\n') + 4);
}

describe('a worker that speaks no HTTP makes 502 WORKER_FAILED', () => {
  it.each([
    ['garbage', '\x00\x01garbage\r\n\r\n'],
    ['another version', 'HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a status that is no number', 'HTTP/1.1 OK\r\n\r\n'],
    [
      'two Content-Lengths that differ',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    ],
    [
      'Content-Length and Transfer-Encoding',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a negative Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['a header without a colon', 'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n'],
    ['a NUL in a header', 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n'],
    ['a head of 20 KiB', `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(20_000)}\r\nContent-Length: 0\r\n\r\n`],
    [
      '101 that nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    ],
  ])('%s', async (_name, bytes) => {
    const answer = await dispatchTo(await RawWorker.answering(bytes));
    expect(answer).toMatch(/^HTTP\/1\.1 502 /);
    expect(answer).toMatch(/\r\nX-Canary-Error: WORKER_FAILED\r\n/);
  });

  it('and so does one that closes or resets the connection before it answers', async () => {
    const closing = await RawWorker.start(({ socket }) => socket.end());
    expect(await dispatchTo(closing)).toMatch(/^HTTP\/1\.1 502 /);
    const resetting = await RawWorker.start(({ socket }) => socket.resetAndDestroy());
    expect(await dispatchTo(resetting)).toMatch(/^HTTP\/1\.1 502 /);
  });
});

it.each(BODIES)('a reason that cannot be written is replaced in an answer to %s', async (_name, rest) => {
  for (const reason of ['O\x01K', 'O\x7fK', 'v\u0151']) {
    const bytes = `HTTP/1.1 200 ${Buffer.from(reason).toString('latin1')}\r\nContent-Length: 2\r\n\r\nok`;
    const answer = await dispatchTo(await RawWorker.answering(bytes), 'POST', rest);
    expect(answer).toMatch(/^HTTP\/1\.1 200 [\x20-\x7e\x80-\xff]+\r\n/);
    expect(bodyOf(answer)).toBe('ok');
  }
});

describe('an answer that breaks off breaks the connection to the producer, so that it never looks whole', () => {
  it.each([
    ['shorter than it says', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'],
    ['without its last chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
    ['in the middle of a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf'],
  ])('%s', async (_name, bytes) => {
    const worker = await RawWorker.start(({ socket }) => socket.end(bytes));
    const answer = await dispatchTo(worker);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(answer).toContain('half');
    expect(answer.endsWith('0\r\n\r\n')).toBe(false);
    expect(answer).not.toContain('X-Canary-Error');
  });

  it('also where the worker resets', async () => {
    const worker = await RawWorker.start(({ socket }) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', () => socket.resetAndDestroy()),
    );
    expect(bodyOf(await dispatchTo(worker)).length).toBeLessThan(10);
  });
});

describe('an answer', () => {
  it('that is longer than it says is cut there, and the rest is nobody’s answer', async () => {
    const worker = await RawWorker.answering(
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged',
    );
    const queue = await serve(worker);
    for (let i = 0; i < 5; i++) expect((await rig.send(queue, { body: 'x' })).body).not.toContain('forged');
  });

  it('without a length ends with the connection', async () => {
    const worker = await RawWorker.start(({ socket }) => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it'));
    expect(await dispatchTo(worker)).toContain('all of it');
  });

  it('of HTTP/1.0 is passed on as one of HTTP/1.1', async () => {
    const worker = await RawWorker.start(({ socket }) =>
      socket.end('HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold'),
    );
    const answer = await dispatchTo(worker);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(bodyOf(answer)).toBe('old');
  });

  it.each(['204 No Content', '304 Not Modified'])('of %s has no body, whatever it says', async (status) => {
    const answer = await dispatchTo(
      await RawWorker.answering(`HTTP/1.1 ${status}\r\nContent-Length: 5\r\n\r\n`),
    );
    expect(answer.startsWith(`HTTP/1.1 ${status}\r\n`)).toBe(true);
    expect(bodyOf(answer)).toBe('');
    // RFC 9110 §8.6: of 304 it is the length of what is not sent; with 204 some would wait for it.
    expect(/Content-Length: 5/.test(answer)).toBe(status.startsWith('304'));
  });

  it('to HEAD has no body, and says how long it would be', async () => {
    const answer = await dispatchTo(
      await RawWorker.answering('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'),
      'HEAD',
    );
    expect(answer).toMatch(/\r\nContent-Length: 5\r\n/);
    expect(bodyOf(answer)).toBe('');
  });

  it('comes without what is between the worker and the proxy', async () => {
    const answer = await dispatchTo(
      await RawWorker.answering(
        'HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\n' +
          'Proxy-Authenticate: Basic\r\nX-End: 2\r\nVia: 1.0 inner\r\nContent-Length: 2\r\n\r\nok',
      ),
    );
    expect(answer).toMatch(/\r\nX-End: 2\r\n/);
    expect(answer).not.toMatch(/X-Hop|Proxy-Authenticate|timeout=9/);
    expect(answer).toMatch(/\r\nVia: 1\.0 inner, 1\.1 lanewise-[0-9a-f]{8}\r\n/);
  });

  it('has its trailers, but none that would say what the proxy says', async () => {
    const answer = await dispatchTo(
      await RawWorker.answering(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n' +
          'X-Sum: 42\r\nX-Canary-Error: forged\r\nVia: forged\r\n\r\n',
      ),
    );
    expect(answer.endsWith('2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n')).toBe(true);
  });

  it('may be preceded by 102 and 103, which the producer gets', async () => {
    const answer = await dispatchTo(
      await RawWorker.answering(
        'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\nX-Canary-Lane: forged\r\n\r\n',
        'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      ),
    );
    expect(answer).toMatch(
      /^HTTP\/1\.1 102 Processing\r\n\r\nHTTP\/1\.1 103 Early Hints\r\nLink: <\/x>\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
    );
  });
});

describe('a worker that answers before it has read the body', () => {
  const BODY = Buffer.alloc(1_000_000, 'x');

  it('has its answer passed on, every time, even if it closes at once', async () => {
    const worker = await RawWorker.start(({ socket }, answered) => {
      if (answered.count++ === 0)
        socket.end('HTTP/1.1 422 No\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbad', () =>
          socket.destroy(),
        );
    });
    const queue = await serve(worker);
    const statuses = new Map<number, number>();
    for (let i = 0; i < 100; i++) {
      const { statusCode, body } = await request(`${rig.dispatchUrl}/dispatch/${queue}`, {
        method: 'POST',
        body: BODY,
      });
      await body.dump();
      statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
    }
    expect(statuses).toEqual(new Map([[422, 100]]));
  });

  it('may go on with its answer while the body still comes', async () => {
    const worker = await RawWorker.start(({ socket, received }, answered) => {
      if (answered.count === 0) socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      answered.count = 1;
      if (received().includes('second')) socket.write('3\r\ntwo\r\n0\r\n\r\n');
    });
    const queue = await serve(worker);
    await using client = await RawClient.connect(rig.dispatchUrl);
    client.write(
      `POST /dispatch/${queue} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n`,
    );
    await client.until(/\r\n\r\n/);
    client.write('6\r\nsecond\r\n0\r\n\r\n');
    expect(bodyOf(await client.until(/0\r\n\r\n$/))).toBe('3\r\ntwo\r\n0\r\n\r\n');
  });
});

it('a connection that a worker closes while it is idle costs no dispatch', async () => {
  const worker = await RawWorker.answering('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const queue = await serve(worker);
  for (let i = 0; i < 3; i++) {
    expect((await rig.send(queue, { body: 'x' })).status).toBe(200);
    const { socket } = worker.connections.at(-1)!;
    socket.end();
    // The proxy answers the FIN by its own, so that it knows.
    await once(socket, 'close');
  }
  expect(worker.connections.length).toBe(3);
});
