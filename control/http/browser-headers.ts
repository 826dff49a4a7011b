import { createMiddleware } from 'hono/factory';
import { secureHeaders } from 'hono/secure-headers';

/**
 * What browsers are told about every answer: that it is what its type says, is shown in nobody's frame, and may load and
 * run nothing. A page of ours says by `pageHeaders` what it needs beyond that.
 */
export const browserHeaders = secureHeaders({
  // Of what a page has said itself.
  overwrite: false,
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  xFrameOptions: 'DENY',
  referrerPolicy: 'no-referrer',
  // It would hold for every port of the host, also for those that know no TLS. Whoever owns the host may say it.
  strictTransportSecurity: false,
  // Of browsers that are gone, or of things that are not served here.
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
  xDnsPrefetchControl: false,
});

/** State is of the moment and of whoever may see it: no cache keeps it. */
export const notStored = createMiddleware(async (c, next) => {
  c.header('Cache-Control', 'no-store');
  await next();
});

/** Scripts, styles, pictures and calls of this server only, and nothing inline. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Of a page of ours, and all that it loads. */
export function pageHeaders(type: string, cache: string): Record<string, string> {
  return { 'Content-Type': type, 'Content-Security-Policy': PAGE_POLICY, 'Cache-Control': cache };
}
