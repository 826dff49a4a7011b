import type { Logger } from '../src/runtime/log.ts';

/** Says why something that is tried again and again fails: once for each reason, and when it works again. */
export class TroubleLog {
  readonly #log: Logger;
  readonly #messages: { readonly fails: string; readonly works: string };
  #reason: string | undefined;

  constructor(log: Logger, messages: { readonly fails: string; readonly works: string }) {
    this.#log = log;
    this.#messages = messages;
  }

  failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (reason === this.#reason) return;
    this.#reason = reason;
    this.#log.warn({ reason }, this.#messages.fails);
  }

  worked(): void {
    if (this.#reason === undefined) return;
    this.#reason = undefined;
    this.#log.info(this.#messages.works);
  }
}
