import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useCertificates } from '../helpers/certificates.ts';
import { RawClient, RawWorker } from '../helpers/raw-http.ts';
import { Rig } from '../helpers/rig.ts';

/**
 * Request smuggling is two parsers that disagree on where a request ends. So whatever is written to the proxy, a worker
 * gets one request that everybody reads alike, or none, and then the connection is closed.
 */

let rig: Rig;
let worker: RawWorker;

beforeAll(async () => {
  rig = await Rig.start();
  worker = await RawWorker.start();
  await rig.register({ url: worker.url });
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await worker[Symbol.asyncDispose]();
});

const POST = 'POST /dispatch/jobs HTTP/1.1\r\nHost: a\r\n';
const GET = 'GET /dispatch/jobs HTTP/1.1\r\nHost: a\r\n';
const SMUGGLED = 'GET /dispatch/jobs/smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;

/** A name, and what is written. */
type Attack = readonly [name: string, bytes: string];

const REFUSED: readonly Attack[] = [
  // Two lengths
  ['CL.TE', `${POST}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`],
  ['TE.CL', `${POST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n${SMUGGLED}\r\n0\r\n\r\n`],
  ['CL 0 with TE', `${POST}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`],
  ['two Content-Lengths that differ', `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`],
  ['two equal Content-Lengths', `${POST}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`],
  ['a list of equal Content-Lengths', `${POST}Content-Length: 5, 5\r\n\r\nhello`],
  ['a list of Content-Lengths that differ', `${POST}Content-Length: 5, 6\r\n\r\nhello`],
  [
    'two Transfer-Encodings, chunked twice',
    `${CHUNKED.slice(0, -2)}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    'two Transfer-Encodings, identity last',
    `${CHUNKED.slice(0, -2)}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
  ],
  // Bad lengths
  ['Content-Length with a plus sign', `${POST}Content-Length: +5\r\n\r\nhello`],
  ['a negative Content-Length', `${POST}Content-Length: -5\r\n\r\nhello`],
  ['a hexadecimal Content-Length', `${POST}Content-Length: 0x5\r\n\r\nhello`],
  ['a Content-Length with a fraction', `${POST}Content-Length: 5.0\r\n\r\nhello`],
  ['a Content-Length with a space inside', `${POST}Content-Length: 1 1\r\n\r\nhello world`],
  ['an empty Content-Length', `${POST}Content-Length: \r\n\r\nhello`],
  ['a Content-Length beyond 64 bits', `${POST}Content-Length: 18446744073709551621\r\n\r\nhello`],
  ['a Content-Length with an underscore in the number', `${POST}Content-Length: 1_0\r\n\r\n0123456789`],
  // TE.TE: one that only some understand
  ['Transfer-Encoding: xchunked', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding: identity', `${POST}Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello`],
  ['Transfer-Encoding: identity alone', `${POST}Transfer-Encoding: identity\r\n\r\nhello`],
  ['Transfer-Encoding: chunked, identity', `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding: gzip, chunked', `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding: chunked, chunked', `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding: "chunked"', `${POST}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding: chunked;q=1', `${POST}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n`],
  ['an empty Transfer-Encoding', `${POST}Transfer-Encoding: \r\nContent-Length: 5\r\n\r\nhello`],
  ['Transfer-Encoding with a vertical tab', `${POST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding with a NUL', `${POST}Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n`],
  [
    'Transfer-Encoding in HTTP/1.0',
    `POST /dispatch/jobs HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ['a space before the colon', `${POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
  ['a tab before the colon', `${POST}Content-Length\t: 5\r\n\r\nhello`],
  ['a header that begins with a space', `${POST} Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['obs-fold', `${POST}X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['obs-fold of Transfer-Encoding', `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`],
  ['a Transfer-Encoding hidden behind a bare CR', `${POST}X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['a Transfer-Encoding behind a bare LF', `${POST}X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  // Chunks
  ['a chunk size with a sign', `${CHUNKED}+5\r\nhello\r\n0\r\n\r\n`],
  ['a negative chunk size', `${CHUNKED}-5\r\nhello\r\n0\r\n\r\n`],
  ['a chunk size with 0x', `${CHUNKED}0x5\r\nhello\r\n0\r\n\r\n`],
  ['a chunk size beyond 64 bits', `${CHUNKED}10000000000000005\r\nhello\r\n0\r\n\r\n`],
  ['a chunk size with a space before', `${CHUNKED} 5\r\nhello\r\n0\r\n\r\n`],
  ['a chunk size with a space after', `${CHUNKED}5 \r\nhello\r\n0\r\n\r\n`],
  ['no chunk size', `${CHUNKED}\r\nhello\r\n0\r\n\r\n`],
  ['a chunk size that is no number', `${CHUNKED}five\r\nhello\r\n0\r\n\r\n`],
  ['a chunk longer than its size', `${CHUNKED}3\r\nhello\r\n0\r\n\r\n`],
  ['a chunk size that ends with a bare LF', `${CHUNKED}5\nhello\r\n0\r\n\r\n`],
  ['a chunk that ends with a bare LF', `${CHUNKED}5\r\nhello\n0\r\n\r\n`],
  ['a last chunk that ends with a bare LF', `${CHUNKED}5\r\nhello\r\n0\n\n`],
  ['a bare LF in a chunk extension', `${CHUNKED}5;a\nb\r\nhello\r\n0\r\n\r\n`],
  ['a bare CR in a chunk extension', `${CHUNKED}5;a\rb\r\nhello\r\n0\r\n\r\n`],
  ['a NUL in a chunk size', `${CHUNKED}5\0\r\nhello\r\n0\r\n\r\n`],
  // Lines
  ['bare LFs', 'POST /dispatch/jobs HTTP/1.1\nHost: a\nContent-Length: 0\n\n'],
  ['a head that ends with a bare LF', `${GET}X: y\r\n\n`],
  ['bare CRs', 'GET /dispatch/jobs HTTP/1.1\rHost: a\r\r'],
  ['a bare CR in a value', `${GET}X: a\rb\r\n\r\n`],
  ['a NUL in a value', `${GET}X: a\0b\r\n\r\n`],
  ['a NUL in a name', `${GET}X\0Y: a\r\n\r\n`],
  ['a control character in a value', `${GET}X: a\x01b\r\n\r\n`],
  ['a DEL in a value', `${GET}X: a\x7fb\r\n\r\n`],
  ['an empty name', `${GET}: a\r\n\r\n`],
  ['a name with a space', `${GET}X Y: a\r\n\r\n`],
  ['a name with a colon for its first character', `${GET}:X: a\r\n\r\n`],
  ['a name with a bracket', `${GET}X[0]: a\r\n\r\n`],
  ['a name outside of ASCII', `${GET}X\xe9: a\r\n\r\n`],
  ['a line without a colon', `${GET}nonsense\r\n\r\n`],
  // Hosts
  ['no Host', 'GET /dispatch/jobs HTTP/1.1\r\n\r\n'],
  ['two Hosts', `${GET}Host: b\r\n\r\n`],
  ['two equal Hosts', `${GET}Host: a\r\n\r\n`],
  ['a Host with a space', 'GET /dispatch/jobs HTTP/1.1\r\nHost: a b\r\n\r\n'],
  ['a Host with a path', 'GET /dispatch/jobs HTTP/1.1\r\nHost: a/b\r\n\r\n'],
  ['a Host with credentials', 'GET /dispatch/jobs HTTP/1.1\r\nHost: u@a\r\n\r\n'],
  ['a Host with a bad port', 'GET /dispatch/jobs HTTP/1.1\r\nHost: a:b\r\n\r\n'],
  ['a list of Hosts', 'GET /dispatch/jobs HTTP/1.1\r\nHost: a, b\r\n\r\n'],
  // Targets
  ['an authority for a target', 'GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['CONNECT', 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n'],
  ['CONNECT of a path', 'CONNECT /dispatch/jobs HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an asterisk', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['another host in an absolute target', 'GET http://b/dispatch/jobs HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an absolute target with credentials', 'GET http://u:p@a/dispatch/jobs HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an absolute target that is not HTTP', 'GET ftp://a/dispatch/jobs HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an absolute target of the queue only', 'GET dispatch/jobs HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['two slashes in front', 'GET //dispatch/jobs HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a fragment', 'GET /dispatch/jobs#x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a target outside of ASCII', 'GET /dispatch/jobs/\xe9 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a NUL in a target', 'GET /dispatch/jobs/a\0b HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a tab in a target', 'GET /dispatch/jobs/a\tb HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a space in a target', 'GET /dispatch/jobs/a b HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a line break in a queue, encoded', 'GET /dispatch/jobs%0d%0aX:y HTTP/1.1\r\nHost: a\r\n\r\n'],
  // Request lines
  ['HTTP/0.9', 'GET /dispatch/jobs\r\n\r\n'],
  ['HTTP/1.2', 'GET /dispatch/jobs HTTP/1.2\r\nHost: a\r\n\r\n'],
  ['HTTP/2.0', 'GET /dispatch/jobs HTTP/2.0\r\nHost: a\r\n\r\n'],
  ["HTTP/2's preface", 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['another protocol', 'GET /dispatch/jobs ICE/1.0\r\nHost: a\r\n\r\n'],
  ['a version in lower case', 'GET /dispatch/jobs http/1.1\r\nHost: a\r\n\r\n'],
  ['no version', 'GET /dispatch/jobs HTTP\r\nHost: a\r\n\r\n'],
  ['a tab in the request line', 'GET\t/dispatch/jobs HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['more after the version', 'GET /dispatch/jobs HTTP/1.1 x\r\nHost: a\r\n\r\n'],
  ['a method in lower case', 'get /dispatch/jobs HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a method that nobody knows', 'FROB /dispatch/jobs HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a space in front', ' GET /dispatch/jobs HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an answer', 'HTTP/1.1 200 OK\r\n\r\n'],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
];

const FORWARDED: readonly (readonly [...Attack, body: string, target?: string])[] = [
  ['a chunked body', `${CHUNKED}5\r\nhello\r\n0\r\n\r\n`, 'hello'],
  ['chunked in capitals', `${POST}Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, 'hello'],
  ['chunk extensions', `${CHUNKED}5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n`, 'hello'],
  ['chunk sizes with leading zeros', `${CHUNKED}0005\r\nhello\r\n000\r\n\r\n`, 'hello'],
  ['chunk sizes in capitals', `${CHUNKED}A\r\n0123456789\r\n0\r\n\r\n`, '0123456789'],
  ['a request in the body', `${POST}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`, SMUGGLED],
  ['a request in a chunk', `${CHUNKED}${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`, SMUGGLED],
  ['a chunk end in a body', `${POST}Content-Length: 5\r\n\r\n0\r\n\r\n`, '0\r\n\r\n'],
  ['a Content-Length with leading zeros', `${POST}Content-Length: 005\r\n\r\nhello`, 'hello'],
  ['a Content-Length with spaces around', `${POST}Content-Length:   5 \t\r\n\r\nhello`, 'hello'],
  ['a GET with a body', `${GET}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`, SMUGGLED],
  [
    'a Content-Length that Connection names',
    `${POST}Connection: Content-Length\r\nContent-Length: 5\r\n\r\nhello`,
    'hello',
  ],
  [
    'a Transfer-Encoding that Connection names',
    `${POST}Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    '',
  ],
  ['a Host that Connection names', `${GET}Connection: host\r\n\r\n`, ''],
  [
    'a length with an underscore in its name',
    `${POST}Content_Length: 9\r\nContent-Length: 5\r\n\r\nhello`,
    'hello',
  ],
  [
    'a coding with an underscore in its name',
    `${POST}Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello`,
    'hello',
  ],
  ['HTTP/1.0', 'POST /dispatch/jobs HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
  ['empty lines in front', `\r\n\r\n${POST}Content-Length: 5\r\n\r\nhello`, 'hello'],
  ['two spaces in the request line', 'GET  /dispatch/jobs HTTP/1.1\r\nHost: a\r\n\r\n', ''],
  ['an empty Host', 'GET /dispatch/jobs HTTP/1.1\r\nHost: \r\n\r\n', ''],
  ['a Host that is an IPv6 address', 'GET /dispatch/jobs HTTP/1.1\r\nHost: [::1]:80\r\n\r\n', ''],
  ['an absolute target', 'GET http://a/dispatch/jobs/x?y HTTP/1.1\r\nHost: a\r\n\r\n', '', '/x?y'],
  ['an encoded line break', 'GET /dispatch/jobs/%0d%0aX:y HTTP/1.1\r\nHost: a\r\n\r\n', '', '/%0d%0aX:y'],
  ['dots in the path', 'GET /dispatch/jobs/../../x HTTP/1.1\r\nHost: a\r\n\r\n', '', '/../../x'],
  ['Expect that nobody knows', `${POST}Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello`, 'hello'],
  [
    'h2c',
    `${GET}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
    '',
  ],
  [
    'an Upgrade with a body',
    `${POST}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello`,
    'hello',
  ],
];

/** @returns all that comes until the proxy closes the connection */
async function answerTo(bytes: string, url: string, ca?: string): Promise<string> {
  await using client = await RawClient.connect(url, ca);
  client.write(bytes);
  return await client.until('closed');
}

describe('refused with 400, and the connection closed, is', () => {
  /** By name. All at once: for the ends of some, which never come, the proxy waits five seconds before it closes. */
  let answers: ReadonlyMap<string, Promise<string>>;

  beforeAll(() => {
    answers = new Map(REFUSED.map(([name, bytes]) => [name, answerTo(bytes, rig.dispatchUrl)]));
    // Told by the test that it belongs to.
    for (const answer of answers.values()) answer.catch(() => {});
  });

  it.each(REFUSED)('%s', async (name) => {
    const answer = await answers.get(name)!;
    expect(answer.slice(0, 13)).toBe('HTTP/1.1 400 ');
    expect(answer).toMatch(/\r\nX-Canary-Error: INVALID_DISPATCH\r\n/);
    expect(answer).toMatch(/\r\nConnection: close\r\n/i);
    expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
  });

  it('with nothing of any of them having reached a worker as a request', () => {
    expect(answers.size).toBe(REFUSED.length);
    expect(worker.requests).toEqual([]);
  });
});

describe('forwarded as exactly one well-formed request is', () => {
  const cases = FORWARDED.map(([name, bytes, body, target = '/']) => ({ name, bytes, body, target }));
  it.each(cases)('$name', async ({ bytes, body, target }) => {
    const before = worker.requests.length;
    await using client = await RawClient.connect(rig.dispatchUrl);
    client.write(bytes);
    const answer = await client.until(/\r\n\r\nok$/);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(worker.requests.slice(before)).toMatchObject([{ target, body }]);
  });
});

describe('a header that a worker could take for another one', () => {
  it.each([
    'X_Canary_Lane',
    'X_Canary-Version',
    'X_Job_Id',
    'X_Forwarded_For',
    'Content_Length',
    'Proxy_Authorization',
  ])('such as %s is dropped', async (name) => {
    await rig.send('jobs', { headers: { [name]: '1' } });
    expect(worker.requests.at(-1)!.headers.map(([n]) => n)).not.toContain(name);
  });

  it('is only what looks like one that means something here', async () => {
    await rig.send('jobs', { headers: { my_header: '1' } });
    expect(worker.requests.at(-1)!.headers).toContainEqual(['my_header', '1']);
  });
});

describe('over TLS', () => {
  const at = useCertificates();
  let ca: string;
  let secure: Rig;
  let own: RawWorker;

  beforeAll(async () => {
    ca = await readFile(at('ca.pem'), 'utf8');
    secure = await Rig.start({
      settings: { LANEWISE_PROXY_TLS_CERT: at('control.pem'), LANEWISE_PROXY_TLS_KEY: at('control.key') },
    });
    own = await RawWorker.start();
    await secure.register({ url: own.url });
  });
  afterAll(async () => {
    await secure[Symbol.asyncDispose]();
    await own[Symbol.asyncDispose]();
  });

  it('the same is refused, and reaches no worker', async () => {
    const answers = REFUSED.map(async ([name, bytes]) => [
      name,
      (await answerTo(bytes, secure.dispatchUrl, ca)).slice(0, 13),
    ]);
    expect(await Promise.all(answers)).toEqual(REFUSED.map(([name]) => [name, 'HTTP/1.1 400 ']));
    expect(own.requests).toEqual([]);
  });

  it('the same is forwarded', async () => {
    for (const [name, bytes, body, target = '/'] of FORWARDED) {
      const before = own.requests.length;
      await using client = await RawClient.connect(secure.dispatchUrl, ca);
      client.write(bytes);
      expect([name, (await client.until(/\r\n\r\nok$/)).slice(0, 15)]).toEqual([name, 'HTTP/1.1 200 OK']);
      expect(own.requests.slice(before)).toMatchObject([{ target, body }]);
    }
  });
});
