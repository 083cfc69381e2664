import { digestOf } from '../../../harness/envoy/testPolicy.ts';
import { sendRaw } from '../../../harness/envoy/wireClient.ts';
import { Random } from '../../../harness/random.ts';
import { validPolicy } from '../../../scripts/policy/index.ts';
import { askHttp2, openHttp2 } from '../../client.ts';
import { hold, type Attack, type Context } from '../../form.ts';
import type { Target } from '../../target.ts';
import { Upstream, type Arrived } from '../../upstream.ts';
import { keysIn, routeOf, withoutKey, type Condition, type Route } from './model.ts';

const KEY = 'acme-query-secret';
const KEY_NAME = 'api_key';
const AT_ONCE = 6;
const ROUND_MS = 4000;
/** A policy of many routes takes as long to make as a short round. */
const LEAST_MS = 1000;
/** Beyond this many, an API's routes have an index by a header. */
const COUNTS = [12, 40, 4];

const NAMES = ['v', 'V', 'filter[status]', 'a b', 'a+b', 'é', 'x&y', ';v', '%76'];
const VALUES = ['', '1', '2', '10', 'beta-2', 'a b', 'a+b', '%zz', 'é', 'x&y', 'a=b', '#', ' '];

/** Whatever a query looks like: the route is the one that the URL standard's parser leads to, and the upstream gets every byte but the key. */
export const query: Attack = {
  name: 'query',
  tries:
    'queries in any spelling, repeated, huge, with keys in them, over HTTP/1.1, HTTP/2 and in absolute form, against random routes by parameters',
  async run(context) {
    const upstream = await Upstream.start();
    context.cleanUp(() => upstream.close());
    for (let round = 0; round === 0 || context.isTimeLeft(); round++)
      await attackOne(context, upstream, COUNTS[round % COUNTS.length]!);
  },
};

async function attackOne(context: Context, upstream: Upstream, count: number): Promise<void> {
  const { policy, routes } = somePolicy(context.random, count);
  const target = await context.open({ policy, upstream: upstream.url, workers: 1 });
  const until = Date.now() + Math.max(LEAST_MS, Math.min(ROUND_MS, context.leftMs()));
  await Promise.all(
    Array.from({ length: AT_ONCE }, (_, i) => asking(context, target, upstream, routes, `${i}`, until)),
  );
  target.isWell();
  await target.stop();
}

/** Random routes that a check accepts: it refuses those that can never be taken. */
function somePolicy(random: Random, count: number): { policy: string; routes: readonly Route[] } {
  let routes: Route[] = [];
  for (let tries = 0; routes.length < count && tries < 200; tries++) {
    const more = [...routes, someRoute(random, routes.length)];
    try {
      validPolicy(policyOf(more), 'attack.policy.yaml');
      routes = more;
    } catch {
      // another one
    }
  }
  return { policy: policyOf(routes), routes };
}

function policyOf(routes: readonly Route[]): string {
  return JSON.stringify({
    policy: 'query',
    keySources: [{ query: KEY_NAME }, { header: 'x-api-key' }],
    upstreams: { v1: { url: 'http://127.0.0.1:9001' } },
    apis: {
      shop: {
        paths: ['/shop'],
        plans: ['gold'],
        anonymous: 'allow',
        upstream: 'v1',
        routes: routes.map(({ name, query: conditions, header, method }) => ({
          name,
          when: {
            query: conditions,
            ...(header && { headers: { [header[0]]: header[1] } }),
            ...(method !== undefined && { methods: [method] }),
          },
          upstream: 'v1',
        })),
      },
    },
    plans: { gold: {} },
    consumers: { acme: { plan: 'gold', keys: [{ id: 'a', digest: digestOf(KEY) }] } },
  });
}

function someRoute(random: Random, number: number): Route {
  const conditions: [string, Condition][] = Array.from({ length: 1 + random.below(2) }, () =>
    random.chance(0.08)
      ? [KEY_NAME, random.chance(0.5) ? { present: true } : { absent: true }]
      : [random.pick(NAMES), someCondition(random)],
  );
  return {
    name: `r${number}`,
    query: Object.fromEntries(conditions),
    ...(random.chance(0.3) && { header: [random.pick(['x-v', 'x-w']), random.pick(['1', '2', '3'])] as const }),
    ...(random.chance(0.15) && { method: 'POST' }),
  };
}

