import { buildConnector } from 'undici';
import type { AddressGuard } from './address-guard.ts';

/** How undici connects, to allowed addresses only. */
export function createCheckedConnector(
  { lookup, refusalOf }: AddressGuard,
  options: buildConnector.BuildOptions,
): buildConnector.connector {
  const connect = buildConnector({ ...options, lookup, allowH2: false });
  return (target, callback) => {
    const refused = refusalOf(target.hostname);
    if (refused === undefined) connect(target, callback);
    else callback(refused, null);
  };
}
