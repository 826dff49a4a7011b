import { createServer } from 'node:http';
import fastProxy from 'fast-proxy';
import { listen } from './listen.mjs';

const [worker] = process.argv.slice(2);
const peer = fastProxy({ base: worker });
listen(createServer((request, response) => peer.proxy(request, response, request.url, {})));
