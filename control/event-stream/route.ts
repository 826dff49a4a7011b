import { upgradeWebSocket, type HttpBindings } from '@hono/node-server';
import { z, type OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Logger } from '../../src/runtime/log.ts';
import { needs } from '../auth.ts';
import type { CredentialStore } from '../credentials.ts';
import type { DeploymentService } from '../deployments.ts';
import type { ControlEnv } from '../env.ts';
import { detailsOf, expecting, knownFields, requestError } from '../http/problems.ts';
import type { EventStreams } from './event-streams.ts';
import type { StreamSocket } from './stream.ts';

/** The same path as the list of events: a request to upgrade gets the stream, any other the list. */
export const EVENTS_PATH = '/deployments/:id/events';

/** https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const CLOSE_POLICY = 1008;
const WITHDRAWN = 'the token no longer counts';

const sinceError = expecting('the id of an event, as in the frames of the stream or the list of events');

const query = knownFields(
  {
    since: z
      .string({ error: sinceError })
      .regex(/^event_[\w-]{1,64}(?:\.\d{1,2})?$/, { error: sinceError })
      .optional(),
  },
  'parameter',
);

/** Goes before the list's own route. Whatever is wrong is answered as plain HTTP, before the upgrade. */
export function addEventStream(
  app: OpenAPIHono<ControlEnv>,
  service: DeploymentService,
  streams: EventStreams,
  credentials: CredentialStore,
  log: Logger,
): void {
  const upgrade = upgradeWebSocket(
    async (c: Context<ControlEnv>) => {
      const since = sinceOf(c);
      const credential = c.get('credential');
      const deployment = await service.get(c.req.param('id') ?? '', credential);
      const stream = await streams.open(deployment, since);
      const forget = credentials.onWithdrawn(credential, () => stream.end(CLOSE_POLICY, WITHDRAWN));
      untilGone(socketOf(c), () => {
        forget();
        stream.close();
      });
      return { onOpen: (_event, { raw }) => stream.attach(raw as unknown as StreamSocket) };
    },
    { onError: (error) => log.error({ err: error }, 'an event stream failed unexpectedly') },
  );
  app.get(EVENTS_PATH, needs('read'), (c, next) => (isUpgrade(c) ? upgrade(c, next) : next()));
}

/** @throws VALIDATION_FAILED */
function sinceOf(c: Context): string | undefined {
  const given = Object.entries(c.req.queries()).map(([name, [first, ...more]]) => {
    return [name, more.length === 0 ? first : [first, ...more]];
  });
  const parsed = query.safeParse(Object.fromEntries(given));
  if (!parsed.success) throw requestError(detailsOf(parsed.error.issues, 'query'));
  return parsed.data.since;
}

function isUpgrade(c: Context): boolean {
  const { incoming, outgoing } = (c.env ?? {}) as Partial<HttpBindings>;
  return incoming !== undefined && outgoing === undefined;
}

function socketOf(c: Context): HttpBindings['incoming']['socket'] {
  return (c.env as HttpBindings).incoming.socket;
}

/** The connection itself, since the upgrade may fail in ways of which no WebSocket tells. */
function untilGone(socket: HttpBindings['incoming']['socket'], onGone: () => void): void {
  if (socket.destroyed) onGone();
  else socket.once('close', onGone);
}
