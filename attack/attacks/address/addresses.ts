import { BlockList, isIP } from 'node:net';
import { digestOf } from '../../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw } from '../../../harness/envoy/wireClient.ts';
import type { Random } from '../../../harness/random.ts';
import { Fault, hold, type Attack, type Context } from '../../form.ts';
import type { Target } from '../../target.ts';

const KEY = 'acme-address-secret';
const LIMIT = 7;
/** Envoy appends the address of its own peer, so the second entry from the right is what the attacker sends last. */
const POLICY = `policy: addresses
clientAddress: { trustedHops: 2 }
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  near: { paths: [/near], plans: [gold], upstream: v1 }
  open: { paths: [/open], plans: [gold, trial], anonymous: { plan: trial, by: address }, upstream: v1 }
plans:
  gold: {}
  trial: { quotas: { few: { limit: ${LIMIT}, window: year } } }
consumers:
  acme:
    plan: gold
    addresses: { allow: [203.0.113.0/24, "2001:db8:7::/48"], deny: [203.0.113.64/26, "2001:db8:7:bad::/64"] }
    keys: [{ id: a, digest: "${digestOf(KEY)}" }]
`;
const PEER = '127.0.0.1';
const AT_ONCE = 8;
const MAX_PORT = 65_535;
const MOST_ENTRY_BYTES = 80;
const IP4_MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** The allow and deny lists once more, in Node's own code. */
const allowed = new BlockList();
allowed.addSubnet('203.0.113.0', 24, 'ipv4');
allowed.addSubnet('2001:db8:7::', 48, 'ipv6');
const denied = new BlockList();
denied.addSubnet('203.0.113.64', 26, 'ipv4');
denied.addSubnet('2001:db8:7:bad::', 64, 'ipv6');

/** Whatever a client writes into X-Forwarded-For: it is nowhere but where the trusted proxy saw it, and an owner of many addresses has one limit for each network. */
export const addresses: Attack = {
  name: 'addresses',
  tries: 'addresses that are forged, joined, repeated or misspelt, and a whole network of callers without a key',
  async run(context) {
    const target = await context.open({ policy: POLICY, workers: 2 });
    const used = new Map<string, number>();
    await Promise.all(Array.from({ length: AT_ONCE }, () => attackOn(context, target, used)));
  },
};

async function attackOn(context: Context, target: Target, used: Map<string, number>): Promise<void> {
  while (context.isTimeLeft()) {
    const lines = someLines(context.random);
    const isNear = context.random.chance(0.5);
    const reply = await sendRaw(
      target.port,
      requestBytes({
        method: 'GET',
        path: isNear ? '/near' : '/open',
        host: 'api.test',
        headers: [
          ...lines.map((line) => ['x-forwarded-for', line] as const),
          ...(isNear ? [['x-api-key', KEY] as const] : forged(context.random)),
        ],
      }),
      'GET',
    );
    context.count('requests');
    target.isWell();
    // Envoy itself refuses bytes that no header may hold, and too many of them
    if (reply === null || reply.status === 400 || reply.status === 431) continue;
    const address = secondFromRight(lines);
    const shown = JSON.stringify({ status: reply.status, address, lines: lines.map((line) => line.slice(-120)) }).slice(
      0,
      600,
    );
    if (isNear) {
      const mayPass = address !== null && lies(address, allowed) && !lies(address, denied);
      hold(reply.status === (mayPass ? 200 : 403), `the list is not kept: ${shown}`);
    } else if (reply.status === 200) {
      const network = address === null ? 'unknown' : networkOf(address);
      const count = (used.get(network) ?? 0) + 1;
      used.set(network, count);
      hold(count <= LIMIT, `${network} got ${count} of ${LIMIT}: ${shown}`);
    } else if (reply.status !== 429) throw new Fault(`neither passed nor over its limit: ${shown}`);
  }
}

/** Headers that other proxies believe, and this one must not. */
function forged(random: Random): (readonly [string, string])[] {
  if (random.chance(0.7)) return [];
  return [
    [
      random.pick(['x-real-ip', 'forwarded', 'x-envoy-external-address', 'true-client-ip', 'x-client-ip', 'via']),
      random.pick(['203.0.113.7', 'for=203.0.113.7', '[2001:db8:7::1]']),
    ],
  ];
}

