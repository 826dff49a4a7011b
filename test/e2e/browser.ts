import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { PATIENCE } from '../helpers/patience.ts';

/** A real Chromium, and pages that note whatever should not happen in them. */

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export async function startBrowser(): Promise<Browser> {
  const place = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, 'chromium'))
    .find((path) => existsSync(path));
  if (place === undefined) throw new Error('there is no chromium on the PATH; test/parts.sh installs it');
  return chromium.launch({ executablePath: place, args: ARGUMENTS, timeout: PATIENCE.timeout });
}

export interface ViewOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: 'light' | 'dark';
}

/** What the browser itself says of a connection that is refused or broken, which is what some tests are about. */
const BROKEN_CONNECTION = /WebSocket connection to .* failed|Failed to load resource/;

export class View implements AsyncDisposable {
  readonly page: Page;
  readonly origin: string;
  /** Violations of the policy, errors of scripts and of the console, and requests to other origins. */
  readonly troubles: string[] = [];

  private constructor(page: Page, origin: string) {
    this.page = page;
    this.origin = origin;
    page.on('pageerror', (error) => this.troubles.push(String(error)));
    page.on('console', (message) => {
      const text = message.text();
      if (message.type() === 'error' && !BROKEN_CONNECTION.test(text)) this.troubles.push(text);
    });
    page.on('request', (request) => this.#look(request.url()));
    page.on('websocket', (socket) => this.#look(socket.url()));
  }

  static async open(browser: Browser, origin: string, options: ViewOptions = {}): Promise<View> {
    const { width = 1280, height = 900, colorScheme = 'light' } = options;
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme,
      reducedMotion: 'reduce',
    });
    context.setDefaultTimeout(PATIENCE.timeout);
    await context.addInitScript(
      `document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
         console.error('the policy forbids ' + violatedDirective + ' ' + blockedURI));`,
    );
    return new View(await context.newPage(), origin);
  }

  /** By the link that `npm start` prints. */
  async signIn(token: string): Promise<void> {
    await this.page.goto(`${this.origin}/#token=${token}`);
    await this.heading('Deployments');
  }

  /** Where the page is, without loading it anew. */
  async go(hash: string): Promise<void> {
    await this.page.goto(`${this.origin}/${hash}`);
  }

  async heading(name: string | RegExp): Promise<void> {
    await this.page.getByRole('heading', { level: 1, name }).waitFor();
  }

  /** How far it is wider than what one sees. */
  async overflow(): Promise<number> {
    return this.page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }

  #look(url: string): void {
    const { protocol, host } = new URL(url);
    const isOurs = host === new URL(this.origin).host && /^(?:http|ws):$/.test(protocol);
    if (!isOurs && protocol !== 'data:') this.troubles.push(`a request to ${url}`);
  }
}
