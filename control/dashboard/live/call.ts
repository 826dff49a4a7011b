import { signal } from '@preact/signals';
import type { Client } from '../../../src/client/calls.ts';
import { ApiError } from '../../../src/client/errors.ts';
import { session, signOut } from './session.ts';

/** Until when the API has asked to be left alone, milliseconds since the epoch; 0: not at all. */
export const restUntil = signal(0);

/** A call of the API. What concerns the whole page (the token, the rate limit) is seen to here. */
export async function call<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const current = session.peek();
  if (current === undefined) throw new Error('Nobody is signed in');
  try {
    return await work(current.client);
  } catch (error) {
    if (error instanceof ApiError) note(error);
    throw error;
  }
}

function note({ status, message, retryAfterSeconds }: ApiError): void {
  if (status === 401) signOut(`${message}. Sign in again.`);
  if (status === 429 && retryAfterSeconds !== undefined) {
    restUntil.value = Math.max(restUntil.peek(), Date.now() + retryAfterSeconds * 1000);
  }
}
