import type { IncomingHttpHeaders } from 'node:http';
import { readPage, sectionOf } from '../../docs/pages.ts';

/** The code by which docs/webhooks.md lets a receiver check a delivery, as it stands there. */
export interface DocumentedCheck {
  isGenuine(headers: IncomingHttpHeaders, body: string, secret: string, now?: number): boolean;
}

export async function documentedCheck(): Promise<DocumentedCheck> {
  const section = sectionOf(readPage('docs/webhooks.md'), '## Checking the signature');
  const [, code] = /```js\n(.*?)```/s.exec(section)!;
  return (await import(
    /* @vite-ignore */ `data:text/javascript,${encodeURIComponent(code!)}`
  )) as DocumentedCheck;
}