function someCondition(random: Random): Condition {
  const value = (): string => random.pick(VALUES);
  switch (random.below(6)) {
    case 0:
      return { prefix: value().trim() || 'b' };
    case 1:
      return { oneOf: [...new Set([value(), value(), value()])] };
    case 2:
      return { present: true };
    case 3:
      return { absent: true };
    default:
      return value();
  }
}

interface Probe {
  readonly id: string;
  readonly method: string;
  readonly query: string | null;
  readonly headers: readonly (readonly [string, string])[];
  readonly form: 'origin' | 'absolute' | 'http2';
}

async function asking(
  context: Context,
  target: Target,
  upstream: Upstream,
  routes: readonly Route[],
  caller: string,
  until: number,
): Promise<void> {
  const random = new Random(context.random.below(2 ** 31));
  for (let i = 0; i === 0 || Date.now() < until; i++) {
    const probe = newProbe(random, routes, `${caller}-${i}`);
    const status = await send(target, probe);
    context.count('queries');
    const arrived = upstream.taken(probe.id);
    target.isAlive();
    judge(context, routes, probe, status, arrived);
  }
}

async function send(target: Target, { id, method, query: text, headers, form }: Probe): Promise<number | string> {
  const path = text === null ? '/shop/a' : `/shop/a?${text}`;
  if (form === 'http2') {
    const session = await openHttp2(target.port);
    if (session === null) return 'lost';
    const end = await askHttp2(session, {
      headers: { ':method': method, ':path': path, 'x-probe': id, ...Object.fromEntries(headers) },
    });
    session.destroy();
    return end;
  }
  const lines = [
    `${method} ${form === 'absolute' ? 'http://a.test' : ''}${path} HTTP/1.1`,
    'host: a.test',
    `x-probe: ${id}`,
    'content-length: 0',
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  const reply = await sendRaw(target.port, `${lines.join('\r\n')}\r\n\r\n`, method);
  return reply?.status ?? 'lost';
}

function judge(
  { count }: Context,
  routes: readonly Route[],
  probe: Probe,
  status: number | string,
  arrived: Arrived | undefined,
): void {
  const text = probe.query ?? '';
  const shown = `${probe.form} ${probe.method} ${JSON.stringify(text.slice(0, 1500))} ${JSON.stringify(probe.headers)} got ${status}${arrived === undefined ? '' : ` and arrived as ${JSON.stringify(arrived.path.slice(0, 1500))}`}`;
  const keys = [
    ...keysIn(text, KEY_NAME),
    ...probe.headers.filter(([name]) => name === 'x-api-key').map(([, value]) => value),
  ];
  const [key, ...others] = new Set(keys);
  const passes = others.length === 0 && (key === undefined || key === KEY);
  if (text.includes('#')) {
    // Envoy refuses fragments; one that came through would be no query
    hold(arrived === undefined, `a fragment came through: ${shown}`);
    return;
  }
  hold(status === (passes ? 200 : 401), `it should be ${passes ? 200 : 401}: ${shown}`);
  hold((arrived !== undefined) === passes, `what is refused arrives, or what passes does not: ${shown}`);
  if (arrived === undefined) return;
  const expected = routeOf(routes, { method: probe.method, headers: probe.headers, query: text });
  const route = arrived.headers.find(([name]) => name === 'x-tollgate-route')?.[1];
  count(expected === 'default' ? 'to the default' : 'to a route');
  hold(
    route === `shop/${expected}`,
    `it took ${route} and should take ${expected} of ${JSON.stringify(routes)}: ${shown}`,
  );
  const wanted = `/shop/a${probe.query === null ? '' : withoutKey(text, KEY_NAME)}`;
  hold(arrived.path === wanted, `it should arrive as ${JSON.stringify(wanted.slice(0, 1500))}: ${shown}`);
}

function newProbe(random: Random, routes: readonly Route[], id: string): Probe {
  const headers: (readonly [string, string])[] = [];
  const wanted = random.chance(0.6) && routes.length > 0 ? random.pick(routes) : null;
  if (wanted?.header) headers.push(wanted.header);
  else if (random.chance(0.3)) headers.push([random.pick(['x-v', 'x-w']), random.pick(['1', '2', '3', '4'])]);
  if (random.chance(0.1)) headers.push(['x-api-key', random.chance(0.8) ? KEY : 'other-query-secret']);
  const form = random.pick(['origin', 'origin', 'absolute', 'http2'] as const);
  return {
    id,
    method: form !== 'http2' && random.chance(0.2) ? 'POST' : 'GET',
    query: random.chance(0.03) ? null : someQuery(random, wanted),
    headers,
    form,
  };
}

function someQuery(random: Random, wanted: Route | null): string {
  if (random.chance(0.06)) return manyParameters(random);
  const parts = Array.from({ length: random.below(wanted === null ? 6 : 3) }, () => someParameter(random));
  for (const [name, condition] of Object.entries(wanted?.query ?? {}))
    parts.splice(random.below(parts.length + 1), 0, ...parameterFor(random, name, condition));
  const text = parts.join(random.chance(0.9) ? '&' : random.pick(['&&', ';', '&;', '?', '&amp;', '%26']));
  return random.chance(0.03) ? `${text}#${someParameter(random)}` : text;
}

/** Around the bound on how many are looked at, or far beyond; empty ones among them. */
function manyParameters(random: Random): string {
  const before = random.pick([60, 62, 63, 64, 65, 500, 3000]);
  const filler = random.pick(['a', '', 'a=', '=', 'v', '%76%7a', 'x'.repeat(8)]);
  return [...Array<string>(before).fill(filler), someParameter(random), someParameter(random)].join('&');
}

function someParameter(random: Random): string {
  if (random.chance(0.1))
    return `${spelt(random, KEY_NAME)}${random.pick(['=', '=', '', '=='])}${random.pick([KEY, KEY, '', 'other-query-secret'])}`;
  if (random.chance(0.1))
    return random.pick([
      '',
      '=',
      '==',
      '%',
      '%3d',
      '=1',
      'v',
      'v=1=2',
      '%00',
      'v%00=1',
      '%C3',
      '%c3%28=1',
      '?',
      '?v=1',
    ]);
  if (random.chance(0.02)) return `${random.pick(['v', 'q'])}=${'x'.repeat(random.below(20_000))}`;
  return `${spelt(random, random.pick(NAMES))}=${spelt(random, random.pick(VALUES))}`;
}

/** A parameter that meets the condition. */
function parameterFor(random: Random, name: string, condition: Condition): string[] {
  if (typeof condition === 'string') return [`${spelt(random, name)}=${spelt(random, condition)}`];
  if ('absent' in condition) return [];
  const value =
    'exact' in condition
      ? condition.exact
      : 'prefix' in condition
        ? condition.prefix + random.pick(['', 'x', '-2'])
        : 'oneOf' in condition
          ? random.pick(condition.oneOf)
          : random.pick(VALUES);
  return [`${spelt(random, name)}=${name === KEY_NAME ? KEY : spelt(random, value)}`];
}

/** The text as it may stand in a query: escaped where it must be, and wherever chance wants it. */
function spelt(random: Random, text: string): string {
  const spaces = random.pick(['+', '%20']);
  return [...Buffer.from(text)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      const hex = byte.toString(16).padStart(2, '0');
      const escape = `%${random.chance(0.5) ? hex : hex.toUpperCase()}`;
      if (char === ' ') return spaces;
      if (byte <= 0x20 || byte >= 0x7f || char === '#') return escape;
      if (char === '&' || char === '+') return random.chance(0.98) ? escape : char;
      if (char === '%') return random.chance(0.5) ? escape : char;
      return random.chance(0.1) ? escape : char;
    })
    .join('');
}
