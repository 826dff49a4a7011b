import { computed, signal } from '@preact/signals';
import type { Credential } from '../../../src/client/api-types.ts';
import { createCalls, type Client } from '../../../src/client/calls.ts';
import { ApiError } from '../../../src/client/errors.ts';
import { plainTransport } from '../../../src/client/plain-transport.ts';
import { tokenOf } from '../model/place.ts';

/**
 * Who uses the dashboard. The token is in memory and in this tab's session storage only: closing the tab forgets it, and
 * no other page or tab has it.
 */
export interface Session {
  readonly client: Client;
  readonly credential: Credential;
}

export const session = signal<Session | undefined>(undefined);

/** Why one has to sign in (again). */
export const signInProblem = signal('');

/** Whether the first look for a token is over. */
export const isSessionKnown = signal(false);

/** Why this token may not change anything; undefined if it may. */
export const readOnlyReason = computed(() => {
  const { credential } = session.value ?? {};
  if (credential === undefined || credential.permissions.includes('operate')) return undefined;
  return `${credential.name} is a ${credential.role}: it may look, but not change anything`;
});

const KEPT_AS = 'lanewise.token';

/** Where the page is served from: a reverse proxy may have put a prefix before it. */
const BASE_URL = new URL('.', window.location.href).href.replace(/\/+$/, '');

function clientOf(token: string): Client {
  return createCalls({ url: BASE_URL, token }, plainTransport);
}

/** Takes the token of the address (and out of it), or the one that this tab has had before. */
export async function resumeSession(): Promise<void> {
  const given = tokenOf(window.location.hash);
  if (given !== undefined) window.history.replaceState(null, '', '#/deployments');
  const token = given ?? sessionStorage.getItem(KEPT_AS);
  if (token !== null && token !== '') await signIn(token);
  isSessionKnown.value = true;
}

/** A link with a token may be opened in a tab that runs already. */
export function takeTokenFromAddress(): boolean {
  const given = tokenOf(window.location.hash);
  if (given === undefined) return false;
  window.history.replaceState(null, '', '#/deployments');
  void signIn(given);
  return true;
}

export async function signIn(token: string): Promise<void> {
  const client = clientOf(token);
  try {
    const credential = await client.getCredential();
    if (!credential.permissions.includes('read')) {
      signInProblem.value = `${credential.name} is a ${credential.role}: it may not read deployments.`;
      return;
    }
    sessionStorage.setItem(KEPT_AS, token);
    signInProblem.value = '';
    session.value = { client, credential };
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) sessionStorage.removeItem(KEPT_AS);
    signInProblem.value =
      error instanceof ApiError ? `${error.message}.` : 'The control plane does not answer. Is it running?';
  }
}

export function signOut(reason = ''): void {
  sessionStorage.removeItem(KEPT_AS);
  signInProblem.value = reason;
  session.value = undefined;
}
