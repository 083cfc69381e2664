import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';
import { seriesIn, type Series } from '../../harness/prometheus.ts';
import type { Random } from '../../harness/random.ts';
import { hold, pause, type Attack } from '../form.ts';
import type { Target } from '../target.ts';
import { Upstream, type Arrived } from '../upstream.ts';

/** Keys by their consumers; `nobody` has one that the policy does not know. */
const KEYS: Readonly<Record<string, string>> = {
  acme: 'acme-observed-secret',
  beta: 'beta-observed-secret',
  firm: 'firm-observed-secret',
  paused: 'paused-observed-secret',
  revoked: 'revoked-observed-secret',
  nobody: 'nobody-observed-secret',
};
const SECRETS = Object.values(KEYS);
/** Whose key makes a request somebody's. The others' are good for nothing here. */
const GOOD: ReadonlySet<string> = new Set(['acme', 'beta', 'firm']);
const FORGED = 'forged-identity';
const DATES = `{ id: r, digest: "${digestOf(KEYS['revoked']!)}", revoked: true }`;
/** Without the mode, the one that refuses. Only the quota of the plan `firm` is in force in both. */
const POLICY = `policy: modes
keySources: [{ header: x-api-key }, { authorization: Bearer }, { query: api_key }, { cookie: api_key }]
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  pets:
    paths: [/v1]
    plans: [free, gold, firm]
    upstream: v1
    operations: { GET /pets: {}, "GET /pets/{id}": { plans: [gold, firm] }, "POST /pets": { scopes: [write] }, "GET /old": { retired: {} } }
    routes: [{ name: special, when: { headers: { x-special: "1" } }, maintenance: {} }]
  gone: { paths: [/gone], plans: [gold], upstream: v1, retired: {} }
plans:
  free: { quotas: { few: { limit: 40, window: year } } }
  gold: {}
  firm: { quotas: { firm: { limit: 60, window: year, mode: enforce } } }
consumers:
  acme: { plan: gold, keys: [{ id: a, digest: "${digestOf(KEYS['acme']!)}" }, ${DATES}] }
  beta: { plan: free, keys: [{ id: b, digest: "${digestOf(KEYS['beta']!)}" }] }
  firm: { plan: firm, scopes: [write], keys: [{ id: f, digest: "${digestOf(KEYS['firm']!)}" }] }
  paused:
    subscriptions: { pets: { plan: gold, paused: true } }
    keys: [{ id: p, digest: "${digestOf(KEYS['paused']!)}" }]
`;
const PATHS = [
  '/v1/pets',
  '/v1/pets',
  '/v1/pets',
  '/v1/pets',
  '/v1/pets',
  '/v1/pets',
  '/v1/pets/7',
  '/v1/old',
  '/v1/other',
  '/gone',
  '/nowhere',
  '/V1/pets',
  '/v1/a%2fb',
];
/** Requests in a round, after which what was counted is compared. */
const ROUND = 120;
/** The module flushes its counts once a second. */
const FLUSH_MS = 200;
const MOST_FLUSHES = 150;

/** The same requests to a policy that refuses and to its twin that observes. */
export const modes: Attack = {
  name: 'modes',
  tries:
    'the same requests, with bad keys and forged identities, to a policy that enforces and to its twin that observes',
  async run(context) {
    const upstream = await Upstream.start();
    context.cleanUp(() => upstream.close());
    const open = (policy: string): Promise<Target> => context.open({ policy, upstream: upstream.url, workers: 1 });
    const enforced = await open(POLICY);
    const observed = await open(`mode: observe\n${POLICY}`);
    const wouldBeRefused = new Map<string, number>();
    for (let round = 0; context.isTimeLeft(); round++) {
      for (let i = 0; i < ROUND; i++) {
        const probe = newProbe(context.random, `${round}-${i}`);
        const refusal = await send(enforced, probe);
        upstream.taken(probe.id);
        const other = await send(observed, probe);
        const arrived = upstream.taken(probe.id);
        context.count('requests');
        judge(probe, refusal, other, arrived);
        // a quota in force is no matter of observing
        if (refusal !== null && refusal === other) context.count('refused by a quota in force');
        if (refusal === null || refusal === other) continue;
        context.count('only observed');
        wouldBeRefused.set(refusal, (wouldBeRefused.get(refusal) ?? 0) + 1);
      }
      await counts(observed, wouldBeRefused);
      enforced.isWell();
      observed.isWell();
    }
  },
};

interface Probe {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Consumers whose keys it carries. */
  readonly holders: readonly string[];
}

