import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { OciError } from './error.ts';
import { isKin } from './domain.ts';

/** Every address of a name. */
export type Resolve = (name: string) => Promise<readonly LookupAddress[]>;

export interface ReachOptions {
  /** http to any host, not only loopback. */
  readonly plainHttp: boolean;
  /** `HOST` or `HOST:PORT` that the user vouches for. */
  readonly allowedHosts: readonly string[];
  readonly resolve?: Resolve;
}

/** Where a registry in the first zone may send its clients: never nearer to them than it is itself, and never to a cloud's metadata. */
const OPEN: Readonly<Record<Zone, readonly Zone[]>> = {
  public: ['public'],
  private: ['public', 'private'],
  loopback: ['public', 'private', 'loopback'],
  'link-local': ['public', 'link-local'],
  special: ['public'],
};

/** Zones of open connections: one that is used again no longer shows how it was made. */
const zones = new WeakMap<Socket, Zone>();

/** What one request needs of the reach on its way. */
export interface Approach {
  /** Resolves names for the connection, and refuses what they resolve to. */
  readonly lookup: LookupFunction;
  /** Called with the connection that the answer came over. */
  readonly met: (socket: Socket) => void;
}

/**
 * Which addresses may be connected to while pushing to one registry. What it names (a token service, an upload address, a
 * redirect) is judged by the address that the connection is made to, not by its name: a name may resolve to anything.
 */
export class Reach {
  /** Where the registry itself is; null until it has been met. */
  private zone: Zone | null = null;

  constructor(
    private readonly host: string,
    private readonly options: ReachOptions,
  ) {}

  /** Refuses an address that is not allowed as it is written. */
  approach(url: URL): Approach {
    // a Location with a password would make us log in wherever it leads
    if (url.username !== '' || url.password !== '')
      throw new OciError(`${this.host}: sends to ${url.host} with a user or password in the address; that is refused`);
    const name = bare(url.hostname);
    const literal = isIP(name) === 0 ? null : name;
    if (literal !== null) this.judge(url, literal);
    let isDirect = false;
    const lookup: LookupFunction = (asked, { all = false }, done) => {
      // a proxy's name is looked up here as well, and is the user's own choice
      isDirect = asked === url.hostname;
      this.addresses(url, asked).then(
        (found) => (all ? done(null, [...found]) : done(null, found[0]?.address ?? '', found[0]?.family)),
        (error: NodeJS.ErrnoException) => done(error, '', 0),
      );
    };
    return {
      lookup,
      met: (socket) => this.meet(url, socket, literal ?? (isDirect ? socket.remoteAddress : undefined)),
    };
  }

  /** The registry's own address says what it may name. */
  private meet(url: URL, socket: Socket, address: string | undefined): void {
    if (address !== undefined) zones.set(socket, zoneOf(address));
    // through a proxy nothing is known of the registry's address, and it may well be in the same private network
    if (this.zone === null && this.isOwn(url)) this.zone = zones.get(socket) ?? 'private';
  }

  /** True when the registry's user and password may go to this token service. */
  mayHoldCredentials(url: URL): boolean {
    return isKin(this.host, url.host) || this.isAllowed(url);
  }

  private async addresses(url: URL, name: string): Promise<readonly LookupAddress[]> {
    const found = await (this.options.resolve ?? resolveByDefault)(name);
    if (name === url.hostname) for (const { address } of found) this.judge(url, address);
    return found;
  }

  private judge(url: URL, address: string): void {
    const zone = zoneOf(address);
    const where = address === bare(url.hostname) ? url.host : `${url.host} (${address})`;
    if (url.protocol === 'http:' && !this.options.plainHttp && zone !== 'loopback')
      throw new OciError(
        `${this.host}: sends over plain http to ${where}; plain http goes to loopback only, unless you say --plain-http`,
      );
    if (this.isAllowed(url) || this.isTrustedOwn(url) || this.zone === null) return;
    if (OPEN[this.zone].includes(zone)) return;
    throw new OciError(
      `${this.host}: sends to ${where}, a ${zone} address, and is itself at a ${this.zone} one; that is refused; if it is meant, say --allow-host ${url.hostname}`,
    );
  }

  private isAllowed(url: URL): boolean {
    return this.options.allowedHosts.some((host) => [url.host, url.hostname].includes(host.toLowerCase()));
  }

  private isOwn(url: URL): boolean {
    return url.host === new URL(`${url.protocol}//${this.host}`).host;
  }

