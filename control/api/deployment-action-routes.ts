import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { needs } from '../auth.ts';
import {
  pause,
  promote,
  PROMOTED_MESSAGE,
  resume,
  rollBack,
  rolledBackMessage,
  setPercentage,
  type Decide,
} from '../deployment-changes.ts';
import type { DeploymentService } from '../deployments.ts';
import type { ControlEnv } from '../env.ts';
import { jsonBody } from '../http/body.ts';
import { etagOf, ifMatch } from '../http/preconditions.ts';
import { expecting, knownFields } from '../http/problems.ts';
import { body, BODY_ERRORS, COMMON_ERRORS, errorAnswers, json, POST_ERRORS, SECURITY } from './answers.ts';
import {
  DEPLOYMENT_EXAMPLE,
  routedDeploymentSchema,
  routingSchema,
  toDeploymentJson,
  toRoutingJson,
} from './deployment-json.ts';
import { idParams } from './deployment-routes.ts';
import { percentage, timestamp, toInstant } from './fields.ts';

/** What moves a deployment: percentage, promote, rollback, pause, resume. */

const tags = ['Deployments'];
const ROUTING_EXAMPLE = { revision: 43, proxies: 3, applied: 3 };
const ACTION_ERRORS = [
  'DEPLOYMENT_NOT_FOUND',
  'DEPLOYMENT_NOT_ACTIVE',
  'PRECONDITION_FAILED',
  ...COMMON_ERRORS,
] as const;

/** Of a rollback nobody explained. */
const DEFAULT_REASON = 'Manual rollback';
const REASON_LENGTH_MAX = 1000;

/** Nothing to say; an empty object is as good as no body. */
const emptySchema = knownFields({});

const percentageRoute = createRoute({
  method: 'put',
  path: '/deployments/{id}/percentage',
  operationId: 'setPercentage',
  tags,
  summary: 'Change the share of the canary',
  security: SECURITY,
  middleware: [needs('operate'), jsonBody],
  request: {
    params: idParams,
    body: body(knownFields({ percentage }).openapi('PercentageUpdate'), { percentage: 50 }),
  },
  responses: {
    200: json(
      'Stored; `routing` says how many proxies have applied it.',
      z
        .object({
          success: z.literal(true),
          percentage: z.number(),
          updated_at: timestamp,
          routing: routingSchema,
        })
        .openapi('PercentageUpdated'),
      { success: true, percentage: 50, updated_at: '2025-09-14T12:30:00Z', routing: ROUTING_EXAMPLE },
    ),
    ...errorAnswers('INVALID_PERCENTAGE', ...BODY_ERRORS, ...ACTION_ERRORS),
  },
});

const promoteRoute = createRoute({
  method: 'post',
  path: '/deployments/{id}/promote',
  operationId: 'promoteDeployment',
  tags,
  summary: 'Make the canary version the stable one',
  security: SECURITY,
  middleware: [needs('operate'), jsonBody],
  request: { params: idParams, body: body(emptySchema, {}, false) },
  responses: {
    200: json(
      'The canary version takes all jobs.',
      z
        .object({ success: z.literal(true), message: z.string(), timestamp, routing: routingSchema })
        .openapi('Promoted'),
      {
        success: true,
        message: PROMOTED_MESSAGE,
        timestamp: '2025-09-14T12:45:00Z',
        routing: ROUTING_EXAMPLE,
      },
    ),
    ...errorAnswers(...POST_ERRORS, ...ACTION_ERRORS),
  },
});

