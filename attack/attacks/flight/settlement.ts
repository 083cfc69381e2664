import { count, drain, hammer, send } from '../../../harness/envoy/load.ts';
import { digestOf } from '../../../harness/envoy/testPolicy.ts';
import { MeteredUpstream, someUsage, spend, type Price, type Wanted } from '../../../harness/settledLoad.ts';
import type { Random } from '../../../harness/random.ts';
import { hold, pause, type Attack, type Context } from '../../form.ts';
import type { Target } from '../../target.ts';

const WORKERS = [2, 1, 4];
const RESERVE = 3;
const MOST = 40;
/** Of the one who floods: so few that what is in flight matters. */
const FLOOD_LIMIT = 60;
const LIMIT = 1_000_000;
const REQUESTS = 400;
const CONNECTIONS = 24;
/** Longer than workers take to give back what they have leased under a higher limit. */
const RETURNED_MS = 1500;
/** Requests that are left over of a quota in the end, to be spent one by one. */
const REST = 60;
const KEYS = { exact: 'exact-settled-secret', flood: 'flood-settled-secret', other: 'other-settled-secret' };
const STATUSES = [200, 200, 201, 204, 304, 404, 418, 500, 503];

interface Edited {
  readonly exactLimit: number;
  readonly floodLimit?: number;
  readonly counts: 'all' | 'success';
  /** What is missing or changed for the third consumer, and another name for what changes nothing for the first. */
  readonly without?: 'quota' | 'plan' | 'header' | 'api' | 'cost';
  readonly route?: string;
}

function policy({ exactLimit, floodLimit = FLOOD_LIMIT, counts, without, route = 'a' }: Edited): string {
  const cost = `{ reserve: ${RESERVE}, header: x-usage, most: ${MOST}, counts: ${counts} }`;
  const sideCost = { header: cost.replace('x-usage', 'x-others'), cost: '2' }[without as string] ?? cost;
  const side = `  side: { paths: [/side], plans: [side, spare], upstream: v1, cost: ${sideCost} }\n`;
  const own = without === 'quota' ? '' : 'own: { limit: 100000, window: hour }, ';
  // under another plan, or none that has the quota
  const sidePlan = without === 'plan' ? 'spare' : 'side';
  const more = route === 'a' ? '' : `, extra: { limit: ${LIMIT * 2}, window: day }`;
  const people = Object.entries(KEYS).map(
    ([name, key]) =>
      `  ${name}: { plan: ${name === 'other' ? sidePlan : name}, keys: [{ id: ${name}, digest: "${digestOf(key)}" }] }\n`,
  );
  return `policy: settled
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  metered:
    paths: [/metered]
    plans: [exact, flood]
    upstream: v1
    cost: ${cost}
    routes: [{ name: ${route}, when: { headers: { x-take: ${route} } }, upstream: v1 }]
  plain: { paths: [/plain], plans: [exact, flood, side, spare], upstream: v1 }
${without === 'api' ? '' : side}plans:
  exact: { quotas: { q: { limit: ${exactLimit}, window: year }${more} } }
  flood: { quotas: { q: { limit: ${floodLimit}, window: year } } }
  side: { quotas: { ${own}smooth: { limit: 1000000, window: day, burst: 100000 } } }
  spare: {}
consumers:
${people.join('')}`;
}

/** Upstreams say what they like of what a request has cost, clients leave, and the policy changes under those in flight. */
export const settlement: Attack = {
  name: 'settlement',
  tries:
    'answers that say what their requests have cost, in every form and from many at once, with resets, early hints and edits that take away quota, plan, header and API',
  async run(context) {
    for (let round = 0; context.isTimeLeft(); round++) await attackOne(context, round);
  },
};

async function attackOne(context: Context, round: number): Promise<void> {
  const workers = WORKERS[round % WORKERS.length]!;
  const { random } = context;
  const counts = round % 2 === 0 ? 'all' : 'success';
  const price: Price = { reserve: RESERVE, most: MOST, successOnly: counts === 'success' };
  const upstream = await MeteredUpstream.start(random);
  context.cleanUp(() => upstream.close());
  const target = await context.open({ policy: policy({ exactLimit: LIMIT, counts }), workers, upstream: upstream.url });
  const { port } = target;
  let isOver = false;
  let left = REQUESTS;
  const next = (): Wanted | null => {
    target.isAlive();
    return --left < 0 ? null : wantedFrom(random);
  };
  const load = { port, path: '/metered', upstream, price, connections: CONNECTIONS };
  const exact = spend({ ...load, key: KEYS.exact, next }).finally(() => (isOver = true));
  const [spent, flooded] = await Promise.all([
    exact,
    flood(context, load, () => isOver),
    others(context, target, () => isOver),
    edits(context, target, counts, () => isOver),
  ]);
  context.count('requests', spent.passed + flooded.passed + flooded.refused);
  context.count('resets', spent.reset);
  hold(
    spent.unknown === 0 && spent.refused === 0,
    `${spent.unknown} broken, ${spent.refused} refused of ${LIMIT} units`,
  );
  await target.edit(policy({ exactLimit: spent.units + REST, floodLimit: flooded.units, counts }));
  const kind = `with ${workers} workers, of answers that count ${counts}`;
  const rest = await remaining(target, KEYS.exact, REST);
  hold(rest === REST, `${rest} units are left where ${spent.units} were settled and ${REST} more allowed, ${kind}`);
  const over = await remaining(target, KEYS.flood, 0);
  hold(over === 0, `${over} units are left where ${flooded.units} were settled and no more allowed, ${kind}`);
  target.isWell();
  await target.stop();
}

