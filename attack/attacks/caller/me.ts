import { hammer } from '../../../harness/envoy/load.ts';
import { digestOf } from '../../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw, type WireReply } from '../../../harness/envoy/wireClient.ts';
import { Random } from '../../../harness/random.ts';
import type { AccessEntry } from '../../../scripts/envoy/accessLog.ts';
import { hold, pause, type Attack, type Context } from '../../form.ts';
import { respelt } from '../../spelling.ts';
import type { Target } from '../../target.ts';
import { Upstream } from '../../upstream.ts';

const WORKERS = [4, 1, 2];
const ROUND_MS = 4000;
/** A round that asks too little would prove nothing. */
const LEAST_MS = 1500;
const LIMIT = 300;
const BUSY_LIMIT = 100_000;
const PER_MINUTE = 600;
const AT_ONCE = 10;
const APP = 'https://app.example.com';
const ME = '/.tollgate/me';

interface Key {
  readonly id: string;
  readonly consumer: string;
  readonly plan: string | null;
  /** As the policy has it, beside id and digest. */
  readonly terms?: string;
  /** Where it is not answered, and how: by API, or `*`. */
  readonly refused?: Readonly<Record<string, number>>;
  readonly expires?: string;
}

const KEYS: readonly Key[] = [
  { id: 'quiet-1', consumer: 'quiet', plan: 'free' },
  {
    id: 'quiet-2',
    consumer: 'quiet',
    plan: 'free',
    terms: "until: '2099-03-01T12:00:00Z'",
    expires: '2099-03-01T12:00:00Z',
  },
  {
    id: 'quiet-shop',
    consumer: 'quiet',
    plan: 'free',
    terms: 'apis: [shop]',
    refused: { paged: 403, seen: 403, bare: 403 },
  },
  {
    id: 'quiet-far',
    consumer: 'quiet',
    plan: 'free',
    terms: 'addresses: { allow: [203.0.113.0/24] }',
    refused: { '*': 403 },
  },
  { id: 'quiet-old', consumer: 'quiet', plan: 'free', terms: "until: '2020-01-01T00:00:00Z'", refused: { '*': 401 } },
  { id: 'quiet-gone', consumer: 'quiet', plan: 'free', terms: 'revoked: true', refused: { '*': 401 } },
  { id: 'busy-1', consumer: 'busy', plan: 'gold' },
  { id: 'eager-1', consumer: 'eager', plan: 'free' },
  { id: 'eager-2', consumer: 'eager', plan: 'free' },
  { id: 'planless-1', consumer: 'planless', plan: null, refused: { '*': 403 } },
];
const secretOf = (id: string): string => `${id}-telling-secret`;
const CONSUMERS = [...new Set(KEYS.map(({ consumer }) => consumer))];

function policy(edit: number, tells = true): string {
  const me = tells ? `me: { perMinute: ${PER_MINUTE} }, ` : '';
  const keysOf = (consumer: string): string =>
    KEYS.filter((key) => key.consumer === consumer)
      .map(
        ({ id, terms }) =>
          `{ id: ${id}, digest: "${digestOf(secretOf(id))}"${terms === undefined ? '' : `, ${terms}`} }`,
      )
      .join(', ');
  const planOf = (consumer: string): string => {
    const { plan } = KEYS.find((key) => key.consumer === consumer)!;
    return plan === null ? '' : `plan: ${plan}, `;
  };
  return `policy: me
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  shop: { paths: [/shop], plans: [free, gold], ${me}upstream: v1, routes: [{ name: r${edit % 5}, when: { headers: { x-take: r${edit % 5} } } }] }
  paged: { paths: [/paged, /other/paged], plans: [free, gold], ${tells ? `me: { path: /account, perMinute: ${PER_MINUTE} }, ` : ''}cors: { origins: ["${APP}"] }, anonymous: allow, upstream: v1 }
  seen: { paths: [/seen], plans: [free, gold], ${me}mode: observe, upstream: v1 }
  bare: { paths: [/bare], plans: [free, gold], upstream: v1 }
plans:
  free: { quotas: { q: { limit: ${LIMIT}, window: year } } }
  gold: { quotas: { q: { limit: ${BUSY_LIMIT}, window: year }, hidden: { limit: 5, window: year, mode: observe } } }
consumers:
${CONSUMERS.map((consumer) => `  ${consumer}: { ${planOf(consumer)}keys: [${keysOf(consumer)}] }\n`).join('')}`;
}

interface Place {
  readonly api: string;
  readonly path: string;
}

const PLACES: readonly Place[] = [
  { api: 'shop', path: `/shop${ME}` },
  { api: 'paged', path: '/paged/account' },
  { api: 'paged', path: '/other/paged/account' },
  { api: 'seen', path: `/seen${ME}` },
];

/** Callers are told of themselves and of nobody else, as often as the policy says, and it costs them nothing. */
export const me: Attack = {
  name: 'me',
  tries:
    'questions about a plan by any key, method, origin and spelling, and floods of them over all workers while the policy is edited: told of oneself only, to the limit, and for nothing',
  async run(context) {
    for (let round = 0; round === 0 || context.isTimeLeft(); round++)
      await attackOne(context, WORKERS[round % WORKERS.length]!);
  },
};

