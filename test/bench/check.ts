import { request } from 'undici';
import { BARE, type Contender, type Started } from './contenders.ts';

/** Correctness first: a fast wrong answer is no result. */

const KEYS = 1000;
const AT_ONCE = 20;
const BODY = 'x'.repeat(500);

/** @throws what is wrong with it */
export async function check(contender: Contender, { url, adminUrl }: Started): Promise<void> {
  const { name, splits } = contender;
  const keys = Array.from({ length: KEYS }, (_, i) => `customer-${i}`);
  const lanes = await lanesOf(contender, url, keys);
  const again = await lanesOf(contender, url, keys);
  if (!splits) return;
  const moved = keys.find((_, i) => lanes[i] !== again[i]);
  if (moved !== undefined) throw new Error(`${name} moved ${moved} from one lane to the other`);
  const share = lanes.filter((lane) => lane === 'canary').length / KEYS;
  if (share < 0.06 || share > 0.14) throw new Error(`${name} sent ${100 * share} % to the canary, not 10 %`);
  if (adminUrl !== undefined) await checkCounted(name, adminUrl, 2 * KEYS);
}

/** The lanes that jobs of these keys arrive in. */
async function lanesOf(
  contender: Contender,
  url: string,
  keys: readonly string[],
): Promise<readonly string[]> {
  const lanes: string[] = [];
  for (let i = 0; i < keys.length; i += AT_ONCE) {
    const some = keys.slice(i, i + AT_ONCE);
    lanes.push(...(await Promise.all(some.map((key) => laneOf(contender, url, key)))));
  }
  return lanes;
}

async function laneOf({ name }: Contender, url: string, key: string): Promise<string> {
  const answer = await request(`${url}/dispatch/jobs/check`, {
    method: 'POST',
    headers: { 'x-canary-sticky-key': key },
    body: BODY,
  });
  const text = await answer.body.text();
  const [lane, method, length, arrived] = text.split(' ');
  const isWhole = method === 'POST' && Number(length) === BODY.length;
  // The bare one passes no headers on.
  if (answer.statusCode !== 200 || !isWhole || (arrived !== key && name !== BARE))
    throw new Error(`${name} answered ${answer.statusCode} ${JSON.stringify(text)} to a job of ${key}`);
  return lane!;
}

/** All jobs are in its metrics. */
async function checkCounted(name: string, adminUrl: string, jobs: number): Promise<void> {
  const metrics = await (await request(`${adminUrl}/metrics`)).body.text();
  let counted = 0;
  for (const [, value] of metrics.matchAll(/^canary_jobs_total\{[^}]*outcome="success"[^}]*\} (\d+)$/gm))
    counted += Number(value);
  if (counted !== jobs) throw new Error(`${name} counted ${counted} of ${jobs} jobs`);
}
