import { Random } from '../../../harness/random.ts';
import { digestOf } from '../../../harness/envoy/testPolicy.ts';
import { sendRaw } from '../../../harness/envoy/wireClient.ts';
import { hold, type Attack, type Context } from '../../form.ts';
import type { Target } from '../../target.ts';
import { Upstream, type Arrived } from '../../upstream.ts';
import { joined, readKeys, type Message, type Place } from './model.ts';

/** Keys by their consumers. One is of the characters that separate others in `Basic`; two are nobody's. */
const KEYS: Readonly<Record<string, string>> = {
  acme: 'acme-placed-secret',
  rich: 'rich:placed:secret',
  nobody: 'nobody-placed-secret',
  spaced: 'nobody placed secret',
};
const OWNERS = new Map([
  [KEYS['acme']!, 'acme'],
  [KEYS['rich']!, 'rich'],
]);

interface Gate {
  readonly path: string;
  readonly places: readonly Place[];
  readonly anonymous?: true;
  readonly forwardKey?: true;
}

const USUAL: readonly Place[] = [{ header: 'x-api-key' }, { query: 'apikey' }];
const GATES: readonly Gate[] = [
  { path: '/usual', places: USUAL },
  { path: '/bearer', places: [{ authorization: 'Bearer' }, { cookie: 'session' }] },
  { path: '/bare', places: [{ authorization: 'none' }, { authorization: 'Token' }] },
  { path: '/basic', places: [{ basic: 'user' }, { basic: 'password' }, { query: 'key' }] },
  { path: '/password', places: [{ basic: 'password' }, { authorization: 'Bearer' }, { authorization: 'none' }] },
  { path: '/prefix', places: [{ header: 'x-auth', prefix: 'Key ' }, { header: 'x-gateway-key' }] },
  { path: '/open', places: [{ cookie: 'key' }, { header: 'x-auth', prefix: 'sk_' }], anonymous: true },
  { path: '/shown', places: [{ header: 'x-api-key' }, { basic: 'user' }, { query: 'key' }], forwardKey: true },
];
/** Places whose keys routes can take off. */
const WHOLE: readonly Place[] = [{ header: 'x-api-key' }, { header: 'x-gateway-key' }];
const ROUTED_GATES: readonly Gate[] = [
  { path: '/usual', places: WHOLE },
  { path: '/open', places: WHOLE, anonymous: true },
];

/** APIs in front of one Envoy, and what its policy says of keys. */
interface Door {
  readonly gates: readonly Gate[];
  readonly policy: string;
}

const DOORS: readonly Door[] = [
  { gates: GATES, policy: policyOf(GATES, { keySources: USUAL }) },
  { gates: ROUTED_GATES, policy: policyOf(ROUTED_GATES, { keySources: WHOLE, keyRemoval: 'routes' }) },
];

function policyOf(
  gates: readonly Gate[],
  keys: { readonly keySources: readonly Place[]; readonly keyRemoval?: string },
): string {
  return JSON.stringify({
    policy: 'places',
    ...keys,
    upstreams: { v1: { url: 'http://127.0.0.1:9001' } },
    apis: Object.fromEntries(
      gates.map(({ path, places, anonymous, forwardKey }) => [
        path.slice(1),
        {
          paths: [path],
          plans: ['gold'],
          upstream: 'v1',
          ...(places !== keys.keySources && { keySources: places }),
          ...(anonymous && { anonymous: 'allow' }),
          ...(forwardKey && { forwardKey }),
        },
      ]),
    ),
    plans: { gold: {} },
    consumers: Object.fromEntries(
      [...OWNERS].map(([key, name]) => [name, { plan: 'gold', keys: [{ id: name, digest: digestOf(key) }] }]),
    ),
  });
}

const AT_ONCE = 8;

interface Probe extends Message {
  readonly id: string;
  readonly gate: Gate;
}

