import { Random } from '../../harness/random.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { sendRaw } from '../../harness/envoy/wireClient.ts';
import type { AccessEntry } from '../../scripts/envoy/accessLog.ts';
import { askHttp2, openHttp2 } from '../client.ts';
import { hold, type Attack, type Context } from '../form.ts';
import type { Target } from '../target.ts';
import { Upstream, type Arrived } from '../upstream.ts';

/** Keys by their consumers; the last is a key that this policy does not know. */
const KEYS: Readonly<Record<string, string>> = {
  acme: 'acme-header-secret',
  rich: 'rich-header-secret',
  nobody: 'foreign-header-secret',
};
const SECRETS = Object.values(KEYS);
const FORGED = 'forged-identity';
const POLICY = `policy: doors
unmatched: allow
accessLog: { fields: all }
keySources: [{ header: x-api-key }, { authorization: Bearer }, { query: api_key }, { cookie: api_key }]
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  gated:
    paths: [/v1]
    plans: [gold]
    upstream: v1
    routes:
      - { name: second, when: { headers: { accept: application/v2 } }, setHeaders: { x-second: "yes" }, removeHeaders: [x-inner] }
  open: { paths: [/open], plans: [gold], anonymous: allow, upstream: v1 }
plans: { gold: {} }
consumers:
  acme: { plan: gold, keys: [{ id: a, digest: "${digestOf(KEYS['acme']!)}" }] }
  rich: { plan: gold, keys: [{ id: r, digest: "${digestOf(KEYS['rich']!)}" }] }
`;
const AT_ONCE = 12;
const PATHS = ['/v1/pets', '/v1/pets', '/open/x', '/elsewhere'];

interface Probe {
  readonly id: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly version: 1 | 2;
}

/** Whatever a client writes into headers: no key and no identity that is not its own may come through. */
export const headers: Attack = {
  name: 'headers',
  tries: 'repeated, joined, misspelt and nominated headers that carry keys and forged identities past Tollgate',
  async run(context) {
    const upstream = await Upstream.start();
    context.cleanUp(() => upstream.close());
    const strange: string[] = [];
    const onAccess = ({ fields }: AccessEntry): void => void (isOurs(fields) || strange.push(JSON.stringify(fields)));
    const target = await context.open({ policy: POLICY, upstream: upstream.url, workers: 1, onAccess });
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => attackOn(context, target, upstream, i)));
    hold(strange.length === 0, `the access log shows what a client made up: ${strange[0]}`);
  },
};

/** True for log fields that only the policy's own words can have come from. */
function isOurs(fields: AccessEntry['fields']): boolean {
  const text = JSON.stringify(fields);
  return (
    ![FORGED, ...SECRETS].some((foreign) => text.includes(foreign)) && /^(acme|rich)?$/.test(fields.consumer ?? '')
  );
}

async function attackOn(context: Context, target: Target, upstream: Upstream, caller: number): Promise<void> {
  const random = new Random(context.random.below(2 ** 31));
  for (let i = 0; context.isTimeLeft(); i++) {
    const probe = newProbe(random, `${caller}-${i}`);
    await send(target, probe);
    judge(context, probe, upstream.taken(probe.id));
    target.isWell();
  }
}

function newProbe(random: Random, id: string): Probe {
  const version = random.chance(0.3) ? 2 : 1;
  let path = random.pick(PATHS);
  if (random.chance(0.15))
    path += `?${random.pick(['api_key', 'api%5fkey', 'x=1&api_key', '&api_key'])}=${random.pick(SECRETS)}`;
  const lines: (readonly [string, string])[] = [];
  for (let count = 1 + random.below(4); count > 0; count--) lines.push(...someHeader(random));
  if (version === 1 && random.chance(0.25)) lines.push(...nomination(random));
  return { id, path, headers: lines, version };
}

/** Lines of one kind: keys where a source looks or where a lenient upstream would, identities, conditions. */
function someHeader(random: Random): (readonly [string, string])[] {
  const key = random.pick(SECRETS);
  switch (random.below(8)) {
    case 0:
      return [
        [
          random.pick(['x-api-key', 'X-Api-Key', 'x_api_key', 'x-api_key', 'X_API_KEY']),
          random.pick([key, ` ${key} `, `${key}, ${random.pick(SECRETS)}`, `"${key}"`, `,${key}`, '']),
        ],
      ];
    case 1:
      return [['authorization', credentials(random, key)]];
    case 2:
      return [
        ['authorization', 'Basic dXNlcjpwYXNz'],
        ['authorization', credentials(random, key)],
      ];
    case 3:
      return [
        [
          'Authorization',
          [
            credentials(random, key),
            random.pick([
              'Basic dXNlcjpwYXNz',
              'Digest username="a, Bearer b"',
              credentials(random, random.pick(SECRETS)),
            ]),
          ]
            .sort(() => random.next() - 0.5)
            .join(random.pick([', ', ',', ' ,\t'])),
        ],
      ];
    case 4:
      return [
        [
          'cookie',
          random.pick([
            `api_key=${key}`,
            `a=1; api_key=${key}`,
            `api_key=${key}; api_key=${random.pick(SECRETS)}`,
            `a=1;api_key="${key}"`,
          ]),
        ],
      ];
    case 5:
      return [
        [
          random.pick([
            'x-tollgate-consumer',
            'x_tollgate_consumer',
            'X-Tollgate_Plan',
            'x-tollgate-route',
            'x_tollgate-anything',
          ]),
          random.pick([FORGED, `rich,${FORGED}`]),
        ],
      ];
    case 6:
      return [
        [
          random.pick(['accept', 'Accept']),
          random.pick(['application/v2', 'text/html', 'text/html,application/v2', 'application/v2 , */*']),
        ],
        ...(random.chance(0.5) ? [['accept', random.pick(['application/v2', 'text/plain'])] as const] : []),
      ];
    default:
      return [[random.pick(['x-inner', 'x_inner', 'X-Inner']), FORGED]];
  }
}