const rollbackRoute = createRoute({
  method: 'post',
  path: '/deployments/{id}/rollback',
  operationId: 'rollBackDeployment',
  tags,
  summary: 'Take the canary version out',
  security: SECURITY,
  middleware: [needs('operate'), jsonBody],
  request: {
    params: idParams,
    body: body(
      knownFields({
        reason: z
          .string({ error: expecting(`at most ${REASON_LENGTH_MAX} characters of text`) })
          .max(REASON_LENGTH_MAX, { error: `must be at most ${REASON_LENGTH_MAX} characters` })
          .optional()
          .openapi({ description: `\`${DEFAULT_REASON}\` if left out or blank.` }),
      }).openapi('RollbackRequest'),
      { reason: 'High error rate detected in canary version' },
      false,
    ),
  },
  responses: {
    200: json(
      'The stable version takes all jobs.',
      z
        .object({
          success: z.literal(true),
          message: z.string(),
          reason: z.string(),
          timestamp,
          routing: routingSchema,
        })
        .openapi('RolledBack'),
      {
        success: true,
        message: rolledBackMessage('High error rate detected in canary version'),
        reason: 'High error rate detected in canary version',
        timestamp: '2025-09-14T12:50:00Z',
        routing: ROUTING_EXAMPLE,
      },
    ),
    ...errorAnswers(...POST_ERRORS, ...ACTION_ERRORS),
  },
});

function pauseOrResume<P extends 'pause' | 'resume'>(action: P, summary: string) {
  return createRoute({
    method: 'post',
    path: `/deployments/{id}/${action}` as const,
    operationId: `${action}Deployment`,
    tags,
    summary,
    security: SECURITY,
    middleware: [needs('operate'), jsonBody],
    request: { params: idParams, body: body(emptySchema, {}, false) },
    responses: {
      200: json('The deployment.', routedDeploymentSchema, {
        ...DEPLOYMENT_EXAMPLE,
        status: action === 'pause' ? 'paused' : 'active',
        routing: ROUTING_EXAMPLE,
      }),
      ...errorAnswers(...POST_ERRORS, ...ACTION_ERRORS),
    },
  });
}

export function addDeploymentActionRoutes(app: OpenAPIHono<ControlEnv>, service: DeploymentService): void {
  const change = async (c: Context<ControlEnv>, id: string, decide: Decide) => {
    const changed = await service.change(id, decide, c.get('credential'), { check: ifMatch(c) });
    c.header('ETag', etagOf(changed.deployment));
    return changed;
  };

  app.openapi(percentageRoute, async (c) => {
    const { percentage: wanted } = c.req.valid('json');
    const { id } = c.req.valid('param');
    const { deployment, routing } = await change(c, id, setPercentage(wanted));
    return c.json(
      {
        success: true as const,
        percentage: deployment.currentPercent,
        updated_at: toInstant(deployment.lastUpdate),
        routing: toRoutingJson(routing),
      },
      200,
    );
  });

  app.openapi(promoteRoute, async (c) => {
    const { id } = c.req.valid('param');
    const { deployment, routing } = await change(c, id, promote);
    return c.json(
      {
        success: true as const,
        message: PROMOTED_MESSAGE,
        timestamp: toInstant(deployment.lastUpdate),
        routing: toRoutingJson(routing),
      },
      200,
    );
  });

  app.openapi(rollbackRoute, async (c) => {
    const { id } = c.req.valid('param');
    const given = c.req.valid('json').reason?.trim();
    const reason = given === undefined || given === '' ? DEFAULT_REASON : given;
    const { deployment, routing } = await change(c, id, rollBack(reason));
    return c.json(
      {
        success: true as const,
        message: rolledBackMessage(reason),
        reason,
        timestamp: toInstant(deployment.lastUpdate),
        routing: toRoutingJson(routing),
      },
      200,
    );
  });

  app.openapi(pauseOrResume('pause', 'Hold the percentage'), async (c) => {
    const { id } = c.req.valid('param');
    const { deployment, routing } = await change(c, id, pause);
    return c.json({ ...toDeploymentJson(deployment), routing: toRoutingJson(routing) }, 200);
  });

  app.openapi(pauseOrResume('resume', 'Go on after a pause'), async (c) => {
    const { id } = c.req.valid('param');
    const { deployment, routing } = await change(c, id, resume);
    return c.json({ ...toDeploymentJson(deployment), routing: toRoutingJson(routing) }, 200);
  });
}
