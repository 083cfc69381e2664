import { digestOf } from '../../../harness/envoy/testPolicy.ts';
import { sendRaw } from '../../../harness/envoy/wireClient.ts';
import { Random } from '../../../harness/random.ts';
import type { AccessEntry } from '../../../scripts/envoy/accessLog.ts';
import { askHttp2, openHttp2 } from '../../client.ts';
import { hold, pause, type Attack, type Context } from '../../form.ts';
import type { Target } from '../../target.ts';
import { Upstream, type Arrived } from '../../upstream.ts';
import { expectedOf, findApi, merged, operationOf, readingsOf, type Api } from './model.ts';

const KEY = 'acme-data-secret';
const AT_ONCE = 6;
const ROUND_MS = 3000;

const TEMPLATES: Readonly<Record<string, string>> = {
  project: '/projects/{id}',
  issues: '/projects/{id}/issues',
  json: '/projects/{id}.json',
  secret: '/projects/secret',
  files: '/files/{path...}',
  deep: '/files/secret/{id}',
  a: '/a',
  any: '/{one}/{two}',
};

/** APIs with and without data side by side and below one another; some of what they have is left to chance. */
function someApis(random: Random): Api[] {
  const operations = (): Pick<Api, 'operations'> =>
    random.chance(0.5)
      ? { operations: Object.fromEntries(Object.entries(TEMPLATES).filter(() => random.chance(0.6))) }
      : {};
  const some = (kinds: Pick<Api, 'escaped' | 'empty'>, name: string, paths: string[], more: Partial<Api> = {}): Api => {
    const own = operations();
    return { name, paths, ...kinds, ...(Object.keys(own.operations ?? {}).length > 0 && own), ...more };
  };
  const both = { escaped: true, empty: true };
  const neither = { escaped: false, empty: false };
  return [
    some(both, 'forge', ['/api/v4'], { routes: { files: '/api/v4/files', one: '/api/v4/projects/a' } }),
    some({ escaped: true, empty: false }, 'slashes', ['/s'], { routes: { files: '/s/files' } }),
    some({ escaped: false, empty: true }, 'empties', ['/e'], { routes: { files: '/e/files' } }),
    some(neither, 'plain', ['/p', '/api/p']),
    some(neither, 'admin', ['/admin', '/api/v4/admin', '/s/admin', '/e/admin']),
    some(both, 'inner', ['/p/data', '/admin/data']),
    some(random.pick([both, neither]), 'open', ['/open'], { isOpen: true }),
    some(random.pick([both, neither]), 'closed', ['/open/admin']),
  ];
}

function policyOf(apis: readonly Api[]): string {
  return JSON.stringify({
    policy: 'data',
    upstreams: { v1: { url: 'http://127.0.0.1:9001' } },
    apis: Object.fromEntries(
      apis.map(({ name, paths, escaped, empty, isOpen, operations, routes }) => [
        name,
        {
          hosts: ['api.example.com'],
          paths,
          plans: ['gold'],
          upstream: 'v1',
          ...((escaped || empty) && {
            pathData: [...(escaped ? ['escaped-slashes'] : []), ...(empty ? ['empty-segments'] : [])],
          }),
          ...(isOpen && { anonymous: 'allow' }),
          ...(operations && {
            operations: Object.fromEntries(
              Object.entries(operations).map(([operation, template]) => [`GET ${template}`, { name: operation }]),
            ),
          }),
          ...(routes && {
            routes: Object.entries(routes).map(([route, path]) => ({ name: route, when: { path }, upstream: 'v1' })),
          }),
        },
      ]),
    ),
    plans: { gold: {} },
    consumers: { acme: { plan: 'gold', keys: [{ id: 'a', digest: digestOf(KEY) }] } },
  });
}