async function attackOne(context: Context, workers: number): Promise<void> {
  const upstream = await Upstream.start();
  context.cleanUp(() => upstream.close());
  let told = 0;
  const note = ({ tollgate }: AccessEntry): void => {
    if (tollgate?.startsWith('reason=me_answered ') && tollgate.includes('consumer=eager ')) told++;
  };
  const target = await context.open({ policy: policy(0), upstream: upstream.url, workers, onAccess: note });
  const started = Date.now();
  const until = started + Math.max(LEAST_MS, Math.min(ROUND_MS, context.leftMs()));
  const goesOn = (): boolean => Date.now() < until;
  const busy = { sent: 0, passed: 0 };
  await Promise.all([
    floodMe(context, target, goesOn),
    spendBusily(context, target, busy, goesOn),
    ...Array.from({ length: 3 }, (_, i) => asking(context, target, upstream, `${i}`, busy, goesOn)),
    editing(context, target, goesOn),
  ]);
  await pause(100);
  holdRate(told, (Date.now() - started) / 1000, workers);
  await isFree(target, workers);
  await ends(target);
  target.isWell();
  await target.stop();
}

/** The bucket of one consumer, on one API: of all workers together, and no edit refills it. */
function holdRate(told: number, seconds: number, workers: number): void {
  const most = AT_ONCE + Math.ceil((seconds * PER_MINUTE) / 60) + 1;
  hold(told <= most, `told ${told} times in ${seconds} s, of ${most} at most, with ${workers} workers`);
  hold(told >= AT_ONCE, `told only ${told} times in ${seconds} s, with ${workers} workers`);
}

async function floodMe({ count }: Context, target: Target, goesOn: () => boolean): Promise<void> {
  await Promise.all(
    ['eager-1', 'eager-2'].map(async (id) => {
      const load = { port: target.port, path: `/shop${ME}`, headers: { 'x-api-key': secretOf(id) }, connections: 4 };
      const tally = await hammer(load, () => {
        const more = goesOn();
        if (more) count('questions');
        return more;
      });
      target.isAlive();
      const strange = [...tally.keys()].filter((status) => status !== 200 && status !== 429);
      hold(strange.length === 0, `a flood of questions was answered ${strange.join()}`);
    }),
  );
}

async function spendBusily(
  { count }: Context,
  target: Target,
  busy: { sent: number; passed: number },
  goesOn: () => boolean,
): Promise<void> {
  const headers = [['x-api-key', secretOf('busy-1')] as const];
  const bytes = requestBytes({ method: 'GET', path: '/shop/x', host: 'a.test', headers });
  const one = async (): Promise<void> => {
    while (goesOn()) {
      busy.sent++;
      const reply = await sendRaw(target.port, bytes);
      hold(reply?.status === 200, `a request with units left was answered ${reply?.status}`);
      busy.passed++;
      count('requests');
    }
  };
  await Promise.all([one(), one()]);
}

async function editing({ random, count }: Context, target: Target, goesOn: () => boolean): Promise<void> {
  for (let edit = 1; goesOn(); edit++) {
    await pause(random.below(400));
    await target.edit(policy(edit));
    count('edits');
  }
}

async function asking(
  context: Context,
  target: Target,
  upstream: Upstream,
  caller: string,
  busy: { readonly sent: number; readonly passed: number },
  goesOn: () => boolean,
): Promise<void> {
  const random = new Random(context.random.below(2 ** 31));
  for (let i = 0; goesOn(); i++) {
    const place = random.pick(PLACES);
    const isPlain = random.chance(0.6);
    const path = isPlain
      ? `${place.path}${random.pick(['', '', '/', '?x=1', '?', '?apikey='])}`
      : respelt(
          random,
          random.pick([place.path, place.path.toUpperCase(), `${place.path}/x`, `/bare${ME}`, '/paged/.tollgate/me']),
        );
    const askers = KEYS.filter(({ consumer }) => consumer !== 'eager' && (isPlain || consumer !== 'quiet'));
    const key = random.chance(0.85) ? random.pick(askers) : null;
    const method = random.chance(0.7) ? 'GET' : random.pick(['HEAD', 'POST', 'DELETE', 'OPTIONS', 'PUT', 'PATCH']);
    const origin = random.chance(0.2)
      ? random.pick([APP, 'https://evil.example', 'null', `${APP}.evil.example`])
      : null;
    const id = `${caller}-${i}`;
    const headers: [string, string][] = [['x-probe', id]];
    if (key !== null) headers.push(['x-api-key', secretOf(key.id)]);
    else if (random.chance(0.5))
      headers.push(['x-api-key', random.pick(['no-such-key-at-all', 'x', secretOf('quiet-1').slice(1)])]);
    if (origin !== null) headers.push(['origin', origin]);
    if (random.chance(0.1)) headers.push(['x-tollgate-consumer', random.pick(CONSUMERS)]);
    const isGrpc = random.chance(0.1);
    if (isGrpc) headers.push(['content-type', 'application/grpc']);
    const before = busy.passed;
    const reply = await sendRaw(target.port, requestBytes({ method, path, host: 'a.test', headers }), method);
    target.isAlive();
    context.count('questions');
    const what = `${method} ${path} with ${key?.id ?? 'no key of the policy'}, ${JSON.stringify(headers)} got ${reply?.status} ${reply?.body.slice(0, 600)}`;
    hold(reply !== null, `no answer to ${what}`);
    const arrived = upstream.taken(id) !== undefined;
    tellsNothingElse(reply, key, what);
    if (reply.headers.some(([name]) => name === 'access-control-allow-origin'))
      hold(origin === APP, `another origin may read it: ${what}`);
    // what gRPC gets is headers alone, always with 200
    if (!isPlain || isGrpc) continue;
    const allowed = allowedOf(place, key, method);
    // what only observes lets pass what it would refuse
    const passes = place.api === 'seen' && !allowed.includes(200);
    hold(arrived === passes, `a question reached the upstream, or one that should did not: ${what}`);
    if (passes) continue;
    hold(allowed.includes(reply.status), `it should be ${allowed.join(' or ')}: ${what}`);
    if (reply.status !== 200 || method !== 'GET') continue;
    context.count('told');
    isTrue(reply, place, key!, { least: before, most: busy.sent }, what);
  }
}

