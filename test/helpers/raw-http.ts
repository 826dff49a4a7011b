import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/**
 * HTTP without an HTTP library, for what no library would send or accept: a client that writes bytes, and a worker that
 * keeps the bytes it gets and writes back what it is told to.
 */

export interface RawRequest {
  readonly method: string;
  readonly target: string;
  /** Names and values, as they came. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Without the framing of chunks. */
  readonly body: string;
  readonly trailers: readonly (readonly [name: string, value: string])[];
}

export interface ParsedRequests {
  readonly requests: readonly RawRequest[];
  /** What has not become a whole request. */
  readonly rest: string;
}

const REQUEST_LINE = /^([A-Z-]+) (\/[\x21-\x7e]*) HTTP\/1\.1$/;
const FIELD_LINE =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;

/**
 * The strictest reading of RFC 9112: exactly what a worker must be able to rely on, whatever it is written in.
 * @throws Error saying what is not well-formed
 */
export function parseRequests(bytes: Buffer): ParsedRequests {
  const requests: RawRequest[] = [];
  let text = bytes.toString('latin1');
  for (;;) {
    const end = text.indexOf('\r\n\r\n');
    if (end === -1) return { requests, rest: text };
    const [first = '', ...lines] = text.slice(0, end).split('\r\n');
    const [, method, target] = REQUEST_LINE.exec(first) ?? fail(`request line ${JSON.stringify(first)}`);
    const headers = lines.map(fieldOf);
    const of = (name: string) => headers.filter(([n]) => n.toLowerCase() === name).map(([, value]) => value);
    if (of('host').length !== 1) fail(`${of('host').length} Host headers`);
    const lengths = of('content-length');
    const codings = of('transfer-encoding');
    if (lengths.length + codings.length > 1) fail(`the framing of ${JSON.stringify([lengths, codings])}`);
    const after = text.slice(end + 4);
    let message: Pick<RawRequest, 'body' | 'trailers'> & { readonly left: string };
    if (codings.length === 1) {
      if (codings[0] !== 'chunked') fail(`Transfer-Encoding ${JSON.stringify(codings[0])}`);
      const chunked = parseChunked(after);
      if (chunked === undefined) return { requests, rest: text };
      message = chunked;
    } else {
      const length = lengths[0] ?? '0';
      if (!/^\d+$/.test(length)) fail(`Content-Length ${JSON.stringify(length)}`);
      if (after.length < Number(length)) return { requests, rest: text };
      message = { body: after.slice(0, Number(length)), trailers: [], left: after.slice(Number(length)) };
    }
    const { left, ...rest } = message;
    requests.push({ method: method!, target: target!, headers, ...rest });
    text = left;
  }
}

function parseChunked(text: string) {
  let body = '';
  for (;;) {
    const line = /^([0-9a-f]+)\r\n/.exec(text);
    if (line === null) return text === '' || /^[0-9a-f]+\r?$/.test(text) ? undefined : fail('a chunk size');
    const size = parseInt(line[1]!, 16);
    text = text.slice(line[0].length);
    if (size === 0) {
      if (text.startsWith('\r\n')) return { body, trailers: [], left: text.slice(2) };
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return undefined;
      return { body, trailers: text.slice(0, end).split('\r\n').map(fieldOf), left: text.slice(end + 4) };
    }
    if (text.length < size + 2) return undefined;
    if (text.slice(size, size + 2) !== '\r\n') fail('the end of a chunk');
    body += text.slice(0, size);
    text = text.slice(size + 2);
  }
}

function fieldOf(line: string): readonly [string, string] {
  const [, name, value = ''] = FIELD_LINE.exec(line) ?? fail(`header ${JSON.stringify(line)}`);
  return [name!, value];
}

function fail(what: string): never {
  throw new Error(`not well-formed: ${what}`);
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** One connection of a worker. */
export interface RawConnection {
  readonly socket: Socket;
  /** Everything that came. */
  readonly received: () => Buffer;
}

type OnData = (connection: RawConnection, answered: { count: number }) => void;

/** A worker that keeps every byte. By default it answers 200 to every whole request. */
export class RawWorker implements AsyncDisposable {
  /** Those on which something came: proxies also look whether it listens, and go. */
  readonly connections: RawConnection[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  readonly #requests: RawRequest[] = [];
  #problem: unknown;

  private constructor(onData: OnData) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      const chunks: Buffer[] = [];
      const connection = { socket, received: () => Buffer.concat(chunks) };
      const answered = { count: 0 };
      let seen = 0;
      this.#sockets.add(socket);
      socket.once('data', () => this.connections.push(connection));
      socket.on('error', () => {});
      socket.on('end', () => socket.end());
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        try {
          const { requests } = parseRequests(connection.received());
          this.#requests.push(...requests.slice(seen));
          seen = requests.length;
        } catch (error) {
          this.#problem ??= error;
        }
        onData(connection, answered);
      });
    });
  }

  static async start(onData: OnData = answerWholeRequests): Promise<RawWorker> {
    const worker = new RawWorker(onData);
    worker.#server.listen(0, '127.0.0.1');
    await once(worker.#server, 'listening');
    return worker;
  }

  /** Writes these bytes for each request, in pieces that go out one by one. */
  static answering(...pieces: readonly (string | Buffer)[]): Promise<RawWorker> {
    return RawWorker.start((connection, answered) => {
      const { requests } = parseRequests(connection.received());
      for (; answered.count < requests.length; answered.count++)
        for (const piece of pieces) connection.socket.write(piece, 'latin1');
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Of all connections, in the order of their ends. @throws whatever `parseRequests` found on the way */
  get requests(): readonly RawRequest[] {
    if (this.#problem !== undefined) throw this.#problem;
    return this.#requests;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}

function answerWholeRequests({ socket, received }: RawConnection, answered: { count: number }): void {
  const { requests } = parseRequests(received());
  for (; answered.count < requests.length; answered.count++) socket.write(OK);
}

/** A client's connection. */
export class RawClient implements AsyncDisposable {
  readonly socket: Socket;
  #received = '';
  #closed = false;
  readonly #waiting = new Set<() => void>();

  private constructor(url: string, ca: string | undefined) {
    const { hostname, port } = new URL(url);
    const where = { host: hostname, port: Number(port), allowHalfOpen: true };
    this.socket = ca === undefined ? connect(where) : connectTls({ ...where, ca });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => {
      this.#received += text;
      this.#wake();
    });
    const onClosed = (): void => {
      this.#closed = true;
      this.#wake();
    };
    this.socket.on('end', onClosed);
    this.socket.on('close', onClosed);
    this.socket.on('error', () => {});
  }

  /** @param ca of the server, if it speaks TLS */
  static async connect(url: string, ca?: string): Promise<RawClient> {
    const client = new RawClient(url, ca);
    await once(client.socket, ca === undefined ? 'connect' : 'secureConnect');
    return client;
  }

  get received(): string {
    return this.#received;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  write(bytes: string): void {
    this.socket.write(bytes, 'latin1');
  }

  /** Resolves once what came matches, or the other side has closed. */
  async until(pattern: RegExp | 'closed'): Promise<string> {
    const isThere = (): boolean => pattern !== 'closed' && pattern.test(this.#received);
    while (!this.#closed && !isThere()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
    return this.#received;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    if (!this.socket.closed) await once(this.socket, 'close');
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
