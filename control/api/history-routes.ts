import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import { formatDuration, parseDuration } from '../../src/core/duration.ts';
import { errorRate, jobCount, latencyQuantile, type LaneTotals } from '../../src/core/lane-totals.ts';
import { BUCKET_MS, TELEMETRY_WINDOW_MAX_MS } from '../../src/runtime/store/telemetry-store.ts';
import { needs } from '../auth.ts';
import type { DeploymentService } from '../deployments.ts';
import type { ControlEnv } from '../env.ts';
import { finestStep, HISTORY_POINTS_MAX, type History, type HistoryPoint } from '../history.ts';
import { knownFields, requestError } from '../http/problems.ts';
import { COMMON_ERRORS, errorAnswers, json, SECURITY } from './answers.ts';
import { idParams } from './deployment-routes.ts';
import { duration, timestamp, toInstant } from './fields.ts';
import { rounded } from './observation-json.ts';

/** Stable and canary over time, for charts. */

const known = z.number().nullable();

const laneSchema = z
  .object({
    job_count: z.int(),
    jobs_per_second: z.number(),
    error_rate: known.openapi({ description: 'Percent.' }),
    p95_latency: known.openapi({ description: 'Milliseconds.' }),
  })
  .openapi('LanePoint');

const historySchema = z
  .object({
    step: z.string().openapi({ example: '5s', description: 'What each point is over.' }),
    points: z.array(
      z
        .object({
          timestamp: timestamp.openapi({ description: 'The end of the step.' }),
          stable: laneSchema,
          canary: laneSchema,
        })
        .openapi('HistoryPoint'),
    ),
  })
  .openapi('DeploymentHistory');

const historyRoute = createRoute({
  method: 'get',
  path: '/deployments/{id}/metrics/history',
  operationId: 'getHistory',
  tags: ['Health and monitoring'],
  summary: 'Stable and canary over time',
  description:
    'In steps of equal length, oldest first, from the telemetry of all proxies, which is kept for a day. The step that ' +
    'is still filling is left out. What nobody knows is `null`, never a made-up 0.',
  security: SECURITY,
  middleware: [needs('read')],
  request: {
    params: idParams,
    query: knownFields(
      {
        window: duration(BUCKET_MS, TELEMETRY_WINDOW_MAX_MS)
          .optional()
          .openapi({ description: 'How far back; the metrics window if left out.' }),
        step: duration(BUCKET_MS, TELEMETRY_WINDOW_MAX_MS)
          .optional()
          .openapi({
            description: `A multiple of 5 s, of which the window has at most ${HISTORY_POINTS_MAX}; the shortest such if left out.`,
          }),
      },
      'parameter',
    ),
  },
  responses: {
    200: json('Up to now, or to when it ended.', historySchema, {
      step: '5s',
      points: [
        {
          timestamp: '2025-09-14T12:45:00Z',
          stable: { job_count: 112, jobs_per_second: 22.4, error_rate: 0.89, p95_latency: 456.7 },
          canary: { job_count: 38, jobs_per_second: 7.6, error_rate: 0, p95_latency: 423.8 },
        },
      ],
    }),
    ...errorAnswers('VALIDATION_FAILED', 'DEPLOYMENT_NOT_FOUND', ...COMMON_ERRORS),
  },
});

export function addHistoryRoutes(
  app: OpenAPIHono<ControlEnv>,
  service: DeploymentService,
  history: History,
): void {
  app.openapi(historyRoute, async (c) => {
    const query = c.req.valid('query');
    const deployment = await service.get(c.req.valid('param').id, c.get('credential'));
    const windowMs =
      query.window === undefined ? deployment.config.metricsWindowMs : parseDuration(query.window)!;
    const stepMs = query.step === undefined ? finestStep(windowMs) : parseDuration(query.step)!;
    checkStep(windowMs, stepMs);
    const points = await history.read(deployment, windowMs, stepMs);
    return c.json(
      { step: formatDuration(stepMs), points: points.map((point) => toPointJson(point, stepMs)) },
      200,
    );
  });
}

/** @throws VALIDATION_FAILED */
function checkStep(windowMs: number, stepMs: number): void {
  const least = finestStep(windowMs);
  if (stepMs % BUCKET_MS === 0 && stepMs >= least) return;
  throw requestError({
    step: `must be a multiple of 5s and, for a window of ${formatDuration(windowMs)}, at least ${formatDuration(least)}, got ${formatDuration(stepMs)}`,
  });
}

function toPointJson({ at, lanes }: HistoryPoint, stepMs: number) {
  return {
    timestamp: toInstant(at),
    stable: toLaneJson(lanes.stable, stepMs),
    canary: toLaneJson(lanes.canary, stepMs),
  };
}

function toLaneJson(totals: LaneTotals, stepMs: number): z.infer<typeof laneSchema> {
  const jobs = jobCount(totals);
  return {
    job_count: jobs,
    jobs_per_second: rounded(jobs / (stepMs / 1000)) ?? 0,
    error_rate: rounded(errorRate(totals)),
    p95_latency: rounded(latencyQuantile(totals, 0.95)),
  };
}
