import httpProxy from '@fastify/http-proxy';
import fastify from 'fastify';

const [worker] = process.argv.slice(2);
const server = fastify({ bodyLimit: 2 ** 30 });
await server.register(httpProxy, { upstream: worker });
process.stdout.write(`${await server.listen({ host: '127.0.0.1', port: 0 })}\n`);
