import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { Socket, type LookupFunction } from 'node:net';
import { test } from 'node:test';
import { OciError } from '../../scripts/oci/error.ts';
import { Reach, type ReachOptions, type Zone, zoneOf } from '../../scripts/oci/reach.ts';
import { names } from '../../harness/registry/hostile.ts';

const zones: [Zone, string[]][] = [
  [
    'public',
    [
      '8.8.8.8',
      '1.1.1.1',
      '172.15.0.1',
      '172.32.0.1',
      '100.63.0.1',
      '192.169.0.1',
      '169.253.0.1',
      '223.255.255.255',
      '2606:4700::1',
      '::ffff:8.8.8.8',
      '64:ff9b::808:808',
      '2002:808:808::1',
    ],
  ],
  [
    'private',
    [
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
      '198.18.0.5',
      'fd12::1',
      'fc00::1',
      '::ffff:10.0.0.1',
      '64:ff9b::a00:1',
      '2002:a00:1::1',
    ],
  ],
  [
    'loopback',
    ['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:0:0:1', '::127.0.0.1'],
  ],
  [
    'link-local',
    [
      '169.254.169.254',
      '169.254.0.1',
      'fe80::1',
      'fe80::1%eth0',
      'febf::1',
      '::ffff:169.254.169.254',
      '64:ff9b::a9fe:a9fe',
      '100.100.100.200',
      '168.63.129.16',
      'fd00:ec2::254',
    ],
  ],
  [
    'special',
    [
      '0.0.0.0',
      '0.1.2.3',
      '::',
      '224.0.0.1',
      '255.255.255.255',
      'ff02::1',
      '192.0.0.192',
      '203.0.113.1',
      '2001:db8::1',
      'nonsense',
      '',
    ],
  ],
];
for (const [zone, addresses] of zones) {
  for (const address of addresses)
    test(`${address === '' ? 'nothing' : address} is ${zone}`, () => assert.equal(zoneOf(address), zone));
}

/** The reach of a registry that was met at an address. */
async function reachOf(
  address: string,
  more: Partial<ReachOptions> = {},
  table: Record<string, string> = {},
): Promise<Reach> {
  const reach = new Reach('registry.example.com', {
    plainHttp: false,
    allowedHosts: [],
    resolve: names({ 'registry.example.com': address, ...table }),
    ...more,
  });
  const { lookup, met } = reach.approach(new URL('https://registry.example.com/v2/'));
  await looked(lookup, 'registry.example.com');
  met(connection(address));
  return reach;
}

/** What the connection's look-up returns: the address, or the refusal. */
async function resolved(reach: Reach, url: URL): Promise<string> {
  return looked(reach.approach(url).lookup, url.hostname);
}

function looked(lookup: LookupFunction, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    lookup(name, { all: true }, (error, found) =>
      error === null ? resolve((found as LookupAddress[])[0]?.address ?? '') : reject(error),
    );
  });
}

function connection(remoteAddress: string): Socket {
  return Object.defineProperty(new Socket(), 'remoteAddress', { value: remoteAddress });
}

async function refuses(reach: Reach, address: string, words: RegExp): Promise<void> {
  await assert.rejects(
    async () => resolved(reach, new URL(address)),
    (error) => error instanceof OciError && words.test(error.message),
    address,
  );
}

test('a public registry sends nobody to loopback, a private network or the metadata of a cloud, by number', async () => {
  const reach = await reachOf('8.8.8.8');
  for (const host of [
    '127.0.0.1',
    '[::1]',
    '10.0.0.1',
    '192.168.0.1',
    '169.254.169.254',
    '[fd00:ec2::254]',
    '[::ffff:127.0.0.1]',
    '0.0.0.0',
    '2130706433',
    '0x7f.1',
    '127.1',
  ]) {
    await refuses(
      reach,
      `https://${host}/token`,
      /^registry\.example\.com: sends to \S+, a (loopback|private|link-local|special) address, and is itself at a public one; that is refused; if it is meant, say --allow-host \S+$/,
    );
  }
});

test('nor by a name that resolves there, wholly or in part', async () => {
  const reach = await reachOf(
    '8.8.8.8',
    {},
    { 'inside.example.com': '10.1.2.3', 'metadata.example.com': '169.254.169.254', localhost: '127.0.0.1' },
  );
  await refuses(
    reach,
    'https://inside.example.com/',
    /sends to inside\.example\.com \(10\.1\.2\.3\), a private address/,
  );
  await refuses(reach, 'https://metadata.example.com/', /a link-local address/);
  await refuses(reach, 'https://localhost:8500/', /a loopback address/);
  const both = await reachOf('8.8.8.8', {
    resolve: (name) =>
      Promise.resolve([
        { address: '8.8.4.4', family: 4 },
        ...(name === 'storage.example.com' ? [{ address: '10.0.0.1', family: 4 }] : []),
      ]),
  });
  await refuses(both, 'https://storage.example.com/', /10\.0\.0\.1/);
});

