import type { Credential } from './credentials.ts';

/** What the middleware leaves for the handlers of a request. */
export interface ControlEnv {
  Variables: {
    /** Who asks; set on every route that needs one. */
    credential: Credential;
    /** The body, once somebody has read it. */
    bodyBytes?: Uint8Array;
  };
}