/** Keys in places of this API and of others: what is not one of its own is neither read nor touched, also where routes take keys off. */
export const credentials: Attack = {
  name: 'credentials',
  tries: 'keys in places of one API and of others, repeated, joined, in odd base64, behind odd schemes and prefixes',
  async run(context) {
    const upstream = await Upstream.start();
    context.cleanUp(() => upstream.close());
    const targets: Target[] = [];
    for (const { policy } of DOORS) targets.push(await context.open({ policy, upstream: upstream.url, workers: 1 }));
    // most callers go through the first door, which has more to try
    const door = (caller: number): number => (caller % 4 === 3 ? 1 : 0);
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, i) => attackOn(context, targets[door(i)]!, DOORS[door(i)]!, upstream, i)),
    );
  },
};

async function attackOn(
  context: Context,
  target: Target,
  { gates }: Door,
  upstream: Upstream,
  caller: number,
): Promise<void> {
  const random = new Random(context.random.below(2 ** 31));
  for (let i = 0; context.isTimeLeft(); i++) {
    const probe = newProbe(random, gates, `${caller}-${i}`);
    const text = [
      `GET ${probe.target} HTTP/1.1`,
      'host: a.test',
      `x-probe: ${probe.id}`,
      ...probe.lines.map(([name, value]) => `${name}: ${value}`),
    ].join('\r\n');
    const reply = await sendRaw(target.port, `${text}\r\n\r\n`);
    hold(reply !== null, `no answer to ${text}`);
    judge(context, probe, reply.status, upstream.taken(probe.id));
    target.isWell();
  }
}

function judge({ count }: Context, { gate, target, lines }: Probe, status: number, arrived: Arrived | undefined): void {
  const sent: Message = { target, lines };
  const { values, isMalformed, stripped } = readKeys(gate.places, sent);
  const [key, ...others] = [...new Set(values)];
  const consumer = isMalformed || others.length > 0 ? undefined : OWNERS.get(key ?? '');
  const isAnonymous = gate.anonymous === true && !isMalformed && key === undefined;
  const passes = consumer !== undefined || isAnonymous;
  const what = `${target} ${JSON.stringify(lines)} got ${status}${arrived === undefined ? '' : ` and arrived as ${arrived.path} ${JSON.stringify(arrived.headers)}`}`;
  count('requests');
  hold(
    status === (passes ? 200 : 401),
    `the model says ${consumer ?? (isAnonymous ? 'anonymous' : 'nobody')}: ${what}`,
  );
  hold((arrived !== undefined) === passes, `what is refused arrives, or what passes does not: ${what}`);
  if (arrived === undefined) return;
  count(isAnonymous ? 'anonymous' : 'let through');
  hold(consumer === valueOf(arrived, 'x-tollgate-consumer'), `it is ${consumer}'s: ${what}`);
  const expected = gate.forwardKey ? sent : stripped;
  hold(arrived.path === expected.target, `the query should be that of ${expected.target}: ${what}`);
  for (const name of NAMES)
    hold(
      textOf(arrived.headers, name) === textOf(expected.lines, name),
      `${name} should be ${JSON.stringify(textOf(expected.lines, name))}: ${what}`,
    );
}

/** Every header that a probe may have. */
const NAMES = [
  'x-api-key',
  'x_api_key',
  'x-gateway-key',
  'x_gateway_key',
  'x-auth',
  'x_auth',
  'authorization',
  'cookie',
];

function valueOf({ headers }: Arrived, name: string): string | undefined {
  return headers.find(([header]) => header === name)?.[1];
}

/** All values of a header, without the spaces around them. */
function textOf(lines: Message['lines'], name: string): string {
  if (name === 'authorization') return joined(lines);
  return JSON.stringify(lines.filter(([header]) => header.toLowerCase() === name).map(([, value]) => value.trim()));
}

function newProbe(random: Random, gates: readonly Gate[], id: string): Probe {
  const gate = random.pick(gates);
  const lines: (readonly [string, string])[] = [];
  let target = `${gate.path}/a`;
  for (let count = random.below(4); count > 0; count--) {
    // mostly where keys of this API are, and otherwise where those of others are
    const places = random.chance(0.6) ? gate.places : random.pick(gates).places;
    const line = lineOf(random, random.pick(places), secret(random));
    if (typeof line === 'string') target += `${target.includes('?') ? '&' : '?'}${line}`;
    else lines.push(line);
  }
  if (random.chance(0.2))
    target += `${target.includes('?') ? '&' : '?'}${random.pick(['q=1', 'q=%61pikey', 'key', '&', 'x='])}`;
  return { id, gate, target, lines };
}

