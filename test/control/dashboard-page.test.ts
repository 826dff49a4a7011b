import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readDashboard } from '../../control/dashboard-files.ts';
import { openControl, temporaryDirectory } from './harness.ts';

const SCRIPT = `console.log(${JSON.stringify('lanes '.repeat(100))});`;

async function openBuilt() {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'assets'));
  await writeFile(join(directory, 'index.html'), '<!doctype html><title>Lanewise</title>');
  await writeFile(join(directory, 'favicon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  await writeFile(join(directory, 'assets/main-1a2b.js'), SCRIPT);
  await writeFile(join(directory, 'assets/main-1a2b.css'), 'body{}');
  await writeFile(join(directory, 'notes.txt'), 'not for anybody');
  return openControl({ dashboard: await readDashboard(directory) });
}

describe('the dashboard', () => {
  test.each([
    ['/', 'text/html; charset=utf-8', 'no-cache'],
    ['/favicon.svg', 'image/svg+xml', 'no-cache'],
    ['/assets/main-1a2b.js', 'text/javascript; charset=utf-8', 'public, max-age=31536000, immutable'],
    ['/assets/main-1a2b.css', 'text/css; charset=utf-8', 'public, max-age=31536000, immutable'],
  ])('%s is %s, and kept %s', async (path, type, cache) => {
    const control = await openBuilt();
    const { status, headers } = await control.fetch(path);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe(type);
    expect(headers.get('cache-control')).toBe(cache);
  });

  test('nothing inline runs, nothing goes elsewhere, nobody frames it', async () => {
    const { headers } = await (await openBuilt()).fetch('/');
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });

  test('who has it already is told so', async () => {
    const control = await openBuilt();
    const etag = (await control.fetch('/')).headers.get('etag')!;
    const again = await control.fetch('/', { headers: { 'if-none-match': `"other", W/${etag}` } });
    expect([again.status, again.body, again.headers.get('etag')]).toEqual([304, '', etag]);
    const changed = await control.fetch('/', { headers: { 'if-none-match': '"other"' } });
    expect(changed.status).toBe(200);
  });

  test('goes compressed to who can read that', async () => {
    const control = await openBuilt();
    const get = (encoding: string) =>
      control.app.request('/assets/main-1a2b.js', { headers: { 'accept-encoding': encoding } });
    const packed = await get('br, gzip');
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    expect(gunzipSync(await packed.arrayBuffer()).toString()).toBe(SCRIPT);
    const plain = await get('gzip;q=0, identity');
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(await plain.text()).toBe(SCRIPT);
    expect(plain.headers.get('vary')).toContain('Accept-Encoding');
  });

  test.each(['/index.html', '/notes.txt', '/assets/', '/assets/..%2fnotes.txt', '/assets/main-0000.js'])(
    'nothing else of its directory is served: %s',
    async (path) => {
      expect((await (await openBuilt()).fetch(path)).status).toBe(404);
    },
  );

  test('where it has not been built, the control plane says how to', async () => {
    expect(await readDashboard(join(await temporaryDirectory(), 'nowhere'))).toBeUndefined();
    const control = await openControl();
    const answer = await control.app.request('/');
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(await answer.text()).toContain('npm run build:dashboard');
    expect((await control.call('GET', '/deployments')).status).toBe(200);
  });
});