/** A path with data reaches the API, the operation and the route that the model gives it, and no gate opens without a key. */
export const pathData: Attack = {
  name: 'pathData',
  tries:
    'paths with escaped slashes and empty segments, and with all that is odd beside them, on APIs that take them for data and on others',
  async run(context) {
    const upstream = await Upstream.start();
    context.cleanUp(() => upstream.close());
    do await attackOne(context, upstream);
    while (context.isTimeLeft());
  },
};

async function attackOne(context: Context, upstream: Upstream): Promise<void> {
  const apis = someApis(context.random);
  let fault: string | null = null;
  const note = (entry: AccessEntry): void => void (fault ??= chargedWrongly(apis, entry));
  const target = await context.open({ policy: policyOf(apis), upstream: upstream.url, workers: 1, onAccess: note });
  const until = Date.now() + Math.min(ROUND_MS, context.leftMs());
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => asking(context, target, upstream, apis, `${i}`, until)));
  await pause(50);
  hold(fault === null, fault ?? '');
  target.isWell();
  await target.stop();
}

/** The operation that a request was charged to, by the path that went on: with its data, and with slashes merged. */
function chargedWrongly(apis: readonly Api[], { tollgate, path }: AccessEntry): string | null {
  const [, reason = '', name] = /^reason=(\w+) api=(\S+)/.exec(tollgate ?? '') ?? [];
  if ((reason !== 'allowed' && reason !== 'anonymous') || path === null) return null;
  const found = findApi(apis, path);
  // letters may stay as they came where a template has a variable with a word behind it
  path = path.replace(/%([0-9a-f]{2})/gi, (escape, digits: string) => {
    const char = String.fromCharCode(parseInt(digits, 16));
    return /[\w.~-]/.test(char) ? char : escape;
  });
  const said = /\boperation=(\S+)/.exec(tollgate ?? '')?.[1] ?? null;
  const seen = found === null ? [] : [operationOf(found, path), operationOf(found, merged(path))];
  return found?.api.name === name && seen.every((operation) => operation === said)
    ? null
    : `${JSON.stringify(path)} went on as ${name} ${said}, and is ${found?.api.name ?? 'nothing'} ${seen.join(' or ')}`;
}

async function asking(
  context: Context,
  target: Target,
  upstream: Upstream,
  apis: readonly Api[],
  caller: string,
  until: number,
): Promise<void> {
  const random = new Random(context.random.below(2 ** 31));
  for (let i = 0; i === 0 || Date.now() < until; i++) {
    const id = `${caller}-${i}`;
    const isPlain = random.chance(0.6);
    const path = isPlain ? plainPath(random) : oddPath(random);
    const hasKey = random.chance(0.6);
    const status = await send(target, path, id, hasKey, random.chance(0.3));
    target.isAlive();
    context.count('paths');
    const arrived = upstream.taken(id);
    const shown = `${JSON.stringify(path)} ${hasKey ? 'with' : 'without'} a key got ${status}${arrived === undefined ? '' : ` and arrived as ${JSON.stringify(arrived.path)} for ${routeIn(arrived)}`}`;
    if (isPlain) judgePlain(context, apis, path, hasKey, status, arrived, shown);
    else if (arrived !== undefined) judgeOdd(context, apis, hasKey, arrived, shown);
  }
}

function routeIn({ headers }: Arrived): string {
  return headers.find(([name]) => name === 'x-tollgate-route')?.[1] ?? 'nothing';
}