/** Mostly one that opens something, so that much passes. */
function secret(random: Random): string {
  return random.chance(0.7) ? KEYS['acme']! : random.pick(Object.values(KEYS));
}

/** A line with a key in a place, in a spelling that is right or nearly so; a string is a pair of the query. */
function lineOf(random: Random, place: Place, key: string): readonly [string, string] | string {
  if ('query' in place) {
    const name = random.pick([
      place.query,
      place.query,
      `%${hex(place.query[0]!)}${place.query.slice(1)}`,
      `x${place.query}`,
    ]);
    return `${name}=${random.pick([key, key, '', escaped(key)]).replaceAll(' ', '%20')}`;
  }
  if ('cookie' in place) {
    const pair = `${random.pick([place.cookie, place.cookie, place.cookie.toUpperCase(), `my${place.cookie}`])}=${key}`;
    return [
      random.pick(['cookie', 'Cookie']),
      random.pick([pair, `a=1; ${pair}`, `${pair};b=2;;c`, ` ; ${pair} ; `, `${place.cookie}=; ${pair}`, `"${pair}"`]),
    ];
  }
  if ('header' in place) {
    const name = random.pick([
      place.header,
      place.header,
      place.header.replaceAll('-', '_'),
      place.header.toUpperCase(),
    ]);
    const { prefix = '' } = place;
    const start = random.pick([prefix, prefix, prefix.toUpperCase(), '', 'Other ']);
    return [
      name,
      random.pick([`${start}${key}`, `${start}${key}`, ` ${start}  ${key}\t`, `${start}`, `${start}${key}, x`]),
    ];
  }
  const members = Array.from({ length: 1 + random.below(3) }, (_, i) =>
    credentialsOf(random, place, i === 0 ? key : secret(random)),
  );
  return [random.pick(['authorization', 'Authorization']), members.join(random.pick([',', ', ', ' ,\t', ',,']))];
}

function credentialsOf(random: Random, place: Place, key: string): string {
  const scheme = 'basic' in place ? 'Basic' : 'authorization' in place ? place.authorization : 'Bearer';
  const other = random.pick([
    'Digest username="u"',
    'Bearer of-the-backend',
    'Basic dTpw',
    'Token',
    'realm="x"',
    '',
    'Basic',
  ]);
  if (random.chance(0.25)) return other;
  const payload = scheme === 'Basic' ? encoded(random, key) : key;
  if (scheme === 'none') return random.pick([payload, payload, ` ${payload} `, `"${payload}"`, `x ${payload}`]);
  const name = random.pick([scheme, scheme, scheme.toLowerCase(), scheme.toUpperCase(), `${scheme}s`, `(${scheme}`]);
  return `${name}${random.pick([' ', ' ', '  ', '\t', ':', ''])}${payload}`;
}

function encoded(random: Random, key: string): string {
  const pair = random.pick([`${key}:`, `:${key}`, `u:${key}`, `${key}:p`, `${key}:${key}`, key, ':']);
  const text = Buffer.from(pair).toString('base64');
  return random.pick([
    ...[text, text, text, text, text],
    text.replace(/=+$/, ''),
    `${text}=`,
    `${text} `,
    Buffer.from(pair).toString('base64url'),
    // bits that mean nothing
    text.replace(/(.)=$/, (_, digit: string) => `${String.fromCharCode(digit.charCodeAt(0) + 1)}=`),
    `${text.slice(0, 4)} ${text.slice(4)}`,
    `"${text}"`,
  ]);
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16);
}

/** Every character as an escape. */
function escaped(text: string): string {
  return [...text].map((character) => `%${hex(character).toUpperCase()}`).join('');
}
