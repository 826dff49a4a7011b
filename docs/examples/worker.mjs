// A job worker: an HTTP server that runs whatever it is sent.
//
//   node docs/examples/worker.mjs <port> <version> [share of jobs that fail, 0 to 1]
//
// It needs nothing of Lanewise; every worker that speaks HTTP can be canaried as it is.
import { createServer } from 'node:http';
import process from 'node:process';

const [port = '3000', version = 'v1', failing = '0'] = process.argv.slice(2);

createServer(async (request, response) => {
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  const failed = Math.random() < Number(failing);
  response.writeHead(failed ? 500 : 200, { 'Content-Type': 'application/json' });
  response.end(
    JSON.stringify({
      version,
      ok: !failed,
      job: request.headers['x-job-id'],
      lane: request.headers['x-canary-lane'],
      path: request.url,
      bytes,
    }) + '\n',
  );
}).listen(Number(port), '127.0.0.1', function listening() {
  process.stdout.write(`worker ${version} on http://127.0.0.1:${this.address().port}\n`);
});
