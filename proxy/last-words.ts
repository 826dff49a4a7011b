import type { Socket } from 'node:net';

/** How long an answer that was sent before the connection broke is looked for. */
const LAST_WORDS_MS = 100;

const patient = new WeakSet<Socket>();

/**
 * Node ends a socket as soon as a write to it fails, with what has been received and not been read yet: the answer of
 * a worker that gave it and closed, without reading the rest of the body. So what a write failed with is told late.
 */
export function hearOut(socket: Socket): void {
  if (patient.has(socket)) return;
  patient.add(socket);
  /* oxlint-disable no-underscore-dangle -- what streams call; there is no other place between them and the writing */
  const write = socket._write.bind(socket);
  socket._write = (chunk, encoding, done) => write(chunk, encoding, late(done));
  const writev = socket._writev?.bind(socket);
  if (writev !== undefined) socket._writev = (chunks, done) => writev(chunks, late(done));
  /* oxlint-enable no-underscore-dangle */
}

type Done = (error?: Error | null) => void;

function late(done: Done): Done {
  return (error) => {
    if (error === null || error === undefined) done();
    else setTimeout(done, LAST_WORDS_MS, error);
  };
}
