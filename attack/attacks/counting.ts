import { hammer } from '../../harness/envoy/load.ts';
import { seriesIn } from '../../harness/prometheus.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import type { AccessEntry } from '../../scripts/envoy/accessLog.ts';
import { hold, pause, type Attack, type Context } from '../form.ts';
import type { Target } from '../target.ts';

const FLOOD_MS = 4000;
/** Rounds in which nothing passes, each longer than a worker takes to give back what it does not spend. */
const MOST_QUIET = 30;
const WORKERS = [4, 2, 1];

/** Keys by their ids, which are unique here. */
const keyOf = (id: string): string => `${id}-counted-secret`;
const key = (id: string): string => `{ id: ${id}, digest: "${digestOf(keyOf(id))}" }`;

/** Plans come in pairs that differ in name, and consumers change between them. What the last edit leaves in force is `b`. */
function policy(plan: 'a' | 'b', limit: number): string {
  const beside = '{ aside: { plan: aside } }';
  return `policy: counting
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  main: { paths: [/main], plans: [own-a, own-b, keyed-a, keyed-b, team-a, team-b, shared-a, shared-b, quick], upstream: v1 }
  aside: { paths: [/aside], plans: [aside], upstream: v1 }
plans:
  own-a: { quotas: { q: { limit: ${limit}, window: year } } }
  own-b: { quotas: { q: { limit: 500, window: year, warnAt: [50, 90] } } }
  keyed-a: { quotas: { each: { limit: ${limit}, window: year, per: key } } }
  keyed-b: { quotas: { each: { limit: 200, window: year, per: key } } }
  team-a: { quotas: { all: { limit: ${limit}, window: year, per: group } } }
  team-b: { quotas: { all: { limit: 600, window: year, per: group } } }
  shared-a: { refusal: { status: 402 }, quotas: { x: { limit: ${limit}, window: year, counter: both } } }
  shared-b: { refusal: { status: 402 }, quotas: { y: { limit: 300, window: year, counter: both } } }
  quick: { quotas: { smooth: { limit: 1, window: day, burst: 10 } } }
  aside:
    quotas:
      q: { limit: 250, window: year }
      z: { limit: 450, window: year, counter: both }
consumers:
  owner: { plan: own-${plan}, subscriptions: ${beside}, keys: [${key('o')}] }
  keyed: { plan: keyed-${plan}, keys: [${key('k1')}, ${key('k2')}] }
  one: { plan: team-${plan}, group: corp, keys: [${key('t1')}] }
  two: { plan: team-${plan}, group: corp, keys: [${key('t2')}] }
  three: { plan: team-${plan}, group: corp, keys: [${key('t3')}] }
  lone: { plan: team-${plan}, keys: [${key('t4')}] }
  quick: { subscriptions: { main: { plan: quick, limits: { smooth: { burst: ${plan === 'a' ? 5 : 40} } } } }, keys: [${key('b')}] }
  sharer: { plan: shared-${plan}, subscriptions: ${beside}, keys: [${key('s')}] }
`;
}

/** What a counter must have let pass in the end, to the unit: requests with these keys, to one of the APIs or to both. */
interface Promised {
  readonly name: string;
  readonly keys: readonly string[];
  readonly apis: readonly string[];
  readonly units: number;
}

const PROMISED: readonly Promised[] = [
  { name: "a consumer's main plan", keys: ['o'], apis: ['main'], units: 500 },
  { name: 'a plan beside it', keys: ['o'], apis: ['aside'], units: 250 },
  { name: 'a key', keys: ['k1'], apis: ['main'], units: 200 },
  { name: 'another key of the consumer', keys: ['k2'], apis: ['main'], units: 200 },
  { name: 'a group', keys: ['t1', 't2', 't3'], apis: ['main'], units: 600 },
  { name: 'a bucket of a size of its own', keys: ['b'], apis: ['main'], units: 40 },
  { name: 'a consumer without a group', keys: ['t4'], apis: ['main'], units: 600 },
];
/** Both plans of this one count in a counter of one name: one refuses from 300 on, the other from 450 or at its own 250. */
const SHARED: Promised = { name: 'a counter of two plans', keys: ['s'], apis: ['main', 'aside'], units: 450 };
const FLOODED = [
  ...['o', 'k1', 'k2', 't1', 't2', 't3', 't4', 's', 'b'].map((id) => ({ id, api: 'main' })),
  ...['o', 's'].map((id) => ({ id, api: 'aside' })),
];

