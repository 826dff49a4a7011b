import type { FileWatch } from '../file-watch.ts';
import type { CertificateDates } from './certificate-dates.ts';

/** Who looks after the files of certificates, and of tokens, once they are read. Each may be left out. */
export interface FileKeeping {
  /** Left out: what they hold stays as it is at the start. */
  readonly watch?: FileWatch;
  /** Left out: nobody is warned. */
  readonly certificates?: CertificateDates;
}
