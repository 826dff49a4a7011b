import { createServer } from 'node:http';
import { listen } from './listen.mjs';

/** A worker that reads a whole body before it answers, as jobs do. */
listen(
  createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end('ok'));
  }),
);
