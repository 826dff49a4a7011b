import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, release, totalmem } from 'node:os';

/** What a run was measured on: figures of two machines can't be compared. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly nginx: string;
  readonly haproxy: string;
}

export function describeMachine(): Machine {
  return {
    cpu: /^model name\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.versions.node,
    nginx: versionOf('nginx -v 2>&1'),
    haproxy: versionOf('haproxy -v'),
  };
}

function versionOf(command: string): string {
  try {
    const said = execFileSync('sh', ['-c', command], { encoding: 'utf8' });
    return /\d+\.\d+\.\d+/.exec(said)?.[0] ?? 'unknown';
  } catch {
    return 'missing';
  }
}
