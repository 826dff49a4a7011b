import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { LanewiseError } from '../../src/core/errors.ts';
import type { ControlEnv } from '../env.ts';
import { JsonProblem, parseJson } from './json.ts';
import { quote, requestError } from './problems.ts';

/** The largest documented body is a few KiB, with 16 KiB of metadata. */
const BODY_BYTES_MAX = 1024 * 1024;

const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?;?$/i;

/**
 * Reads a request's body as strict JSON before its schema sees it, so that each thing wrong with it (type, size,
 * encoding, syntax) has its own answer. An empty body is no body, whatever type it claims.
 */
export const jsonBody = createMiddleware<ControlEnv>(async (c, next) => {
  const { headers } = c.req.raw;
  const bytes = await bodyBytes(c);
  if (bytes.length === 0) {
    headers.delete('content-type');
    keepText(c, '');
    return next();
  }
  const type = headers.get('content-type');
  if (type === null || !JSON_TYPE.test(type.trim())) {
    throw requestError({
      'content-type': `must be application/json, got ${type === null ? 'none' : quote(type)}`,
    });
  }
  const text = decodeUtf8(bytes);
  try {
    parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    throw requestError({ [error.field ?? 'body']: error.message });
  }
  // The validators that come after it parse this very text.
  headers.set('content-type', 'application/json');
  keepText(c, text);
  return next();
});

/** The framework keeps a body that was read once; its types say string, its code awaits a promise. */
function keepText(c: Context, text: string): void {
  (c.req.bodyCache as { text?: unknown }).text = Promise.resolve(text);
}

/** The body as it came, read once, whoever asks first. @throws PAYLOAD_TOO_LARGE */
export async function bodyBytes(c: Context<ControlEnv>): Promise<Uint8Array> {
  const bytes = c.get('bodyBytes') ?? (await readBytes(c.req.raw));
  c.set('bodyBytes', bytes);
  return bytes;
}

async function readBytes(request: Request): Promise<Uint8Array> {
  const claimed = Number(request.headers.get('content-length') ?? 0);
  if (claimed > BODY_BYTES_MAX) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop by an error cancels the stream.
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw requestError({ body: 'must be UTF-8' });
  }
}

function tooLarge(): LanewiseError {
  return new LanewiseError(
    'PAYLOAD_TOO_LARGE',
    `The request body is larger than ${BODY_BYTES_MAX} bytes (1 MiB)`,
    { details: { body: `must be at most ${BODY_BYTES_MAX} bytes` } },
  );
}