function judgePlain(
  { count }: Context,
  apis: readonly Api[],
  path: string,
  hasKey: boolean,
  status: number | string,
  arrived: Arrived | undefined,
  shown: string,
): void {
  const expected = expectedOf(apis, path);
  const passes = expected.status === 200 && (hasKey || expected.api.isOpen === true);
  const wanted = expected.status === 200 && !passes ? 401 : expected.status;
  hold(status === wanted, `it should be ${wanted}: ${shown}`);
  hold((arrived !== undefined) === passes, `what is refused arrives, or what passes does not: ${shown}`);
  if (arrived === undefined || expected.status !== 200) return;
  count(/%2f|\/\//i.test(arrived.path) ? 'with data' : 'without data');
  hold(arrived.path === expected.forwarded, `it should arrive as ${expected.forwarded}: ${shown}`);
  const route = `${expected.api.name}/${expected.route}`;
  hold(routeIn(arrived) === route, `it should go to ${route}: ${shown}`);
}

/** However anybody reads what came through, it is of the API that let it pass. */
function judgeOdd({ count }: Context, apis: readonly Api[], hasKey: boolean, arrived: Arrived, shown: string): void {
  count('odd, let through');
  const [name] = routeIn(arrived).split('/');
  for (const path of readingsOf(arrived.path)) {
    const found = findApi(apis, path)?.api;
    hold(found?.name === name, `some server finds ${found?.name ?? 'nothing'} at ${JSON.stringify(path)}: ${shown}`);
    hold(hasKey || found?.isOpen === true, `a gate opened without a key: ${shown}`);
  }
}

async function send(
  target: Target,
  path: string,
  id: string,
  hasKey: boolean,
  overHttp2: boolean,
): Promise<number | string> {
  const key = hasKey ? { 'x-api-key': KEY } : {};
  if (overHttp2) {
    const session = await openHttp2(target.port);
    if (session === null) return 'lost';
    const headers = { ':path': path, ':authority': 'api.example.com', 'x-probe': id, ...key };
    const end = await askHttp2(session, { headers });
    session.destroy();
    return end;
  }
  const lines = [
    `GET ${path} HTTP/1.1`,
    'host: api.example.com',
    `x-probe: ${id}`,
    ...Object.entries(key).map(([name, value]) => `${name}: ${value}`),
  ];
  return (await sendRaw(target.port, `${lines.join('\r\n')}\r\n\r\n`))?.status ?? 'lost';
}

const STARTS = [
  '/api/v4',
  '/api/v4',
  '/s',
  '/e',
  '/p',
  '/p/data',
  '/admin',
  '/admin/data',
  '/open',
  '/open/admin',
  '/api',
  '',
];
const WORDS = [
  'a',
  'b',
  'projects',
  'projects',
  'issues',
  'files',
  'secret',
  'admin',
  'admin',
  'data',
  'x.json',
  'users',
];
const JOINTS = ['/', '/', '/', '/', '%2F', '%2f', '//', '///', '%2F%2F', '/%2F', '%2f/'];

/** Words with data between them; now and then in the path of the API itself. */
function plainPath(random: Random): string {
  let path = random.pick(STARTS);
  for (let words = 1 + random.below(3); words > 0; words--) path += random.pick(JOINTS) + random.pick(WORDS);
  if (random.chance(0.2)) path += random.pick(['/', '//', '%2F']);
  if (random.chance(0.08)) path = path.replace('/', random.pick(['//', '/%2F', '%2F', '///']));
  if (random.chance(0.08)) path = path.replace(/(?<=.)\//, random.pick(['//', '%2F']));
  return path.startsWith('/') ? path : `/${path}`;
}

const ODD = [
  '.',
  '..',
  '/..',
  '/../',
  '/./',
  '%2e',
  '%2E%2e',
  ';',
  ';x',
  '..;',
  '%3b',
  '%5C',
  '\\',
  '%25',
  '%252F',
  '%252e',
  '%00',
  '%',
  '%zz',
  '%c0%af',
  '%3F',
  '%23',
  '%61',
  '*',
  '~',
  '%2F..%2F',
  '%2f.',
  '//..',
  'A',
  'ADMIN',
  '%20',
];

function oddPath(random: Random): string {
  let path = plainPath(random);
  for (let times = 1 + random.below(3); times > 0; times--) {
    const at = random.below(path.length + 1);
    path =
      random.chance(0.2) && at < path.length
        ? `${path.slice(0, at)}%${path.charCodeAt(at).toString(16).padStart(2, '0')}${path.slice(at + 1)}`
        : path.slice(0, at) + random.pick(ODD) + path.slice(at);
  }
  return path.startsWith('/') ? path : `/${path}`;
}
