import type { AccessEntry } from '../../scripts/envoy/accessLog.ts';
import { hammer } from '../../harness/envoy/load.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { linearOperation, type Listed } from '../../harness/spellings/linearOperation.ts';
import type { Random } from '../../harness/random.ts';
import { askHttp2, openHttp2 } from '../client.ts';
import { hold, pause, type Attack, type Context } from '../form.ts';
import { respelt } from '../spelling.ts';
import type { Target } from '../target.ts';

const LIMIT = 60;
const OPERATIONS = 12;
/** Spellings of one operation that are sent at once, each over connections of its own. */
const SPELLINGS = 4;
const REQUESTS_PER_SPELLING = 40;
const SETTLE_MS = 8000;
const KEY = 'acme-secret-key';

/** Few words, so that templates overlap and paths hit them; spellings that servers read in different ways among them. */
const TEMPLATE_PARTS = ['a', 'b', 'A', 'ab', 'a-b', '{}', '{}', 'a{}', '{}b', 'a{}b', '{}.json'];
const PATH_PARTS = [
  'a',
  'b',
  'A',
  'B',
  'ab',
  'aB',
  'axb',
  'x.json',
  'a;x',
  'a;',
  'x%3Fy',
  'a%23',
  'x',
  '7',
  '%2e',
  '~',
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'get', 'PATCH', 'OPTIONS', 'QUERY'];

interface Operation extends Listed {
  /** Null: any. */
  readonly method: 'GET' | null;
}

/** What the access log said was let through, by operation, and the first request that a plain server would serve as another. */
class Seen {
  readonly allowed = new Map<string, number>();
  fault: string | null = null;

  constructor(private readonly listed: readonly Operation[]) {}

  note({ tollgate, path, method }: AccessEntry): void {
    const name = /^reason=allowed .*\boperation=(\S+)/.exec(tollgate ?? '')?.[1];
    if (name === undefined) return;
    this.allowed.set(name, this.of(name) + 1);
    const served = servedAt(this.listed, path ?? '');
    const taken = this.listed.find((operation) => operation.name === name)?.method ?? null;
    const isTaken = taken === null || method === 'GET' || method === 'HEAD';
    if (served !== name || !isTaken)
      this.fault ??= `${method} ${JSON.stringify(path)} was charged to ${name}, but a server may serve ${served ?? 'nothing'}`;
  }

  of(name: string): number {
    return this.allowed.get(name) ?? 0;
  }

  holds(): void {
    hold(this.fault === null, this.fault ?? '');
    for (const [name, count] of this.allowed)
      hold(count <= LIMIT, `${count} requests let through to the operation ${name}, of ${LIMIT}`);
  }
}

/** Random templates, each with a quota of its own: whatever paths are sent, an operation gets as many through as its limit says. */
export const operations: Attack = {
  name: 'operations',
  tries:
    "floods against operations' own quotas, by odd spellings of paths over several connections: the limit, no request more, and charged to what a server would serve",
  async run(context) {
    do await attackOne(context);
    while (context.isTimeLeft());
  },
};

async function attackOne(context: Context): Promise<void> {
  const listed = someOperations(context.random);
  const seen = new Seen(listed);
  const target = await context.open({
    policy: policyOf(listed),
    workers: context.random.pick([1, 2, 4]),
    onAccess: (entry) => seen.note(entry),
  });
  await anything(context, target);
  for (let i = 0; i < 3 && (i === 0 || context.isTimeLeft()); i++) {
    const operation = context.random.pick(listed);
    const path = pathTo(context.random, listed, operation);
    if (path === null) continue;
    await flood(context, target, path);
    await spendRest(target, path, () => seen.of(operation.name));
    seen.holds();
    hold(seen.of(operation.name) === LIMIT, `${seen.of(operation.name)} requests let through, of ${LIMIT}`);
  }
  seen.holds();
  target.isWell();
  await target.stop();
}

function someOperations(random: Random): Operation[] {
  const templates = new Set<string>();
  while (templates.size < OPERATIONS) {
    const parts = Array.from({ length: 1 + random.below(3) }, () => random.pick(TEMPLATE_PARTS));
    templates.add(`/${parts.join('/')}${random.chance(0.2) ? '/{...}' : ''}`);
  }
  return [...templates].map((template, i) => ({
    name: `o${i}`,
    template,
    method: random.chance(0.5) ? 'GET' : null,
  }));
}

