import { isIP } from 'node:net';

/** How far away an address is, for who asks to be sent there. `special` leads nowhere that a registry could be. */
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

/** Sixteen bytes; the URL parser writes the last 32 bits in hex, whichever way they came. */
function bytesOf6(address: string): number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string | undefined): number[] =>
    text === undefined || text === '' ? [] : text.split(':').map((group) => parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail)];
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
  return all.flatMap((group) => [group >> 8, group & 0xff]);
}