function credentials(random: Random, key: string): string {
  return `${random.pick(['Bearer', 'bearer', 'BEARER', 'Bearer'])}${random.pick([' ', ' ', '  ', '\t'])}${key}`;
}

/** Headers that the next hop would drop, had it been told so. */
function nomination(random: Random): (readonly [string, string])[] {
  const names = random.pick([
    'x-tollgate-consumer',
    'X-Tollgate-Plan',
    'x-tollgate-route, x-tollgate-consumer',
    'x-second',
    'x_tollgate_consumer',
    'x-tollgate-consumer;x',
    'host',
    'x-api-key',
  ]);
  if (random.chance(0.3)) return [['connection', names]];
  return [
    ['connection', random.pick([`Upgrade, ${names}`, `${names},upgrade`, `upgrade,,${names} ,`])],
    ['upgrade', 'websocket'],
    ['sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ['sec-websocket-version', '13'],
  ];
}

async function send(target: Target, { id, path, headers: lines, version }: Probe): Promise<void> {
  if (version === 1) {
    const text = [
      `GET ${path} HTTP/1.1`,
      'host: a.test',
      `x-probe: ${id}`,
      ...lines.map(([name, value]) => `${name}: ${value}`),
    ].join('\r\n');
    await sendRaw(target.port, `${text}\r\n\r\n`).catch(() => null);
    return target.isAlive();
  }
  const session = await openHttp2(target.port);
  if (session === null) return target.isAlive();
  const byName: Record<string, string[]> = {};
  for (const [name, value] of lines) (byName[name.toLowerCase()] ??= []).push(value.trim());
  // Node's client takes one authorization; a list in one line is what Envoy makes of several.
  const joined = Object.fromEntries(
    Object.entries(byName).map(([name, values]) => [name, name === 'authorization' ? values.join(',') : values]),
  );
  await askHttp2(session, { headers: { ':path': path, 'x-probe': id, ...joined } }).catch(() => 'lost');
  session.destroy();
}

function judge({ count }: Context, probe: Probe, arrived: Arrived | undefined): void {
  count('requests');
  if (arrived === undefined) return;
  count('let through');
  const what = `HTTP/${probe.version} ${probe.path} ${JSON.stringify(probe.headers)} arrived as ${arrived.path} ${JSON.stringify(arrived.headers)}`;
  holdSecrets(arrived, what);
  holdIdentity(probe, arrived, what);
  holdNominations(arrived, what);
}

/** What the next hop is told to drop must not be what Tollgate or the policy has set. */
function holdNominations({ headers: lines }: Arrived, what: string): void {
  const nominated = lines
    .filter(([name]) => name === 'connection')
    .flatMap(([, value]) =>
      value
        .toLowerCase()
        .split(',')
        .map((token) => token.trim().replaceAll('_', '-')),
    );
  const set = lines.map(([name]) => name).filter((name) => /^(x-tollgate-|x-second$)/.test(name));
  hold(
    set.every((name) => !nominated.includes(name)),
    `headers of Tollgate or of the policy are nominated: ${what}`,
  );
}

/** A path of no API is not Tollgate's to clean: keys there are for somebody else. */
function holdSecrets(arrived: Arrived, what: string): void {
  const isGated = /^\/(v1|open)/.test(arrived.path);
  if (!isGated) return;
  for (const secret of SECRETS) {
    hold(!decodeURIComponent(arrived.path).includes(secret), `a key reaches the upstream in the path: ${what}`);
    for (const [name, value] of arrived.headers)
      hold(!value.includes(secret), `a key reaches the upstream in ${name}: ${what}`);
  }
}

function holdIdentity(probe: Probe, arrived: Arrived, what: string): void {
  const own = arrived.headers.filter(([name]) => /^x[-_]tollgate[-_]/.test(name));
  hold(
    own.every(([name]) => /^x-tollgate-(consumer|plan|route)$/.test(name)),
    `a foreign header in Tollgate's name: ${what}`,
  );
  hold(
    own.every(([, value]) => !value.includes(FORGED)),
    `a forged identity: ${what}`,
  );
  hold(new Set(own.map(([name]) => name)).size === own.length, `a header of Tollgate's twice: ${what}`);
  const consumer = own.find(([name]) => name === 'x-tollgate-consumer')?.[1];
  const route = own.find(([name]) => name === 'x-tollgate-route')?.[1];
  if (arrived.path.startsWith('/v1'))
    hold(consumer !== undefined && route !== undefined, `let through without an identity: ${what}`);
  if (consumer !== undefined)
    hold(JSON.stringify(probe).includes(KEYS[consumer] ?? '\0'), `an identity without its key: ${what}`);
  if (arrived.path.startsWith('/v1')) holdRoute(probe, arrived, route, what);
}

/** A condition holds when one of the header's values does, however many lines they stand on. */
function holdRoute(probe: Probe, arrived: Arrived, route: string | undefined, what: string): void {
  const accepted = probe.headers
    .filter(([name]) => name.toLowerCase() === 'accept')
    .flatMap(([, value]) => value.split(',').map((one) => one.trim()));
  const isSecond = accepted.includes('application/v2');
  hold(
    (route === 'gated/second') === isSecond,
    `the route is ${route}, but accept is ${accepted.join(' and ') || 'absent'}: ${what}`,
  );
  hold(
    !isSecond || arrived.headers.every(([name]) => !/^x[-_]inner$/.test(name)),
    `a header that the route removes: ${what}`,
  );
}
