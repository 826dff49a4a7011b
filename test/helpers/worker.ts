import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedJob {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

type Answer = (job: ReceivedJob, response: ServerResponse) => void;

/** A real HTTP worker on a free port, that notes what it gets. */
export class TestWorker implements AsyncDisposable {
  readonly version: string;
  readonly jobs: ReceivedJob[] = [];
  readonly server: Server;
  answer: Answer;

  private constructor(
    version: string,
    answer: Answer,
    onRequest?: (q: IncomingMessage, s: ServerResponse) => void,
  ) {
    this.version = version;
    this.answer = answer;
    this.server = createServer(onRequest ?? ((request, response) => void this.#collect(request, response)));
    // The proxy closes what is idle. If both did, a process that has not run for seconds would send a job into a
    // connection that is being closed; that is a failure of the job, and of no test.
    this.server.keepAliveTimeout = 0;
  }

  static async start(
    version: string,
    answer: Answer = (_job, response) => response.end(version),
    onRequest?: (request: IncomingMessage, response: ServerResponse) => void,
    port = 0,
  ): Promise<TestWorker> {
    const worker = new TestWorker(version, answer, onRequest);
    worker.server.listen(port, '127.0.0.1');
    await once(worker.server, 'listening');
    return worker;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #collect(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    try {
      for await (const chunk of request.setEncoding('latin1')) body += chunk as string;
    } catch {
      return; // Broken off; the tests that do that look at it from the other side.
    }
    const job = {
      method: request.method!,
      url: request.url!,
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      body,
    };
    this.jobs.push(job);
    this.answer(job, response);
  }
}