function newProbe(random: Random, id: string): Probe {
  let path = random.pick(PATHS);
  const headers: (readonly [string, string])[] = [['x-probe', id]];
  const holders: string[] = [];
  for (let keys = random.pick([0, 1, 1, 1, 1, 1, 1, 2]); keys > 0; keys--) {
    const holder = random.pick(Object.keys(KEYS));
    holders.push(holder);
    const key = KEYS[holder]!;
    const place = random.below(4);
    if (place === 0) headers.push(['x-api-key', key]);
    else if (place === 1) headers.push(['authorization', `Bearer ${key}`]);
    else if (place === 2) headers.push(['cookie', `a=1; api_key=${key}`]);
    else path += `${path.includes('?') ? '&' : '?'}api_key=${key}`;
  }
  if (random.chance(0.3))
    headers.push([random.pick(['x-tollgate-consumer', 'x_tollgate_plan', 'X-Tollgate-Route']), FORGED]);
  if (random.chance(0.1)) headers.push(['x-special', '1']);
  return { id, method: random.pick(['GET', 'GET', 'GET', 'GET', 'GET', 'POST', 'DELETE']), path, headers, holders };
}

/** The reason of the refusal, or null for a request that passed. */
async function send(target: Target, { method, path, headers }: Probe): Promise<string | null> {
  const reply = await sendRaw(target.port, requestBytes({ method, path, host: 'api.test', headers }));
  target.isAlive();
  hold(reply !== null, `no answer to ${method} ${path}`);
  if (reply.status === 200) return null;
  return (JSON.parse(reply.body) as { reason: string }).reason;
}

function judge(probe: Probe, refusal: string | null, other: string | null, arrived: Arrived | undefined): void {
  const what = `${probe.method} ${probe.path} ${JSON.stringify(probe.headers)}, which is ${refusal ?? 'allowed'} elsewhere`;
  if (other !== null) {
    const isFirm = other === 'quota_exceeded' && refusal === other && probe.holders.includes('firm');
    return hold(isFirm, `what is only observed was refused with ${other}: ${what}`);
  }
  const isFirms = new Set(probe.holders).size === 1 && probe.holders[0] === 'firm';
  hold(!(isFirms && refusal === 'quota_exceeded'), `a quota in force let pass: ${what}`);
  hold(arrived !== undefined, `answered without the upstream: ${what}`);
  for (const text of [decodeURIComponent(arrived.path), ...arrived.headers.map(([, value]) => value)]) {
    hold(!SECRETS.some((secret) => text.includes(secret)), `a key reaches the upstream: ${what}`);
    hold(!text.includes(FORGED), `a forged identity reaches the upstream: ${what}`);
  }
  const names = arrived.headers.map(([name]) => name).filter((name) => /^x[-_]tollgate[-_]/.test(name));
  hold(
    names.every((name) => /^x-tollgate-(consumer|plan|route)$/.test(name)) && new Set(names).size === names.length,
    `headers of Tollgate that are not its own: ${what}`,
  );
  const consumer = arrived.headers.find(([name]) => name === 'x-tollgate-consumer')?.[1];
  if (consumer !== undefined)
    hold(GOOD.has(consumer) && probe.holders.includes(consumer), `passes as ${consumer}: ${what}`);
  const isNobodys = refusal !== null && /_api_key$|^(no_api|invalid_|not_subscribed|subscription_)/.test(refusal);
  hold(!isNobodys || consumer === undefined, `passes as ${consumer}: ${what}`);
}

/** Resolves when what was observed is counted as the other policy has refused it, to the last request. */
async function counts(target: Target, wanted: ReadonlyMap<string, number>): Promise<void> {
  const print = (reasons: ReadonlyMap<string, number>): string => JSON.stringify([...reasons].sort());
  let found = '';
  for (let i = 0; i < MOST_FLUSHES && found !== print(wanted); i++) {
    if (i > 0) await pause(FLUSH_MS);
    const page = await fetch(`http://127.0.0.1:${target.envoy.admin.port}/stats/prometheus`);
    const sums = new Map<string, number>();
    for (const { name, labels, value } of seriesIn(await page.text()))
      if (name === 'tollgate_observed_total' && value > 0) add(sums, labels, value);
    found = print(sums);
  }
  hold(found === print(wanted), `refused elsewhere: ${print(wanted)}; counted as only observed: ${found}`);
}

function add(sums: Map<string, number>, { reason = '' }: Series['labels'], value: number): void {
  sums.set(reason, (sums.get(reason) ?? 0) + value);
}
