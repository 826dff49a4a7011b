import { z } from 'zod';
import { text } from './fields.ts';

/** TLS of what listens and of what connects. All but the passphrase are paths of PEM files. */

const path = text('must be the path of a PEM file').optional();

const keyPair = {
  /** With those between it and the CA's, if there are any. */
  cert: path,
  key: path,
  key_passphrase: text('must be the passphrase of the private key').optional(),
};

interface KeyPair {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly key_passphrase?: string | undefined;
}

function checkPair({ cert, key, key_passphrase }: KeyPair, context: z.core.$RefinementCtx): void {
  const missing = (name: string, other: string): void => {
    context.addIssue({ code: 'custom', path: [name], message: `is missing, and goes with ${other}` });
  };
  if (cert === undefined && key !== undefined) missing('cert', 'key');
  if (key === undefined && cert !== undefined) missing('key', 'cert');
  if (key === undefined && cert === undefined && key_passphrase !== undefined)
    missing('key', 'key_passphrase');
}

/** Of a listener: plain without. With `client_ca`, clients must show a certificate of that CA. */
export const serverTls = z
  .strictObject({ ...keyPair, client_ca: path })
  .superRefine((tls, context) => {
    checkPair(tls, context);
    if (tls.client_ca === undefined || tls.cert !== undefined || tls.key !== undefined) return;
    context.addIssue({ code: 'custom', path: ['cert'], message: 'is missing, and goes with client_ca' });
  })
  .prefault({});

/** Towards a server: the CAs in place of those that Node trusts, and a certificate for who wants one. */
export const clientTls = z
  .strictObject({ ca: path, ...keyPair })
  .superRefine(checkPair)
  .prefault({});

export type ServerTlsFiles = z.output<typeof serverTls>;
export type ClientTlsFiles = z.output<typeof clientTls>;