/** Plans of all consumers change to and fro while every counter is flooded: each must hold to the unit. */
export const counting: Attack = {
  name: 'counting',
  tries: 'floods of counters per consumer, key and group and of shared ones, while plans change to and fro',
  async run(context) {
    for (let round = 0; context.isTimeLeft(); round++) await attackOne(context, WORKERS[round % WORKERS.length]!);
  },
};

async function attackOne(context: Context, workers: number): Promise<void> {
  const seen = new Map<string, number>();
  const target = await context.open({ policy: policy('b', 1), workers, onAccess: (entry) => note(seen, entry) });
  const until = Date.now() + Math.min(FLOOD_MS, context.leftMs());
  const goesOn = (): boolean => Date.now() < until;
  await Promise.all([
    ...FLOODED.map((one) => flood(context, target, one, 2, goesOn)),
    editing(context, target, goesOn),
  ]);
  await target.edit(policy('b', 1));
  await settle(context, target, seen, () => PROMISED.every((one) => passed(seen, one) >= one.units));
  for (const one of [...PROMISED]) {
    const units = passed(seen, one);
    hold(units === one.units, `${one.name} let ${units} requests pass, of ${one.units}, with ${workers} workers`);
  }
  const shared = passed(seen, SHARED);
  hold(shared <= SHARED.units, `${SHARED.name} let ${shared} requests pass, of ${SHARED.units} at most`);
  const main = passed(seen, { ...SHARED, apis: ['main'] });
  hold(main <= 300, `a plan with a counter of two let ${main} requests pass, of 300 at most`);
  const warnings = await warned(target);
  hold(warnings === WARNED, `percentages of a limit were counted ${warnings}, with ${workers} workers`);
  target.isWell();
  await target.stop();
}

/** What the one quota that warns must have counted: each percentage once, over all workers. */
const WARNED = '50:1 90:1';
const FLUSH_MS = 250;
const MOST_FLUSHES = 40;

/** How often its percentages were counted, once that is what it must be, or after some flushes. */
async function warned(target: Target): Promise<string> {
  let found = '';
  for (let i = 0; i < MOST_FLUSHES && found !== WARNED; i++) {
    if (i > 0) await pause(FLUSH_MS);
    const page = await fetch(`http://127.0.0.1:${target.envoy.admin.port}/stats/prometheus`);
    found = seriesIn(await page.text())
      .filter(({ name }) => name === 'tollgate_quota_warnings_total')
      .map(({ labels, value }) => `${labels['percent']}:${value}`)
      .sort()
      .join(' ');
  }
  return found;
}

function note(seen: Map<string, number>, { tollgate }: AccessEntry): void {
  const [, api, id] = /^reason=allowed api=(\S+) .*\bkey=(\S+)/.exec(tollgate ?? '') ?? [];
  if (id !== undefined) seen.set(`${id} ${api}`, (seen.get(`${id} ${api}`) ?? 0) + 1);
}

function passed(seen: ReadonlyMap<string, number>, { keys, apis }: Promised): number {
  return keys.reduce((sum, id) => sum + apis.reduce((units, api) => units + (seen.get(`${id} ${api}`) ?? 0), 0), 0);
}

async function flood(
  { count }: Context,
  target: Target,
  { id, api }: { id: string; api: string },
  connections: number,
  goesOn: () => boolean,
): Promise<void> {
  await hammer({ port: target.port, path: `/${api}`, headers: { 'x-api-key': keyOf(id) }, connections }, () => {
    const more = goesOn();
    if (more) count('requests');
    return more;
  });
  target.isAlive();
}

/** Plan `a` has a limit of its own with each edit: sometimes far below what was used, sometimes between. Never above that of `b`. */
async function editing({ random, count }: Context, target: Target, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    await pause(random.below(200));
    await target.edit(policy(random.pick(['a', 'b']), 1 + random.below(150)));
    count('changes of plan');
  }
}

/** Leases that a worker holds idle come back on its tick; then the rest is spent, and some more is asked for in vain. */
async function settle(
  context: Context,
  target: Target,
  seen: ReadonlyMap<string, number>,
  isSpent: () => boolean,
): Promise<void> {
  const total = (): number => [...seen.values()].reduce((sum, count) => sum + count, 0);
  const round = async (times: number): Promise<void> => {
    await Promise.all(
      FLOODED.map((one) => {
        let left = times;
        return flood(context, target, one, target.workers, () => left-- > 0);
      }),
    );
    await pause(300);
  };
  // However slow the machine is: as long as something passes, there was something left.
  for (let quiet = 0; !isSpent() && quiet < MOST_QUIET;) {
    const before = total();
    await round(40);
    quiet = total() === before ? quiet + 1 : 0;
  }
  await round(20);
}
