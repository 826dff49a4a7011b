import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../helpers/ports.ts';
import type { Lanes } from './nginx.ts';
import { Program } from './program.ts';

/** HAProxy with one thread. By the same key as ours, 10 % to the canary, and consistent hashing within a lane. */
export async function startHaproxy(
  opened: AsyncDisposableStack,
  dir: string,
  lanes: Lanes,
): Promise<{ readonly program: Program; readonly url: string }> {
  const port = await freePort();
  const backend = (lane: 'stable' | 'canary'): string => `
backend ${lane}
  balance hdr(X-Canary-Sticky-Key)
  hash-type consistent
${lanes[lane].map((url, i) => `  server ${lane}-${i} ${new URL(url).host}`).join('\n')}
`;
  const file = join(dir, 'haproxy.cfg');
  await writeFile(
    file,
    `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  http-reuse always
  option forwardfor
frontend dispatch
  bind 127.0.0.1:${port} backlog 4096
  http-request set-var(txn.place) req.hdr(X-Canary-Sticky-Key),xxh32,mod(100)
  use_backend canary if { var(txn.place) -m int lt 10 }
  default_backend stable
${backend('stable')}${backend('canary')}`,
  );
  const program = opened.use(new Program('haproxy', ['-db', '-f', file]));
  await program.listening(port);
  return { program, url: `http://127.0.0.1:${port}` };
}
