import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it, test } from 'node:test';
import { fetchBounded, isPublic } from '../../scripts/openapi/fetch.ts';
import { lacking } from '../../harness/registry/component.ts';
import { selfSigned } from '../../harness/registry/certificate.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { tollgate } from './fakeIo.ts';

const PRIVATE = [
  ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.1.2.3', '169.254.169.254', '172.16.0.1', '172.31.255.255'],
  ...['192.168.1.1', '198.18.0.1', '224.0.0.1', '255.255.255.255', '::', '::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8'],
  ...['64:ff9b::7f00:1', '2002:7f00:1::', 'fc00::1', 'fd12::1', 'fe80::1', 'ff02::1', '2001:db8::1'],
];
const PUBLIC = ['1.1.1.1', '8.8.8.8', '172.15.0.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111'];

test('addresses of this machine and of private networks are told from public ones', () => {
  for (const address of PRIVATE) assert.equal(isPublic(address), false, address);
  for (const address of PUBLIC) assert.equal(isPublic(address), true, address);
});

const NOT_PUBLIC = 'must be on the public internet; leads to this machine or a private network';

for (const [url, rule] of [
  ['http://example.com/x', 'must be an address of https'],
  ['file:///etc/passwd', 'must be an address of https'],
  ['https://u:p@example.com/x', 'must be an address without a password'],
  ['https://127.0.0.1/x', NOT_PUBLIC],
  ['https://2130706433/x', NOT_PUBLIC],
  ['https://0x7f.1/x', NOT_PUBLIC],
  ['https://[::1]/x', NOT_PUBLIC],
  ['https://localhost/x', NOT_PUBLIC],
] as const)
  test(`${url} is not asked`, async () => {
    assert.deepEqual(await fetchBounded(new URL(url), 1000, new AbortController().signal), { rule });
  });

test('an address as the document needs --allow-net, and is guarded with it', async () => {
  const without = await tollgate(['init', '--openapi', 'https://127.0.0.1:1/x.json']);
  assert.deepEqual(without, {
    code: 1,
    out: '',
    err: 'https://127.0.0.1:1/x.json: is on the network, which is read with --allow-net only\n',
  });
  const guarded = await tollgate(['init', '--allow-net', '--openapi', 'https://127.0.0.1:1/x.json']);
  assert.deepEqual(guarded, { code: 1, out: '', err: `https://127.0.0.1:1/x.json: ${NOT_PUBLIC}\n` });
});

const folder = scratchFolder();

describe('from a server', { skip: await lacking('openssl') }, () => {
  let server: Server;
  let base: URL;
  let ca: string;
  const asked: string[] = [];
  before(async () => {
    const { key, certificate } = await selfSigned(folder);
    ca = certificate;
    server = createServer({ key, cert: certificate }, (request, response) => {
      asked.push(request.url!);
      const [, what, rest = ''] = request.url!.split('/');
      if (what === 'to') response.writeHead(302, { location: decodeURIComponent(rest) }).end();
      else if (what === 'large') response.end(Buffer.alloc(5000));
      else if (what === 'none') response.writeHead(404).end('secret');
      else if (what === 'cut')
        response.writeHead(200, { 'content-length': '100' }).end('half', () => response.destroy());
      else if (what === 'slow') response.write('half');
      else response.end('openapi: 3.1.0');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  });
  after(() => void server.closeAllConnections());
  after(() => void server.close());

  const fetched = (path: string, signal = new AbortController().signal) =>
    fetchBounded(new URL(path, base), 1000, signal, { isAllowed: (address) => address === '127.0.0.1', ca });

  it('reads what is there, and tells where it came from', async () => {
    const found = await fetched('/x.yaml');
    assert.ok('bytes' in found, JSON.stringify(found));
    assert.equal(Buffer.from(found.bytes).toString(), 'openapi: 3.1.0');
    const led = await fetched('/to/%2Fy.yaml');
    assert.equal('url' in led && led.url.pathname, '/y.yaml');
  });

  for (const [path, rule] of [
    ['/large', 'must have at most 1000 bytes'],
    ['/none', 'is answered with status 404'],
    ['/to/http%3A%2F%2F127.0.0.1', 'must be an address of https'],
    ['/to/https%3A%2F%2F169.254.169.254', NOT_PUBLIC],
    ['/to/https%3A%2F%2F%5B%3A%3A1%5D', NOT_PUBLIC],
    ['/to/%2Fto%2F', 'must be reached with at most 5 redirects'],
  ] as const)
    it(`${path}: ${rule}`, async () => {
      assert.deepEqual(await fetched(path), { rule });
    });

  it('an answer that breaks off is none', async () => {
    const found = await fetched('/cut');
    assert.ok('rule' in found && /^cannot be reached: /.test(found.rule), JSON.stringify(found));
  });

  it('Ctrl-C ends waiting', async () => {
    const stop = new AbortController();
    const waiting = fetched('/slow', stop.signal);
    setTimeout(() => stop.abort(), 50);
    assert.ok('rule' in (await waiting));
  });
});
