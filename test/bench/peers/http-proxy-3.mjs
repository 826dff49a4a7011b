import { Agent, createServer } from 'node:http';
import { createProxyServer } from 'http-proxy-3';
import { listen } from './listen.mjs';

const [worker] = process.argv.slice(2);
const proxy = createProxyServer({ target: worker, agent: new Agent({ keepAlive: true }) });
listen(createServer((request, response) => proxy.web(request, response)));
