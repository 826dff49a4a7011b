import type { EventLog } from './event-log.ts';

/**
 * One client's stream: a place in the log and, once the connection stands, a socket. What is kept is sent at the pace
 * at which the client takes it; once it has caught up, a client that falls behind by more than the limit is cut off.
 */
export interface Stream {
  /** Where the client begins. Nothing that comes into the log after it is missed, however late the socket is there. */
  start(place: number): void;
  attach(socket: StreamSocket): void;
  /** There is more in the log. */
  advance(): void;
  /** What is not kept: only for those who are there and have caught up. */
  sendLive(frame: Buffer): void;
  /** The last message, with its reason. */
  end(code: number, reason: string): void;
}

/** Of a WebSocket what a stream needs. */
export interface StreamSocket {
  readonly bufferedAmount: number;
  send(data: Buffer, options: { binary: boolean }, sent?: (error?: Error | null) => void): void;
  close(code: number, reason: string): void;
  terminate(): void;
}

export interface StreamOptions {
  readonly log: EventLog;
  /** Above it the client is too slow. */
  readonly bufferedBytesMax: number;
  readonly onCutOff: (bufferedBytes: number) => void;
}

/** Of what is replayed this much is on its way at once. */
const REPLAY_BYTES = 64 * 1024;

const TEXT = { binary: false };

export function createStream({ log, bufferedBytesMax, onCutOff }: StreamOptions): Stream {
  const replayBytesMax = Math.min(REPLAY_BYTES, bufferedBytesMax);
  let socket: StreamSocket | undefined;
  let place = log.length;
  let caughtUp = false;
  let ending: { readonly code: number; readonly reason: string } | undefined;

  /** @returns whether the client is still there */
  const sendNow = (to: StreamSocket, frame: Buffer): boolean => {
    if (to.bufferedAmount > bufferedBytesMax) {
      socket = undefined;
      onCutOff(to.bufferedAmount);
      // Not a close frame: it would wait at the end of the very queue that nobody reads.
      to.terminate();
      return false;
    }
    to.send(frame, TEXT);
    return true;
  };

  /** Goes on whenever something has left, until nothing is left. */
  const replay = (to: StreamSocket): void => {
    while (place < log.length && to.bufferedAmount <= replayBytesMax) {
      to.send(log.at(place++), TEXT, (error) => {
        if (!caughtUp && !error && socket === to) replay(to);
      });
    }
    if (place < log.length) return;
    caughtUp = true;
  };

  const advance = (): void => {
    if (socket === undefined) return;
    if (!caughtUp) return replay(socket);
    while (place < log.length) if (!sendNow(socket, log.at(place++))) return;
  };

  return {
    start(from) {
      place = from;
    },
    attach(to) {
      if (ending !== undefined) return to.close(ending.code, ending.reason);
      socket = to;
      advance();
    },
    advance,
    sendLive(frame) {
      if (socket !== undefined && caughtUp) sendNow(socket, frame);
    },
    end(code, reason) {
      ending = { code, reason };
      socket?.close(code, reason);
      socket = undefined;
    },
  };
}
