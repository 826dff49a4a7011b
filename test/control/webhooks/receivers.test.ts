import { describe, expect, test } from 'vitest';
import { URL_ALLOW_DEFAULT } from '../../../config/schema.ts';
import type { ResolveHost } from '../../../src/runtime/addresses/address-allow.ts';
import { openWebhooks } from '../../../control/webhooks/open.ts';
import { createLog } from '../../../src/runtime/log.ts';
import { OperatorError } from '../../../src/runtime/operator-error.ts';
import { SECRET } from './receiver.ts';

const NAMES: Readonly<Record<string, readonly string[]>> = {
  'hooks.internal': ['10.1.2.3', 'fd12::7'],
  'hooks.example': ['10.1.2.3', '93.184.216.34'],
};

const resolve: ResolveHost = async (host) => {
  const addresses = NAMES[host];
  if (addresses === undefined) throw new Error(`ENOTFOUND ${host}`);
  return addresses;
};

function open(
  urls: Readonly<Record<string, string>>,
  allow: string[] = URL_ALLOW_DEFAULT,
  lines: string[] = [],
) {
  const webhooks = Object.fromEntries(
    Object.entries(urls).map(([name, url]) => [
      name,
      { url, secret: [SECRET], events: ['promoted' as const] },
    ]),
  );
  const log = createLog('warn', { write: (line) => lines.push(line) });
  return openWebhooks({ webhooks, webhook_url_allow: allow }, resolve, log);
}

describe('at the start', () => {
  test('webhooks may lead to allowed addresses', async () => {
    const { webhooks } = await open({
      a: 'http://127.0.0.1:9',
      b: 'https://hooks.internal/x',
      c: 'http://[::1]',
    });
    expect(webhooks.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });

  test('every one that leads elsewhere is named, without its path', async () => {
    const opening = open({
      ops: 'https://hooks.example/t0ken',
      pager: 'http://169.254.169.254/t0ken',
      train: 'http://10.0.0.7/t0ken',
    });
    await expect(opening).rejects.toThrow(OperatorError);
    const { message } = (await opening.catch((error: unknown) => error)) as Error;
    expect(message.split('\n')).toEqual([
      `webhooks.ops.url: points to 93.184.216.34; the allowed ranges are ${URL_ALLOW_DEFAULT.join(', ')} (LANEWISE_WEBHOOK_URL_ALLOW)`,
      '  webhooks.pager.url: points to 169.254.169.254, which no webhook may have',
    ]);
  });

  test('the configuration decides what is allowed', async () => {
    await open({ ops: 'https://hooks.example' }, ['0.0.0.0/0', '::/0']);
    await expect(open({}, ['everywhere'])).rejects.toThrow(
      'LANEWISE_WEBHOOK_URL_ALLOW: "everywhere" must be an address or a range',
    );
  });

  // The control plane has to come up while others are down; each delivery asks again.
  test('a name that cannot be resolved right now is warned of', async () => {
    const lines: string[] = [];
    await open({ ops: 'https://gone.example/t0ken' }, URL_ALLOW_DEFAULT, lines);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 40, webhook: 'ops' });
    expect(lines[0]).not.toContain('t0ken');
  });
});