/** The entry that stands second from the right once Envoy has added its peer; null for anything but an address. */
function secondFromRight(lines: readonly string[]): string | null {
  const sent = lines
    .map((line) => line.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((line, _, all) => line !== '' || all.length === 1);
  const whole = sent.join(',');
  const entries = (whole === '' ? PEER : `${whole},${PEER}`).split(',');
  const entry = entries.at(-2);
  // longer ones are not read, however many of their bytes are spaces
  if (entry === undefined || entry.length > MOST_ENTRY_BYTES) return null;
  return addressIn(entry.replace(/^[ \t]+|[ \t]+$/g, ''));
}

/** Without brackets and port, as RFC 4291 and RFC 5952 spell it; IPv4 in IPv6 as IPv4. */
function addressIn(entry: string): string | null {
  const bracketed = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(entry);
  const dotted = /^([^:]*):(\d{1,5})$/.exec(entry);
  const [, text, port] = bracketed ?? dotted ?? [entry, entry, undefined];
  if (port !== undefined && Number(port) > MAX_PORT) return null;
  const version = isIP(text);
  if (version === 0 || text.includes('%')) return null;
  if (bracketed !== null && version !== 6) return null;
  if (version === 4) return text;
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(canonical);
  if (mapped === null) return IP4_MAPPED.exec(canonical)?.[1] ?? canonical;
  const [high, low] = mapped.slice(1).map((part) => parseInt(part, 16)) as [number, number];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function lies(address: string, list: BlockList): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** What counts as one caller: an IPv4 address, and the first 64 bits of an IPv6 one. */
function networkOf(address: string): string {
  if (isIP(address) === 4) return address;
  const [before, after] = address.split('::') as [string, string?];
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const groups =
    after === undefined ? head : [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return groups.slice(0, 4).join(':');
}

function someLines(random: Random): string[] {
  return Array.from({ length: random.pick([0, 1, 1, 1, 1, 2, 2, 3]) }, () =>
    Array.from({ length: random.chance(0.02) ? 2000 : random.pick([0, 1, 1, 1, 2, 3]) }, () => anEntry(random)).join(
      random.pick([',', ', ', ',', '\t,  ', ' ,', ',,', ' ', ';']),
    ),
  );
}

/** Addresses that lie in the lists or near them, many of one network, and such that only look like addresses. */
function anEntry(random: Random): string {
  const byte = (): number => random.below(256);
  const hex = (): string => random.below(65_536).toString(16);
  const near4 = `203.0.113.${byte()}`;
  const near6 = `2001:db8:7:${random.pick(['0', 'bad', '1', hex()])}::${hex()}`;
  switch (random.below(14)) {
    case 0:
    case 1:
      return near4;
    case 2:
    case 3:
      return near6;
    case 4:
      return random.pick([
        `[${near6}]`,
        `[${near6}]:443`,
        `${near4}:${random.below(70_000)}`,
        `[${near4}]`,
        `[${near6}`,
        `${near6}]`,
      ]);
    case 5:
      return random.pick([
        `::ffff:${near4}`,
        `::ffff:cb00:71${byte().toString(16).padStart(2, '0')}`,
        `::${near4}`,
        `64:ff9b::${near4}`,
      ]);
    case 6:
      return `10.${random.below(3)}.0.${random.below(4)}`;
    case 7:
      // one network's owner, with as many addresses as it likes
      return `2001:db8:1:1:${hex()}:${hex()}:${hex()}:${hex()}`;
    case 8:
      return random.pick([
        'unknown',
        '_hidden',
        '',
        '*',
        'localhost',
        '0',
        '::',
        '::1',
        PEER,
        'for=203.0.113.7',
        '"203.0.113.7"',
      ]);
    case 9:
      return random.pick([
        '203.0.113.07',
        '203.0.113',
        '0xcb.0.113.7',
        '3405803783',
        '203.0.113.7.',
        '203.0.113.256',
        '203.0.113.7/24',
        '+203.0.113.7',
      ]);
    case 10:
      return random.pick([
        `${near6}%eth0`,
        `${near6}:`,
        `:${near6}`,
        near6.replace('::', ':::'),
        `${near6}::1`,
        near6.toUpperCase(),
        '2001:0db8:0007:0:0:0:0:0:0',
        '2001:0db8:0007:0000:0000:0000:0000:0001',
      ]);
    case 11:
      return random.bytes(60).replace(/[\0\r\n]/g, '');
    case 12:
      return '203.0.113.7'.padEnd(random.below(200), ' ');
    default:
      return `${byte()}.${byte()}.${byte()}.${byte()}`;
  }
}
