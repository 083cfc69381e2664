import { startEcho, type Seen } from '../../scripts/upstream/echo.ts';
import type { Random } from '../../harness/random.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { sendHttp2 } from '../../harness/envoy/http2Client.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';
import { hold, type Attack } from '../form.ts';
import { keyOf } from '../policy.ts';
import { serves } from '../serving.ts';

type Header = [name: string, value: string];

const REQUESTS_PER_ROUND = 200;
const CONSUMERS = 3;
const POLICY = `policy: petstore
keySources: [{ header: x-api-key }, { authorization: Bearer }, { query: api_key }, { cookie: api_key }]
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  petstore:
    paths: [/v1]
    plans: [gold]
    anonymous: allow
    upstream: v1
    routes:
      - { name: all, when: { path: /v1 }, setHeaders: { x-set: ours }, removeHeaders: [x-gone] }
plans: { gold: {} }
consumers:
${Array.from({ length: CONSUMERS }, (_, i) => `  c${i}: { plan: gold, keys: [{ id: k${i}, digest: "${digestOf(keyOf(i))}" }] }`).join('\n')}
`;

/** Keys and names in every spelling, on lines and in lists; what the upstream gets is judged by how other servers read headers. */
export const lists: Attack = {
  name: 'lists',
  tries: 'keys, identities and nominations in spellings and lists that servers read differently',
  async run(context) {
    const { random } = context;
    let seen: Seen | null = null;
    const echo = await startEcho('v1', (request) => {
      seen = request;
    });
    context.cleanUp(() => echo.close());
    const target = await context.open({ policy: POLICY, upstream: echo.url, workers: 1 });
    while (context.isTimeLeft()) {
      for (let i = 0; i < REQUESTS_PER_ROUND && context.isTimeLeft(); i++) {
        const path = `/v1/pets${queryOf(random)}`;
        const lines = Array.from({ length: 1 + random.below(5) }, () => linesOf(random)).flat();
        const overHttp2 = random.chance(0.3);
        seen = null;
        if (overHttp2)
          await sendHttp2(target.port, [
            [':method', 'GET'],
            [':scheme', 'http'],
            [':path', path],
            [':authority', 'a.test'],
            ...lines.map(([name, value]): Header => [name.toLowerCase(), value]),
          ]);
        else await sendRaw(target.port, requestBytes({ method: 'GET', path, host: 'a.test', headers: lines }));
        context.count('requests');
        if (seen !== null) {
          context.count('passed');
          judge(seen, JSON.stringify([overHttp2 ? 'HTTP/2' : 'HTTP/1', path, lines]));
        }
      }
      await serves(target, keyOf(0));
      target.isWell();
    }
  },
};

function queryOf(random: Random): string {
  return random.pick(['', '', '', '?a=1', `?api_key=${textOf(random)}`, `?a=1&api%5Fkey=${textOf(random)}&b`]);
}

function linesOf(random: Random): Header[] {
  const kind = random.below(10);
  if (kind < 4) return authorization(random);
  if (kind < 6) return [[random.pick(['x-api-key', 'x_api_key', 'X-Api_Key', 'x_api-key']), textOf(random)]];
  if (kind < 7) return [['cookie', random.pick([`api_key=${textOf(random)}`, `a=1; api_key=${textOf(random)} ; b=2`])]];
  if (kind < 8)
    return [[random.pick(['x-tollgate-consumer', 'X_Tollgate_Consumer', 'x_tollgate-plan', 'x-tollgate_route']), 'c1']];
  if (kind < 9) return [[random.pick(['x-set', 'x_set', 'x-gone', 'X_GONE']), 'theirs']];
  const nominations = random.pick([
    'x-tollgate-consumer',
    'x_tollgate_consumer, x-set',
    'close, x-tollgate-route',
    'keep-alive,x-set',
  ]);
  return [
    ['connection', random.pick(['Upgrade, ', 'upgrade ,', '']) + nominations],
    ['upgrade', 'websocket'],
  ];
}

/** Credentials of several schemes, on lines of their own or in one list. */
function authorization(random: Random): Header[] {
  const parts = Array.from({ length: 1 + random.below(4) }, () => credentials(random));
  if (random.chance(0.5)) return parts.map((part) => ['authorization', part]);
  return [['authorization', parts.join(random.pick([',', ', ', ' ,\t', ',,']))]];
}

function credentials(random: Random): string {
  const key = textOf(random);
  return random.pick([
    `Bearer ${key}`,
    `bEaReR\t  ${key}`,
    `Bearer:${key}`,
    `"Bearer ${key}"`,
    `Bearer\xa0${key}`,
    `Bearer ${key}`,
    'Bearer',
    'Basic YTpi',
    'Digest username="a',
    'b"',
    'Negotiate abc',
    '',
    '"',
    'BearerX abc',
  ]);
}

function textOf(random: Random): string {
  return random.pick([keyOf(0), keyOf(0), keyOf(0), keyOf(1), keyOf(2), 'no-such-secret-key', '']);
}

/** Names as CGI has them, and lists split at every comma: the most that any server can see in it. */
function judge({ path, headers: lines }: Seen, sent: string): void {
  const broken = (what: string): string => `${what}: sent ${sent}, upstream got ${JSON.stringify([path, lines])}`;
  hold(!/-secret-key/.test(JSON.stringify([path, lines])), broken('the upstream sees a key'));
  const all = (name: string): Header[] => lines.filter((line) => line[0].replaceAll('_', '-') === name);
  hold(all('x-api-key').length === 0, broken("the upstream sees a key's header"));
  for (const [, value] of all('authorization')) {
    hold(
      !value.split(',').some((part) => /^[^\w-]*bearer(?![\w-])/i.test(part)),
      broken('the upstream sees a bearer token'),
    );
  }
  hold(
    all('x-set').join() === 'x-set,ours' && all('x-gone').length === 0,
    broken('a header of the route is not as the policy says'),
  );
  const own = lines
    .filter(([name]) => /^x[-_]tollgate[-_]/.test(name))
    .map(([name]) => name)
    .sort()
    .join();
  hold(
    own === 'x-tollgate-route' || own === 'x-tollgate-consumer,x-tollgate-plan,x-tollgate-route',
    broken('the upstream sees a forged identity'),
  );
  for (const [, consumer] of all('x-tollgate-consumer'))
    hold(sent.includes(keyOf(Number(consumer.slice(1)))), broken('a consumer without its key'));
  for (const [, value] of all('connection')) {
    hold(
      value.split(',').every((name) => /^\s*(upgrade|keep-alive|close)\s*$/i.test(name)),
      broken('the connection nominates a header'),
    );
  }
}
