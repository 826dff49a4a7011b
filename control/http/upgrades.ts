import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { ControlApp } from '../app.ts';
import { answerRaw } from './raw-answer.ts';

/**
 * Whether a request that asks for an upgrade gets one. All others are answered as if they had not asked, as RFC 9110,
 * section 7.8, allows: some clients ask for HTTP/2 with every request.
 */
export function isWebSocketRequest({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * The app as the adapter calls it for upgrades. The adapter answers those that are refused without a body; here they
 * get the documented one, and the adapter finds the connection closed.
 */
export function answeringRefusals(app: Pick<ControlApp, 'fetch'>) {
  return async (request: Request, env: object): Promise<Response> => {
    const response = await app.fetch(request, env);
    const { incoming } = env as HttpBindings;
    if (!isUpgraded(response)) await answerRaw(incoming.socket, response);
    return response;
  };
}

/** The app's word for "go on with the handshake" is an empty 200, which no endpoint behind an upgrade gives. */
function isUpgraded(response: Response): boolean {
  return response.status === 200 && response.body === null;
}
