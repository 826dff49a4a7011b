import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import type { Registry } from 'prom-client';
import type { Store } from '../../src/runtime/store/store.ts';
import type { ControlEnv } from '../env.ts';
import { errorAnswers, json, SECURITY } from './answers.ts';

/** For those who run it: alive, ready, metrics. */

const tags = ['Operations'];
const statusSchema = z.object({ status: z.literal('ok') }).openapi('Ok');

const healthz = createRoute({
  method: 'get',
  path: '/healthz',
  operationId: 'isAlive',
  tags,
  summary: 'Whether the process answers',
  responses: { 200: json('It does.', statusSchema, { status: 'ok' }) },
});

const readyz = createRoute({
  method: 'get',
  path: '/readyz',
  operationId: 'isReady',
  tags,
  summary: 'Whether the store answers too',
  responses: {
    200: json('It does.', statusSchema, { status: 'ok' }),
    ...errorAnswers('STORE_UNAVAILABLE', 'INTERNAL'),
  },
});

const metrics = createRoute({
  method: 'get',
  path: '/metrics',
  operationId: 'scrape',
  tags,
  summary: 'Prometheus metrics',
  // Unless they are configured to be public.
  security: SECURITY,
  responses: {
    200: { description: 'Text exposition format.', content: { 'text/plain': { schema: z.string() } } },
    ...errorAnswers('UNAUTHORIZED', 'FORBIDDEN', 'INTERNAL'),
  },
});

export function addOperationsRoutes(
  app: OpenAPIHono<ControlEnv>,
  store: Pick<Store, 'ping'>,
  registry: Registry,
): void {
  app.openapi(healthz, (c) => c.json({ status: 'ok' as const }, 200));

  app.openapi(readyz, async (c) => {
    await store.ping();
    return c.json({ status: 'ok' as const }, 200);
  });

  app.openapi(metrics, async (c) =>
    c.text(await registry.metrics(), 200, { 'Content-Type': registry.contentType }),
  );
}
