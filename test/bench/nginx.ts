import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../helpers/ports.ts';
import { Program } from './program.ts';

/** nginx as the workers, which cost little beside any proxy, and as a proxy. One process each. */

export interface Lanes {
  readonly stable: readonly string[];
  readonly canary: readonly string[];
}

const common = (dir: string): string => `
daemon off;
master_process off;
error_log ${dir}/error.log error;
pid ${dir}/pid;
worker_rlimit_nofile 65536;
events { worker_connections 16384; }
`;

const http = (dir: string): string => `
  access_log off;
  client_max_body_size 0;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
`;

async function start(dir: string, text: string, ports: readonly number[]): Promise<Program> {
  const file = join(dir, 'nginx.conf');
  await writeFile(file, text);
  const program = new Program('nginx', ['-c', file]);
  for (const port of ports) await program.listening(port);
  return program;
}

/** Two ports, so that one can tell the lanes. `…/check` answers with what arrived, everything else with `ok`. */
export async function startWorkers(
  opened: AsyncDisposableStack,
  dir: string,
): Promise<{ readonly stable: number; readonly canary: number }> {
  const stable = await freePort();
  const canary = await freePort();
  const server = (lane: string, port: number): string => `
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { return 200 "ok"; }
    location ~ /check$ { return 200 "${lane} $request_method $content_length $http_x_canary_sticky_key"; }
  }`;
  const text = `${common(dir)}http {${http(dir)}${server('stable', stable)}${server('canary', canary)}\n}\n`;
  opened.use(await start(dir, text, [stable, canary]));
  return { stable, canary };
}

/** By the same key as ours, 10 % to the canary, and consistent hashing within a lane. */
export async function startNginx(
  opened: AsyncDisposableStack,
  dir: string,
  lanes: Lanes,
): Promise<{ readonly program: Program; readonly url: string }> {
  const port = await freePort();
  const upstream = (lane: 'stable' | 'canary'): string => `
  upstream ${lane} {
    hash $http_x_canary_sticky_key consistent;
    ${lanes[lane].map((url) => `server ${new URL(url).host};`).join(' ')}
    keepalive 1024;
    keepalive_requests 1000000000;
  }`;
  const text = `${common(dir)}http {${http(dir)}
  split_clients "$http_x_canary_sticky_key" $lane { 10% canary; * stable; }${upstream('stable')}${upstream('canary')}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://$lane;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`;
  const program = opened.use(await start(dir, text, [port]));
  return { program, url: `http://127.0.0.1:${port}` };
}
