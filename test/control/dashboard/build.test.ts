import { expect, test } from 'vitest';
import { DASHBOARD_DIRECTORY, readDashboard } from '../../../control/dashboard-files.ts';

/** What a build puts into `dist/dashboard`; the tests' setup has made it. */

const BYTES_MAX = 150 * 1024;

test('the dashboard is small, and loads nothing from elsewhere', async () => {
  const files = (await readDashboard(DASHBOARD_DIRECTORY))!;
  const sent = [...files.values()].reduce((sum, { bytes, gzipped }) => sum + (gzipped ?? bytes).length, 0);
  expect(sent).toBeLessThan(BYTES_MAX);

  const page = new TextDecoder().decode(files.get('/')!.bytes);
  const parts = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part]) => part!);
  expect(parts).toHaveLength(3);
  for (const part of parts) expect([...files.keys()]).toContain(part.replace(/^\./, ''));
  expect(page).not.toMatch(/<style|<script(?![^>]* src=)| style="| on\w+="/);
  const styles = [...files].find(([path]) => path.endsWith('.css'))![1];
  expect(new TextDecoder().decode(styles.bytes)).not.toMatch(/url\(|@import/);
});