function allowedOf({ api }: Place, key: Key | null, method: string): readonly number[] {
  if (method !== 'GET' && method !== 'HEAD') return [405];
  if (key === null) return [401];
  const refused = key.refused?.['*'] ?? key.refused?.[api];
  return refused === undefined ? [200, 429] : [refused];
}

/** No answer holds a key, or anything that belongs to another consumer. */
function tellsNothingElse({ headers, body }: WireReply, key: Key | null, what: string): void {
  const text = `${JSON.stringify(headers)}${body}`;
  for (const { id, consumer } of KEYS) {
    hold(!text.includes(secretOf(id)), `an answer holds a key: ${what}`);
    if (id === key?.id) continue;
    hold(
      !text.includes(`"${id}"`) && (consumer === key?.consumer || !text.includes(`"${consumer}"`)),
      `it tells of ${id}: ${what}`,
    );
  }
}

interface Standing {
  readonly name: string;
  readonly limit: number;
  readonly used: number;
  readonly remaining: number;
}

function isTrue(
  reply: WireReply,
  { api }: Place,
  key: Key,
  busy: { readonly least: number; readonly most: number },
  what: string,
): void {
  const told = JSON.parse(reply.body) as { readonly quotas: readonly Standing[] };
  const { quotas, ...rest } = told;
  const expected = { api, plan: key.plan, keyId: key.id, keyExpires: key.expires ?? null };
  hold(JSON.stringify(rest) === JSON.stringify(expected), `it should begin ${JSON.stringify(expected)}: ${what}`);
  // quotas that are only observed are none to a caller
  if (api === 'seen') return hold(quotas.length === 0, `it tells of quotas that are only observed: ${what}`);
  const [q, ...others] = quotas;
  hold(q?.name === 'q' && others.length === 0, `the quotas are others: ${what}`);
  hold(
    q.limit === (key.plan === 'free' ? LIMIT : BUSY_LIMIT) && q.used + q.remaining === q.limit,
    `numbers do not add up: ${what}`,
  );
  if (key.consumer === 'quiet') hold(q.used === 0, `who only asked has spent units: ${what}`);
  else hold(q.used >= busy.least, `${q.used} used, and ${busy.least} had passed before: ${what}`);
}

/** Whoever only asked still has every unit, of all its keys together. */
async function isFree(target: Target, workers: number): Promise<void> {
  for (const id of ['quiet-1', 'eager-1']) {
    const load = {
      port: target.port,
      path: '/shop/x',
      headers: { 'x-api-key': secretOf(id) },
      connections: workers * 2,
    };
    let passed = 0;
    for (let quiet = 0; quiet < 30 && passed < LIMIT;) {
      let left = 60;
      const more = (await hammer(load, () => left-- > 0)).get(200) ?? 0;
      passed += more;
      quiet = more === 0 ? quiet + 1 : 0;
      if (more === 0) await pause(200);
    }
    let left = 20;
    passed += (await hammer(load, () => left-- > 0)).get(200) ?? 0;
    hold(passed === LIMIT, `who only asked got ${passed} requests through, of ${LIMIT}, with ${workers} workers`);
    target.isAlive();
  }
}

/** Once the policy says so, the path is one like any other. */
async function ends(target: Target): Promise<void> {
  await target.edit(policy(0, false));
  for (const path of [`/shop${ME}`, '/paged/account']) {
    const headers = [['x-api-key', secretOf('busy-1')] as const];
    const reply = await sendRaw(target.port, requestBytes({ method: 'GET', path, host: 'a.test', headers }));
    hold(
      reply?.status === 200 && reply.body === '',
      `${path} is answered ${reply?.status} ${reply?.body} though nobody is told any more`,
    );
  }
}
