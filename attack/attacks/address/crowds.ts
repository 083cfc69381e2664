import { digestOf } from '../../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw } from '../../../harness/envoy/wireClient.ts';
import { addressIn, CELLS, crowdOf, neighbours, network, placeOf } from '../../../harness/visitorPlace.ts';
import { hold, pause, type Attack, type Context } from '../../form.ts';
import type { Target } from '../../target.ts';

const LIMIT = 3;
/** Of all addresses of a consumer together; nobody comes near it. */
const TOTAL = 100_000;
const KEYS = { app: 'app-crowd-secret', other: 'other-crowd-secret' };
const POLICY = `policy: crowds
clientAddress: { trustedHops: 2 }
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis: { main: { paths: [/main], plans: [windows, buckets], upstream: v1 } }
plans:
  windows: { quotas: { each: { limit: ${LIMIT}, window: year, per: address }, total: { limit: ${TOTAL}, window: year } } }
  buckets: { quotas: { each: { limit: 1, window: day, burst: ${LIMIT}, per: address }, total: { limit: ${TOTAL}, window: year } } }
consumers:
  app: { plan: PLAN, keys: [{ id: a, digest: "${digestOf(KEYS.app)}" }] }
  other: { plan: windows, keys: [{ id: o, digest: "${digestOf(KEYS.other)}" }] }
`;
const PLANS = ['windows', 'buckets'] as const;
const WORKERS = [4, 2, 1];
const KNOWN = 40;
/** More than find a place. */
const FLOOD = CELLS + 80;
const AT_ONCE = 16;
const MOST_PREFIX = 0x1000_0000;

/** What passed from each address, by key and address. */
type Passed = Map<string, number>;

/** One who owns a network of 32 bits aims at one part of the table of addresses, with a right key. */
export const crowds: Attack = {
  name: 'crowds',
  tries: 'addresses made up with a right key until a part of the table is full, while known ones and another key go on',
  async run(context) {
    for (let round = 0; context.isTimeLeft(); round++)
      await attackOnce(context, WORKERS[round % WORKERS.length]!, PLANS[round % PLANS.length]!);
  },
};

async function attackOnce(context: Context, workers: number, plan: string): Promise<void> {
  const { random } = context;
  const target = await context.open({ policy: POLICY.replace('PLAN', plan), workers });
  const prefix = (0x2a00_0000 + random.below(MOST_PREFIX)).toString(16);
  const passed: Passed = new Map();
  const call = (key: keyof typeof KEYS) => (high: bigint) => request(context, target, key, high, passed);

  const known = Array.from({ length: KNOWN }, () => network('20010db8', 1 + random.below(2 ** 30)));
  const aim = placeOf(random.pick(known));
  await inParallel(known, call('app'));

  const flood = neighbours(prefix, aim, FLOOD);
  const pressed = shuffled(random, Array.from({ length: LIMIT + 1 }, () => flood).flat());
  await Promise.all([
    inParallel(pressed, call('app')),
    inParallel(shuffled(random, Array.from({ length: LIMIT }, () => known).flat()), call('app')),
  ]);

  // Units that another worker holds come back on its tick.
  const distinct = new Set(known);
  for (let i = 0; i < 8 && [...distinct].some((high) => of(passed, 'app', high) < LIMIT); i++) {
    await pause(300);
    await inParallel([...distinct, ...flood], call('app'));
  }
  const where = `with ${workers} workers, of ${plan}`;
  for (const high of distinct)
    hold(of(passed, 'app', high) === LIMIT, `a known address got ${of(passed, 'app', high)} of ${LIMIT}, ${where}`);
  const places = CELLS - [...distinct].filter((high) => placeOf(high) === aim).length;
  const taken = flood.reduce((sum, high) => sum + of(passed, 'app', high), 0);
  const most = (places + 1) * LIMIT;
  hold(taken === most, `a flood got ${taken} of ${most}: ${places} places and one crowd, ${where}`);

  // One more in each of some places, from the very network of the flood, but with another key; and of another network with the same.
  const beside = Array.from({ length: 5 }, (_, i) => neighbours(prefix, (aim + i) % 1024, 1)[0]!);
  const elsewhere = Array.from({ length: 100 }, (_, i) => (0x2600_0000 + i).toString(16)).find(
    (other) => crowdOf(network(other, 0)) !== crowdOf(network(prefix, 0)),
  )!;
  const newcomer = neighbours(elsewhere, aim, 1)[0]!;
  for (let i = 0; i <= LIMIT; i++) await inParallel([...beside], call('other'));
  for (let i = 0; i <= LIMIT; i++) await call('app')(newcomer);
  for (const high of beside)
    hold(of(passed, 'other', high) === LIMIT, `another key got ${of(passed, 'other', high)} of ${LIMIT}, ${where}`);
  hold(
    of(passed, 'app', newcomer) === LIMIT,
    `another network got ${of(passed, 'app', newcomer)} of ${LIMIT}, ${where}`,
  );
  target.isWell();
  await target.stop();
}

function of(passed: Passed, key: keyof typeof KEYS, high: bigint): number {
  return passed.get(`${key} ${high}`) ?? 0;
}

async function request(
  { count }: Context,
  target: Target,
  key: keyof typeof KEYS,
  high: bigint,
  passed: Passed,
): Promise<void> {
  const reply = await sendRaw(
    target.port,
    requestBytes({
      method: 'GET',
      path: '/main',
      host: 'api.test',
      headers: [
        ['x-forwarded-for', addressIn(high)],
        ['x-api-key', KEYS[key]],
      ],
    }),
    'GET',
  );
  count('requests');
  hold(reply?.status === 200 || reply?.status === 429, `answered with ${reply?.status ?? 'nothing'}`);
  const id = `${key} ${high}`;
  if (reply.status === 200) passed.set(id, (passed.get(id) ?? 0) + 1);
}

async function inParallel(highs: readonly bigint[], act: (high: bigint) => Promise<void>): Promise<void> {
  const left = [...highs];
  const caller = async (): Promise<void> => {
    for (let high = left.pop(); high !== undefined; high = left.pop()) await act(high);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
}

function shuffled(random: Context['random'], highs: readonly bigint[]): bigint[] {
  return highs
    .map((high) => ({ high, at: random.below(2 ** 30) }))
    .sort((a, b) => a.at - b.at)
    .map(({ high }) => high);
}