  /** A certificate proves that the name still leads to the registry; over http it may lead anywhere by now. */
  private isTrustedOwn(url: URL): boolean {
    return this.isOwn(url) && (url.protocol === 'https:' || this.zone === null);
  }
}

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function resolveByDefault(name: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(name, { all: true }, (error, found) => (error === null ? resolve(found) : reject(error)));
  });
}

/** How far away an address is, for deciding who may be sent there. `special` leads nowhere that a registry could be. */
export type Zone = 'public' | 'private' | 'loopback' | 'link-local' | 'special';

interface Block {
  readonly zone: Zone;
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** Single services of clouds come first: they hand out a machine's credentials, and stand in blocks of other zones. */
const V4: readonly Block[] = [
  v4('link-local', '168.63.129.16', 32),
  v4('link-local', '100.100.100.200', 32),
  v4('link-local', '169.254.0.0', 16),
  v4('loopback', '127.0.0.0', 8),
  // 198.18.0.0/15 is for benchmarks; VPN programs that answer for DNS hand it out
  v4('private', '10.0.0.0', 8),
  v4('private', '172.16.0.0', 12),
  v4('private', '192.168.0.0', 16),
  v4('private', '100.64.0.0', 10),
  v4('private', '198.18.0.0', 15),
  v4('special', '0.0.0.0', 8),
  v4('special', '192.0.0.0', 24),
  v4('special', '192.0.2.0', 24),
  v4('special', '198.51.100.0', 24),
  v4('special', '203.0.113.0', 24),
  v4('special', '224.0.0.0', 3),
];
const V6: readonly Block[] = [
  v6('link-local', 'fd00:ec2::254', 128),
  v6('link-local', 'fe80::', 10),
  v6('loopback', '::1', 128),
  v6('private', 'fc00::', 7),
  v6('private', 'fec0::', 10),
  v6('special', '::', 128),
  v6('special', 'ff00::', 8),
  v6('special', '100::', 64),
  v6('special', '2001:db8::', 32),
];
/** Where an IPv6 address carries an IPv4 address that the packet ends at: mapped, compatible, NAT64, 6to4. */
const CARRIERS: readonly { readonly block: Block; readonly at: number }[] = [
  { block: v6('special', '::ffff:0:0', 96), at: 12 },
  { block: v6('special', '64:ff9b::', 96), at: 12 },
  { block: v6('special', '2002::', 16), at: 2 },
];

/** The zone of a numeric address, as DNS or a socket gives it. */
export function zoneOf(address: string): Zone {
  const plain = address.replace(/%.*$/, '');
  if (isIP(plain) === 4) return zoneIn(V4, bytesOf4(plain));
  if (isIP(plain) !== 6) return 'special';
  const bytes = bytesOf6(plain);
  const carrier = CARRIERS.find(({ block }) => isIn(block, bytes));
  if (carrier !== undefined) return zoneIn(V4, bytes.slice(carrier.at, carrier.at + 4));
  const own = zoneIn(V6, bytes);
  // `::a.b.c.d`, out of use, but systems still take it
  return own === 'public' && bytes.slice(0, 12).every((byte) => byte === 0) ? zoneIn(V4, bytes.slice(12)) : own;
}

function zoneIn(blocks: readonly Block[], bytes: readonly number[]): Zone {
  return blocks.find((block) => isIn(block, bytes))?.zone ?? 'public';
}

function isIn({ bytes: prefix, bits }: Block, bytes: readonly number[]): boolean {
  return prefix.every((byte, at) => {
    const mask = (0xff << (8 - Math.min(8, Math.max(0, bits - 8 * at)))) & 0xff;
    return (byte & mask) === ((bytes[at] ?? 0) & mask);
  });
}

function v4(zone: Zone, prefix: string, bits: number): Block {
  return { zone, bytes: bytesOf4(prefix), bits };
}

function v6(zone: Zone, prefix: string, bits: number): Block {
  return { zone, bytes: bytesOf6(prefix), bits };
}

function bytesOf4(address: string): number[] {
  return address.split('.').map(Number);
}

/** Sixteen bytes; the URL parser writes the last 32 bits in hex, however they were given. */
function bytesOf6(address: string): number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string | undefined): number[] =>
    text === undefined || text === '' ? [] : text.split(':').map((group) => parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail)];
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
  return all.flatMap((group) => [group >> 8, group & 0xff]);
}
