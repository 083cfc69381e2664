import { digestOf } from '../../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw } from '../../../harness/envoy/wireClient.ts';
import { Random } from '../../../harness/random.ts';
import { hold, pause, type Attack, type Context } from '../../form.ts';
import type { Target } from '../../target.ts';
import { Upstream } from '../../upstream.ts';

const APIS = ['pets', 'toys', 'tools'];
const SCOPES = ['read', 'write', 'admin', 're', 'read-all'];
/** What operations ask for, by their paths; the API `toys` has none. */
const OPERATIONS: Readonly<Record<string, readonly string[]>> = {
  '/free': [],
  '/read': ['read'],
  '/both': ['read', 'write'],
  '/all': ['read', 'write', 'admin', 're', 'read-all'],
};
const PLACES = ['203.0.113.7', '203.0.113.8', '198.51.100.1', '2001:db8:7::1', '2001:db8:8::1', 'unknown'];
const BLOCKS: Readonly<Record<string, (address: string) => boolean>> = {
  '203.0.113.0/24': (address) => address.startsWith('203.0.113.'),
  '203.0.113.7': (address) => address === '203.0.113.7',
  '2001:db8:7::/48': (address) => address.startsWith('2001:db8:7:'),
  '0.0.0.0/0': (address) => /^\d+\./.test(address),
};
const CONSUMERS = 4;
const KEYS = 5;
const AT_ONCE = 6;
const ROUND_MS = 2500;