test('what it may name: the public internet, and itself', async () => {
  const reach = await reachOf('8.8.8.8', {}, { 'storage.example.net': '1.2.3.4' });
  assert.equal(await resolved(reach, new URL('https://storage.example.net/x')), '1.2.3.4');
  assert.equal(await resolved(reach, new URL('https://registry.example.com/v2/x')), '8.8.8.8');
});

test('a private registry may name its own kind of address, but not loopback and not metadata', async () => {
  const reach = await reachOf('10.0.0.1', {}, { 'auth.example.com': '192.168.3.4' });
  assert.equal(await resolved(reach, new URL('https://auth.example.com/')), '192.168.3.4');
  for (const host of ['127.0.0.1', '169.254.169.254'])
    await refuses(reach, `https://${host}/`, /and is itself at a private one/);
});

test('a loopback registry may name all but metadata', async () => {
  const reach = await reachOf('127.0.0.1', {}, { 'auth.example.com': '192.168.3.4' });
  assert.equal(await resolved(reach, new URL('https://auth.example.com/')), '192.168.3.4');
  reach.approach(new URL('https://127.0.0.1:1/'));
  await refuses(reach, 'https://169.254.169.254/', /a link-local address/);
});

test('--allow-host opens one host, with or without its port', async () => {
  const table = { 'inside.example.com': '10.1.2.3', 'other.example.com': '10.1.2.4' };
  for (const [allowed, address] of [
    ['inside.example.com', 'https://inside.example.com:9/'],
    ['INSIDE.example.com:9', 'https://inside.example.com:9/'],
  ] as const) {
    const reach = await reachOf('8.8.8.8', { allowedHosts: [allowed] }, table);
    assert.equal(await resolved(reach, new URL(address)), '10.1.2.3');
    await refuses(reach, 'https://other.example.com/', /a private address/);
  }
  await refuses(
    await reachOf('8.8.8.8', { allowedHosts: ['inside.example.com:9'] }, table),
    'https://inside.example.com:10/',
    /a private address/,
  );
});

test('plain http goes to loopback only, whatever the name says, and --allow-host does not change that', async () => {
  for (const allowedHosts of [[], ['registry.localhost', '10.0.0.1', 'auth.example.com']]) {
    const reach = new Reach('registry.localhost', {
      plainHttp: false,
      allowedHosts,
      resolve: names({ 'registry.localhost': '8.8.8.8', 'auth.example.com': '1.2.3.4' }),
    });
    await refuses(
      reach,
      'http://registry.localhost/v2/',
      /sends over plain http to registry\.localhost \(8\.8\.8\.8\); plain http goes to loopback only, unless you say --plain-http$/,
    );
    await refuses(reach, 'http://auth.example.com/', /plain http/);
    await refuses(reach, 'http://10.0.0.1/', /plain http/);
  }
});

test('a registry over http whose name begins to lead somewhere nearer is not followed there', async () => {
  const table: Record<string, string> = {};
  const reach = await reachOf('8.8.8.8', {
    plainHttp: true,
    resolve: (name) => names({ 'registry.example.com': '8.8.8.8', ...table })(name),
  });
  assert.equal(await resolved(reach, new URL('http://registry.example.com/')), '8.8.8.8');
  table['registry.example.com'] = '169.254.169.254';
  await refuses(reach, 'http://registry.example.com/', /a link-local address/);
});

test('a user or password in an address that a registry names is refused, and not repeated', async () => {
  const reach = await reachOf('8.8.8.8');
  await refuses(
    reach,
    'https://root:hunter2@storage.example.net/',
    /^(?!.*hunter2).*with a user or password in the address; that is refused$/,
  );
});

test('behind a proxy, which resolves the names itself, written addresses are still judged', async () => {
  const reach = new Reach('registry.example.com', {
    plainHttp: false,
    allowedHosts: [],
    resolve: names({ 'proxy.corp': '10.9.9.9' }),
  });
  const { lookup, met } = reach.approach(new URL('https://registry.example.com/'));
  assert.equal(await looked(lookup, 'proxy.corp'), '10.9.9.9');
  met(connection('10.9.9.9'));
  for (const host of ['127.0.0.1', '169.254.169.254']) await refuses(reach, `https://${host}/`, /that is refused/);
});

test('a connection that was made for an earlier push still tells where the registry is', async () => {
  const open = connection('8.8.8.8');
  const first = new Reach('storage.example.com', {
    plainHttp: false,
    allowedHosts: [],
    resolve: names({ 'registry.example.com': '8.8.8.8' }),
  }).approach(new URL('https://registry.example.com/'));
  await looked(first.lookup, 'registry.example.com');
  first.met(open);
  const reach = new Reach('registry.example.com', { plainHttp: false, allowedHosts: [] });
  reach.approach(new URL('https://registry.example.com/')).met(open);
  await refuses(reach, 'https://10.0.0.1/', /and is itself at a public one/);
});
