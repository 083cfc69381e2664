import { lookup } from 'node:dns';
import { request } from 'node:https';
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net';

const MAX_REDIRECTS = 5;
const TIMEOUT_MS = 15_000;

export type Fetched = { readonly bytes: Uint8Array; readonly url: URL } | { readonly rule: string };

/**
 * The bytes behind an address: https only, no address of this machine or a private network, wherever a name or a redirect
 * leads, bounded in time and size. A name is resolved once, and the address that was checked is the one connected to.
 */
export async function fetchBounded(
  start: URL,
  mostBytes: number,
  signal: AbortSignal,
  options: { readonly isAllowed?: (address: string) => boolean; readonly ca?: string } = {},
): Promise<Fetched> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const isAllowed = options.isAllowed ?? isPublic;
  let url = start;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const rule = ruleOf(url, isAllowed);
    if (rule !== null) return { rule };
    const got = await get(url, mostBytes, bounded, { isAllowed, ca: options.ca });
    if (!('location' in got)) return got;
    if (!URL.canParse(got.location, url.href)) return { rule: 'leads to what is no address' };
    url = new URL(got.location, url);
  }
  return { rule: `must be reached with at most ${MAX_REDIRECTS} redirects` };
}

function ruleOf(
  { protocol, hostname, username, password }: URL,
  isAllowed: (address: string) => boolean,
): string | null {
  if (protocol !== 'https:') return 'must be an address of https';
  if (username !== '' || password !== '') return 'must be an address without a password';
  const address = hostname.replace(/^\[|\]$/g, '');
  return isIP(address) !== 0 && !isAllowed(address) ? NOT_PUBLIC : null;
}

const NOT_PUBLIC = 'must be on the public internet; leads to this machine or a private network';

class Refused extends Error {}

interface Guard {
  readonly isAllowed: (address: string) => boolean;
  readonly ca: string | undefined;
}

function get(
  url: URL,
  mostBytes: number,
  signal: AbortSignal,
  { isAllowed, ca }: Guard,
): Promise<Fetched | { readonly location: string }> {
  return new Promise((resolve) => {
    const fail = (rule: string): void => resolve({ rule });
    const headers = { accept: 'application/json, application/yaml, */*;q=0.5', 'user-agent': 'tollgate' };
    const call = request(
      url,
      { method: 'GET', headers, lookup: guarded(isAllowed), signal, agent: false, ...(ca !== undefined && { ca }) },
      (response) => {
        const status = response.statusCode ?? 0;
        const { location } = response.headers;
        if (status >= 300 && status < 400 && location !== undefined) {
          response.destroy();
          return resolve({ location });
        }
        if (status !== 200) {
          response.destroy();
          return fail(`is answered with status ${status}`);
        }
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          chunks.push(chunk);
          if (bytes <= mostBytes) return;
          response.destroy();
          fail(`must have at most ${mostBytes} bytes`);
        });
        response.on('error', (error) => fail(causeOf(error)));
        response.on('end', () => resolve({ bytes: Buffer.concat(chunks), url }));
      },
    );
    call.on('error', (error) => fail(causeOf(error)));
    call.end();
  });
}

function causeOf(error: NodeJS.ErrnoException): string {
  if (error instanceof Refused) return error.message;
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return `does not answer in ${TIMEOUT_MS / 1000} s`;
  return `cannot be reached: ${error.code ?? error.message}`;
}

/** Node's own look-up, which fails where one of the addresses is not public: a name that has both is no mistake. */
function guarded(isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '');
      if (!addresses.every(({ address }) => isAllowed(address))) return callback(new Refused(NOT_PUBLIC), '');
      if (options.all === true) return callback(null, addresses);
      const [first] = addresses;
      return callback(null, first!.address, first!.family);
    });
  };
}

/** Of IANA's registries of special purpose addresses. */
const RESERVED_4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
];
/** 64:ff9b::/96 and 2002::/16 hold addresses of version 4, which may be private. */
const RESERVED_6 = [
  ...['::/128', '::1/128', '::ffff:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '2001::/23', '2001:db8::/32'],
  ...['2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
];

// apart, because ::ffff:0:0/96 would stand for every address of version 4
const reserved4 = new BlockList();
const reserved6 = new BlockList();
for (const range of RESERVED_4) reserved4.addSubnet(...parts(range), 'ipv4');
for (const range of RESERVED_6) reserved6.addSubnet(...parts(range), 'ipv6');

function parts(range: string): [string, number] {
  const [address, bits] = range.split('/');
  return [address!, Number(bits)];
}

/** True for an address that anybody on the internet could be sent to. */
export function isPublic(address: string): boolean {
  return isIPv6(address) ? !reserved6.check(address, 'ipv6') : !reserved4.check(address, 'ipv4');
}