interface Addresses {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

interface Key {
  readonly id: string;
  readonly apis?: readonly string[];
  readonly scopes?: readonly string[];
  readonly addresses?: Addresses;
}

interface Consumer {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly addresses?: Addresses;
  readonly keys: readonly Key[];
}

const secretOf = (id: string): string => `${id}-limited-secret`;

/** What a key may not, and what its consumer may not, it never may, whoever calls beside it and whatever was in force before. */
export const limited: Attack = {
  name: 'limited',
  tries: 'keys that are for some APIs, scopes and addresses, all at once and over edits that change what each may',
  async run(context) {
    const upstream = await Upstream.start();
    context.cleanUp(() => upstream.close());
    do await attackOne(context, upstream);
    while (context.isTimeLeft());
  },
};

async function attackOne(context: Context, upstream: Upstream): Promise<void> {
  // what is in force, and what may be in force still while an edit is under way
  let current = someConsumers(context.random);
  let before = current;
  const target = await context.open({ policy: policyOf(current), upstream: upstream.url, workers: 2 });
  const until = Date.now() + Math.min(ROUND_MS, context.leftMs());
  const goesOn = (): boolean => Date.now() < until;
  const editing = async (): Promise<void> => {
    do {
      await pause(context.random.below(500));
      [before, current] = [current, someConsumers(context.random)];
      await target.edit(policyOf(current));
      // both workers have it, and what began under the one before is over
      await pause(150);
      before = current;
      context.count('edits');
      await pause(200);
    } while (goesOn());
  };
  let asked = 0;
  const asking = async (): Promise<void> => {
    const random = new Random(context.random.below(2 ** 31));
    do {
      const possible = [before, current];
      const probe = newProbe(random, `${asked++}`);
      const status = await ask(target, upstream, probe);
      context.count('requests');
      possible.push(before, current);
      const expected: readonly number[] = [...new Set(possible.map((consumers) => statusFor(consumers, probe)))];
      hold(
        expected.includes(status),
        `${JSON.stringify(probe)} got ${status}, and should get ${expected.join(' or ')} of ${JSON.stringify(current)}`,
      );
      if (status === 200) context.count('let through');
    } while (goesOn());
  };
  await Promise.all([editing(), ...Array.from({ length: AT_ONCE }, asking)]);
  target.isWell();
  await target.stop();
}

interface Probe {
  readonly probe: string;
  readonly key: string;
  readonly api: string;
  readonly path: string;
  readonly from: string;
}

function newProbe(random: Random, probe: string): Probe {
  const key = `c${random.below(CONSUMERS)}-${random.below(KEYS)}`;
  return { probe, key, api: random.pick(APIS), path: random.pick(Object.keys(OPERATIONS)), from: random.pick(PLACES) };
}

function statusFor(consumers: readonly Consumer[], { key: id, api, path, from }: Probe): 200 | 401 | 403 {
  const consumer = consumers.find(({ keys }) => keys.some((key) => key.id === id));
  const key = consumer?.keys.find((one) => one.id === id);
  if (consumer === undefined || key === undefined) return 401;
  const asked = api === 'toys' ? [] : OPERATIONS[path]!;
  const may =
    (key.apis?.includes(api) ?? true) &&
    isFrom(consumer.addresses, from) &&
    isFrom(key.addresses, from) &&
    asked.every((scope) => consumer.scopes.includes(scope) && (key.scopes?.includes(scope) ?? true));
  return may ? 200 : 403;
}

function isFrom({ allow, deny = [] }: Addresses = {}, from: string): boolean {
  const lies = (block: string): boolean => BLOCKS[block]!(from);
  return !deny.some(lies) && (allow?.some(lies) ?? true);
}

async function ask(target: Target, upstream: Upstream, { probe, key, api, path, from }: Probe): Promise<number> {
  const headers: [string, string][] = [
    ['x-probe', probe],
    ['x-api-key', secretOf(key)],
    ['x-forwarded-for', from],
  ];
  const reply = await sendRaw(
    target.port,
    requestBytes({ method: 'GET', path: `/${api}${path}`, host: 'a.test', headers }),
  );
  target.isAlive();
  const arrived = upstream.taken(probe);
  hold(
    (reply?.status === 200) === (arrived !== undefined),
    `${api}${path} got ${reply?.status}, and arrived otherwise`,
  );
  const who = arrived?.headers.find(([name]) => name === 'x-tollgate-consumer')?.[1];
  hold(arrived === undefined || who === key.split('-')[0], `${key} arrived as ${who}`);
  return reply?.status ?? 0;
}

function someConsumers(random: Random): Consumer[] {
  const some = (all: readonly string[], share: number): string[] => all.filter(() => random.chance(share));
  const addresses = (): { addresses?: Addresses } => {
    const allow = some(Object.keys(BLOCKS), 0.4);
    const deny = some(Object.keys(BLOCKS).slice(0, 3), 0.3);
    const one = { ...(allow.length > 0 && { allow }), ...(deny.length > 0 && { deny }) };
    return random.chance(0.3) && Object.keys(one).length > 0 ? { addresses: one } : {};
  };
  return Array.from({ length: CONSUMERS }, (_, i) => ({
    name: `c${i}`,
    scopes: some(SCOPES, 0.7),
    ...addresses(),
    keys: Array.from({ length: KEYS }, (__, k) => {
      const [apis, scopes] = [some(APIS, 0.6), some(SCOPES, 0.7)];
      return {
        id: `c${i}-${k}`,
        ...(apis.length > 0 && random.chance(0.6) && { apis }),
        ...(scopes.length > 0 && random.chance(0.6) && { scopes }),
        ...addresses(),
      };
    }).filter(() => random.chance(0.9)),
  }));
}

function policyOf(consumers: readonly Consumer[]): string {
  const operations = Object.fromEntries(
    Object.entries(OPERATIONS).map(([path, scopes]) => [`GET ${path}`, scopes.length > 0 ? { scopes } : {}]),
  );
  return JSON.stringify({
    policy: 'limited',
    clientAddress: { trustedHops: 2 },
    upstreams: { v1: { url: 'http://127.0.0.1:9001' } },
    apis: Object.fromEntries(
      APIS.map((api) => [
        api,
        { paths: [`/${api}`], plans: ['gold'], upstream: 'v1', ...(api !== 'toys' && { operations }) },
      ]),
    ),
    plans: { gold: {} },
    consumers: Object.fromEntries(
      consumers.map(({ name, scopes, addresses, keys }) => [
        name,
        {
          plan: 'gold',
          scopes,
          addresses,
          // ids are unique within a consumer only
          keys: keys.map(({ id, ...terms }) => ({ id: `k${id.slice(3)}`, digest: digestOf(secretOf(id)), ...terms })),
        },
      ]),
    ),
  });
}
