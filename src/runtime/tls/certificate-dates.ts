import type { Registry } from 'prom-client';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../log.ts';
import { computedGauge } from '../metrics/computed.ts';
import { certificatesIn, type PemSettings, type TlsMaterial } from './pem-files.ts';

/**
 * Until when the certificates of this process are good. Nothing else tells before they are not, and then every connection
 * fails at once. Certificates are verified by the clock of the machine, so that one counts here too.
 */

const DAY_MS = 24 * 3_600_000;
/** Time enough for who renews by hand. */
const WARN_BEFORE_MS = 14 * DAY_MS;

export class CertificateDates {
  readonly #log: Logger;
  readonly #clock: Pick<Clock, 'now'>;
  /** Setting → milliseconds since the epoch. */
  readonly #goodUntil = new Map<string, number>();

  constructor(log: Logger, clock: Pick<Clock, 'now'>) {
    this.#log = log;
    this.#clock = clock;
  }

  /** To be called with what has just been read, in place of what its settings had before. */
  note({ cert, ca }: TlsMaterial, settings: PemSettings): void {
    // A chain is as good as its first link to break; of several CAs, the last one still lets its own in.
    if (cert !== undefined) this.#noteOne(settings.cert, Math.min(...endsOf(cert)));
    if (ca !== undefined) this.#noteOne(settings.ca, Math.max(...endsOf(ca)));
  }

  /** For a process that runs for longer than its certificates. */
  lookAgain(): void {
    for (const [setting, goodUntil] of this.#goodUntil) this.#warn(setting, goodUntil);
  }

  addMetric(registry: Registry): void {
    computedGauge(
      registry,
      'lanewise_tls_certificate_expiry_timestamp_seconds',
      'Until when the certificates of a setting are good: of a chain the first that ends, of CAs the last.',
      () =>
        [...this.#goodUntil].map(([setting, goodUntil]) => ({
          labels: { setting },
          value: goodUntil / 1000,
        })),
    );
  }

  #noteOne(setting: string, goodUntil: number): void {
    this.#goodUntil.set(setting, goodUntil);
    this.#warn(setting, goodUntil);
  }

  #warn(setting: string, goodUntil: number): void {
    const left = goodUntil - this.#clock.now();
    if (left >= WARN_BEFORE_MS) return;
    const until = new Date(goodUntil).toISOString();
    if (left <= 0) this.#log.warn({ setting, until }, `${setting}: the certificate has expired`);
    else this.#log.warn({ setting, until }, `${setting}: the certificate expires in less than 14 days`);
  }
}

function endsOf(pem: string): readonly number[] {
  return certificatesIn(pem).map(({ validToDate }) => validToDate.getTime());
}
