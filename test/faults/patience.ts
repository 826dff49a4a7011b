import { setTimeout as delay } from 'node:timers/promises';

/** For what must come by itself, on a machine that may have much else to do; whoever waits so long waits in vain. */
const WAIT_MS_MAX = 180_000;

/** @returns whether it has come to pass */
export async function comesToPass(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (performance.now() < deadline) {
    if (await Promise.resolve(condition()).catch(() => false)) return true;
    await delay(200);
  }
  return false;
}

export async function mustComeToPass(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  if (!(await comesToPass(condition))) throw new Error(`${what}: not in ${WAIT_MS_MAX} ms`);
}
