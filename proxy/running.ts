import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LanewiseError } from '../src/core/errors.ts';
import type { JobHeaders, Target } from './job.ts';

/** A request to the dispatch listener that is under way. */
export interface Running {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Of the list that it is in; see `running-list.ts`. */
  place: number;
  /** When it came into that list, relative to the others. */
  turn: number;
  start(): void;
  /** The rest of its request is not what it must be. */
  refuse(error: LanewiseError): void;
  /** Ends what is left when the proxy must go. */
  shutDown(): void;
}

/** What the head of a request says of the job. */
export interface Arrival {
  readonly target: Target;
  readonly job: JobHeaders;
  /** The producer's, or made for it. */
  readonly jobId: string;
  /** The client wants to speak WebSocket. */
  readonly isUpgrade: boolean;
}