function policyOf(listed: readonly Operation[]): string {
  const lines = listed.map(({ name, template, method }) => {
    let variable = 0;
    const written = template.replace(/\{(\.\.\.)?\}/g, (_, rest = '') => `{v${variable++}${rest}}`);
    return `      "${method === null ? '' : `${method} `}${written}": { name: ${name}, quotas: { own: { limit: ${LIMIT}, window: year, scope: envoy } } }\n`;
  });
  return `policy: operations
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  shop:
    paths: [/v1]
    plans: [gold]
    upstream: v1
    operations:
${lines.join('')}plans: { gold: { quotas: { all: { limit: 1000000, window: year } } } }
consumers:
  acme: { plan: gold, keys: [{ id: a, digest: "${digestOf(KEY)}" }] }
`;
}

/** What a server finds at a path, however it reads it; null where servers may find different operations. */
function servedAt(listed: readonly Listed[], path: string): string | null {
  const plain = path.replace(/%[0-9a-f]{2}/gi, (escape) => {
    const char = String.fromCharCode(parseInt(escape.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(char) ? char : escape.toUpperCase();
  });
  if (!plain.startsWith('/v1')) return null;
  const { name, doubtful } = linearOperation(listed, plain.slice('/v1'.length));
  return doubtful ? null : name;
}

function somePath(random: Random, template: string): string {
  const part = (): string => random.pick(PATH_PARTS);
  return `/v1${template.replace('{...}', () => (random.chance(0.5) ? part() : `${part()}/${part()}`)).replace(/\{\}/g, part)}`;
}

/** A plain path that leads to the operation, if one is soon found: others may take all of its requests. */
function pathTo(random: Random, listed: readonly Operation[], { name, template }: Operation): string | null {
  for (let tries = 0; tries < 100; tries++) {
    const path = somePath(random, template);
    if (/^[\w/.~-]+$/.test(path) && servedAt(listed, path) === name) return path;
  }
  return null;
}

/** Any path by any method, one after the other: only what they are charged to matters. */
async function anything({ random, count }: Context, target: Target): Promise<void> {
  const session = await openHttp2(target.port);
  target.isAlive();
  if (session === null) return;
  for (let i = 0; i < 150; i++) {
    const template = `/${Array.from({ length: 1 + random.below(3) }, () => random.pick(TEMPLATE_PARTS)).join('/')}`;
    const path = respelt(random, somePath(random, template));
    const headers = { ':method': random.pick(METHODS), ':path': path, 'x-api-key': KEY };
    hold((await askHttp2(session, { headers })) !== 'hung', `${path} was never answered`);
    count('spellings');
  }
  session.destroy();
}

/** The path as it is, and spelled in other ways, all at once: over HTTP/1.1 and HTTP/2. */
async function flood({ random, count }: Context, target: Target, path: string): Promise<void> {
  const headers = { 'x-api-key': KEY };
  const spelled = [path, ...Array.from({ length: SPELLINGS }, () => respelt(random, path))];
  await Promise.all(
    spelled.flatMap((path) => {
      let left = REQUESTS_PER_SPELLING;
      return [
        hammer({ port: target.port, headers, connections: 2, path }, () => left-- > 0),
        overHttp2(target, { ...headers, ':path': path }),
      ];
    }),
  );
  count('requests', spelled.length * 2 * REQUESTS_PER_SPELLING);
  target.isAlive();
}

async function overHttp2(target: Target, headers: Readonly<Record<string, string>>): Promise<void> {
  const session = await openHttp2(target.port);
  if (session === null) return;
  await Promise.all(Array.from({ length: REQUESTS_PER_SPELLING }, () => askHttp2(session, { headers })));
  session.destroy();
}

/** Leases that a worker holds idle come back on its tick. */
async function spendRest(target: Target, path: string, seen: () => number): Promise<void> {
  const deadline = Date.now() + SETTLE_MS;
  const load = { port: target.port, headers: { 'x-api-key': KEY }, connections: target.workers * 2, path };
  while (seen() < LIMIT && Date.now() < deadline) {
    let left = 40;
    await hammer(load, () => left-- > 0);
    target.isAlive();
    await pause(100);
  }
  let more = 20;
  await hammer(load, () => more-- > 0);
  await pause(100);
}
