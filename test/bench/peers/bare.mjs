import { createServer } from 'node:http';
import { Pool } from 'undici';
import { listen } from './listen.mjs';

/** The least that a proxy on these parts can do: no headers changed, nothing decided, nothing counted. */

const pools = process.argv.slice(2).map((url) => new Pool(url));
let next = 0;

function handlerOf(response) {
  return {
    onRequestStart() {},
    onResponseStart: (_controller, status) => response.writeHead(status),
    onResponseData: (_controller, chunk) => response.write(chunk),
    onResponseEnd: () => response.end(),
    onResponseError: () => response.destroy(),
  };
}

listen(
  createServer((incoming, response) => {
    const { url: path, method, headers } = incoming;
    const forwarded = { 'content-length': headers['content-length'] };
    const pool = pools[next++ % pools.length];
    pool.dispatch({ path, method, headers: forwarded, body: incoming }, handlerOf(response));
  }),
);