/** Values of the header as nobody should send them, beside good ones. */
function wantedFrom(random: Random): Wanted {
  const strange = [
    ['7'.padStart(32, '0')],
    ['7'.padStart(33, '0')],
    ['5', '5'],
    ['5', '5', '5'],
    ['5,5'],
    [' 7 '],
    ['7 7'],
    ['-0'],
    ['1_000'],
    ['1,000'],
    ['18446744073709551615'],
    ['18446744073709551617'],
    ['9223372036854775808'],
    ['4294967296'],
    ['4294967299'],
    [Buffer.from('\uff17').toString('latin1')],
    [Buffer.from('\u0663').toString('latin1')],
    ['5;q=1'],
    ['"5"'],
    ['', '5'],
    ['5', ''],
    ['1'.repeat(8000)],
  ];
  return {
    status: random.pick(STATUSES),
    usage: random.chance(0.4) ? random.pick(strange) : someUsage(random, MOST),
    never: random.chance(0.15),
    hints: random.chance(0.2),
  };
}

type Load = Omit<Parameters<typeof spend>[0], 'key' | 'next'>;

/** All at once, and each at the highest cost: only what had room when it came may pass. */
async function flood(context: Context, load: Load, isOver: () => boolean): ReturnType<typeof spend> {
  let asked = 0;
  const next = (): Wanted | null => {
    if (asked++ > 100 && isOver()) return null;
    return { status: 200, usage: [context.random.pick([String(MOST), '9'.repeat(32)])], never: false };
  };
  const flooded = await spend({ ...load, key: KEYS.flood, next });
  const fit = Math.floor(FLOOD_LIMIT / RESERVE);
  hold(flooded.unknown === 0, `${flooded.unknown} connections of a flood broke`);
  hold(flooded.passed <= fit, `${flooded.passed} passed where ${fit} could be reserved`);
  const most = FLOOD_LIMIT + flooded.passed * (MOST - RESERVE);
  hold(flooded.units >= FLOOD_LIMIT - RESERVE && flooded.units <= most, `${flooded.units} units of ${FLOOD_LIMIT}`);
  return flooded;
}

/** A consumer whose quota, plan, header and API come and go: whatever happens to the count, nothing fails. Some clients leave at any moment. */
async function others({ random, count: tell }: Context, target: Target, isOver: () => boolean): Promise<void> {
  const wanted: Wanted = { status: 200, usage: [String(MOST)], never: false };
  const headers = { 'x-api-key': KEYS.other, 'x-wanted': encodeURIComponent(JSON.stringify(wanted)) };
  const load = { port: target.port, path: '/side', headers };
  const leaving = async (): Promise<void> => {
    while (!isOver()) {
      const gone = AbortSignal.timeout(random.below(25));
      await fetch(`http://127.0.0.1:${target.port}/side`, { headers, signal: gone }).then(
        (response) => response.body?.cancel(),
        () => tell('gone'),
      );
    }
  };
  const [tally] = await Promise.all([hammer({ ...load, connections: 6 }, () => !isOver()), leaving(), leaving()]);
  const bad = [...tally].filter(([status]) => status === 0 || status >= 500);
  hold(bad.length === 0, `answers ${bad.map(([status, times]) => `${times} × ${status}`).join()} during edits`);
  hold(count(tally, 200) > 0, 'nothing of the third consumer was answered');
}

async function edits(
  { random, count: tell }: Context,
  target: Target,
  counts: 'all' | 'success',
  isOver: () => boolean,
): Promise<void> {
  for (let edit = 0; !isOver(); edit++) {
    await pause(random.below(60));
    const without = random.pick(['quota', 'plan', 'header', 'api', 'cost', undefined] as const);
    await target.edit(
      policy({ exactLimit: LIMIT - random.below(1000), counts, route: `r${edit % 4}`, ...(without && { without }) }),
    );
    tell('edits');
  }
}

/** How many units are left of a quota, by spending them one by one. */
async function remaining({ port }: Target, key: string, expected: number): Promise<number> {
  await pause(RETURNED_MS);
  const load = { port, path: '/plain', headers: { 'x-api-key': key }, connections: 8 };
  const reached = await drain(load, 0, expected);
  return reached + count(await send(load, 40), 200);
}
