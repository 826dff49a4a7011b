import { OperatorError } from '../../src/runtime/operator-error.ts';
import type { Logger } from '../../src/runtime/log.ts';
import {
  addressesOf,
  bareHost,
  type AddressAllow,
  type ResolveHost,
} from '../../src/runtime/addresses/address-allow.ts';
import type { Webhook } from './webhook.ts';

/**
 * Whether every webhook leads to an allowed address, asked before anything starts. Each delivery asks again; this is for
 * the operator who would otherwise find out at the first rollback. A name that can't be resolved right now is no reason
 * not to start: the control plane must come up while others are down.
 * @throws OperatorError naming every webhook that leads elsewhere
 */
export async function checkReceivers(
  webhooks: readonly Pick<Webhook, 'name' | 'url'>[],
  allow: AddressAllow,
  resolve: ResolveHost,
  log: Logger,
): Promise<void> {
  const found = await Promise.all(
    webhooks.map(async ({ name, url }) => ({
      name,
      addresses: await addressesOf(bareHost(url.hostname), resolve),
    })),
  );
  const problems = found.flatMap(({ name, addresses }) => {
    if (addresses.length === 0) {
      log.warn(
        { webhook: name },
        'the host of a webhook cannot be resolved; its deliveries will be tried again',
      );
    }
    const problem = addresses.map((address) => allow.problemOf(address)).find((p) => p !== undefined);
    return problem === undefined ? [] : [`webhooks.${name}.url: ${problem}`];
  });
  if (problems.length > 0) throw new OperatorError(problems.join('\n  '));
}
