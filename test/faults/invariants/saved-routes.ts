import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProxyMember } from '../member.ts';

/** The last good routes on each proxy's disk are, in the end, those that it routes by, also after the disk was full. */
export async function areSaved(proxies: readonly ProxyMember[]): Promise<boolean> {
  for (const { process } of proxies) {
    const { epoch, revision } = await process.face.routes();
    const text = await readFile(join(process.dataDir, 'routes.json'), 'utf8').catch(() => '{}');
    const { snapshot } = JSON.parse(text) as { snapshot?: { epoch: string; revision: number } };
    if (snapshot?.epoch !== epoch || snapshot.revision !== revision) return false;
  }
  return true;
}
