import { digestOf } from '../../../harness/envoy/testPolicy.ts';
import { hammer, type Tally } from '../../../harness/envoy/load.ts';
import { keySet, signedToken } from '../../../harness/envoy/token.ts';
import type { AccessEntry } from '../../../scripts/envoy/accessLog.ts';
import { hold, pause, type Context } from '../../form.ts';
import type { Target } from '../../target.ts';

const FLOOD_MS = 4000;
const MOST_QUIET = 30;
const KEY = 'acme-flooding-secret';
const OTHER_KEY = 'other-flooding-secret';
const ISS = 'https://corp.example';

/** Key set and owners change with each edit; what is counted stays. `acme-1` and the key `corp` are always there. */
function policy(edit: number): string {
  const isOdd = edit % 2 === 1;
  return `policy: tokens
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
tokens: { corp: { issuer: "${ISS}", jwks: ${JSON.stringify(isOdd ? keySet('later', 'corp') : keySet('corp'))}, plan: plan, audiences: [shop] } }
apis:
  shop:
    paths: [/shop]
    plans: [free, gold, each]
    credentials: [token, key]
    upstream: v1
    routes: [{ name: r${edit % 5}, when: { headers: { x-take: r${edit % 5} } }, upstream: v1 }]
plans:
  free: { quotas: { all: { limit: 400, window: year } } }
  gold: { quotas: { more: { limit: 250, window: year } } }
  each: { quotas: { own: { limit: 150, window: year, per: key } } }
consumers:
  acme: { plan: free, tokens: { corp: [acme-1, acme-2${isOdd ? ', late' : ''}] }, keys: [{ id: k, digest: "${digestOf(KEY)}" }] }
  pair: { plan: each, tokens: { corp: [pair-1, pair-2] }, keys: [{ id: p, digest: "${digestOf(OTHER_KEY)}" }] }
`;
}

const bearer = (claims: object, by = 'corp'): Record<string, string> => ({
  authorization: `Bearer ${signedToken({ iss: ISS, aud: 'shop', ...claims }, { by, alg: 'ES256' })}`,
});

/** What is sent all the time, and what may be answered to it. */
const FLOODS: readonly { readonly headers: Record<string, string>; readonly answers: readonly number[] }[] = [
  { headers: bearer({ sub: 'acme-1' }), answers: [200, 429] },
  { headers: bearer({ sub: 'acme-2', jti: 'another' }), answers: [200, 429] },
  { headers: { 'x-api-key': KEY }, answers: [200, 429] },
  { headers: bearer({ sub: 'acme-1', plan: 'gold' }), answers: [200, 429] },
  { headers: { ...bearer({ sub: 'acme-1' }, 'foreign'), 'x-api-key': KEY }, answers: [200, 429] },
  { headers: bearer({ sub: 'pair-1' }), answers: [200, 429] },
  { headers: bearer({ sub: 'pair-2' }), answers: [200, 429] },
  { headers: { ...bearer({ sub: 'pair-1' }), 'x-api-key': KEY }, answers: [200, 429] },
  { headers: { 'x-api-key': OTHER_KEY }, answers: [200, 429] },
  { headers: bearer({ sub: 'acme-1' }, 'foreign'), answers: [401] },
  { headers: bearer({ sub: 'acme-1', exp: 1e9 }), answers: [401] },
  { headers: bearer({ sub: 'nobody' }), answers: [403] },
  { headers: bearer({ sub: 'acme-1', plan: 'nothing' }), answers: [403] },
  // an owner and a key that come and go
  { headers: bearer({ sub: 'late' }), answers: [200, 429, 403] },
  { headers: bearer({ sub: 'acme-1' }, 'later'), answers: [200, 429, 401] },
];
/** Of whom, on which plan, with which key or as which owner: how many pass in the end. */
const PROMISED = [
  { who: /consumer=acme .*plan=free/, units: 400 },
  { who: /consumer=acme .*plan=gold/, units: 250 },
  { who: /consumer=pair key=pair-1 /, units: 150 },
  { who: /consumer=pair key=pair-2 /, units: 150 },
  { who: /consumer=pair key=p /, units: 150 },
  { who: /consumer=pair .*plan=(free|gold)/, units: 0 },
] as const;

/** Tokens and keys of the same callers, valid and not, while owners and key sets are edited: limits hold to the unit. */
export async function floodWithTokens(context: Context, workers: number): Promise<void> {
  const passed: string[] = [];
  const note = ({ tollgate }: AccessEntry): void => {
    if (tollgate?.startsWith('reason=allowed ')) passed.push(`${tollgate} `);
  };
  const target = await context.open({ policy: policy(1), workers, onAccess: note });
  const until = Date.now() + Math.min(FLOOD_MS, context.leftMs());
  const goesOn = (): boolean => Date.now() < until;
  await Promise.all([...FLOODS.map((_, i) => flood(context, target, i, 1, goesOn)), editing(context, target, goesOn)]);
  await target.edit(policy(0));
  const unitsOf = (who: RegExp): number => passed.filter((line) => who.test(line)).length;
  await settle(
    context,
    target,
    () => passed.length,
    () => PROMISED.every(({ who, units }) => unitsOf(who) >= units),
  );
  for (const { who, units } of PROMISED)
    hold(
      unitsOf(who) === units,
      `${unitsOf(who)} requests let through of ${who.source}, of ${units}, with ${workers} workers`,
    );
  for (const [headers, status] of [
    [bearer({ sub: 'late' }), 403],
    [bearer({ sub: 'acme-1' }, 'later'), 401],
  ] as const) {
    const tally = await send(target, headers, workers * 2, 10);
    hold(
      [...tally.keys()].join() === String(status),
      `after an edit, ${[...tally.keys()].join()} instead of ${status}`,
    );
  }
  target.isWell();
  await target.stop();
}

function send(target: Target, headers: Record<string, string>, connections: number, times: number): Promise<Tally> {
  let left = times;
  return hammer({ port: target.port, path: '/shop', headers, connections }, () => left-- > 0);
}

async function flood(
  { count }: Context,
  target: Target,
  which: number,
  connections: number,
  goesOn: () => boolean,
): Promise<void> {
  const { headers, answers } = FLOODS[which]!;
  const tally = await hammer({ port: target.port, path: '/shop', headers, connections }, () => {
    const more = goesOn();
    if (more) count('flooded');
    return more;
  });
  target.isAlive();
  const strange = [...tally.keys()].filter((status) => !answers.includes(status));
  hold(strange.length === 0, `flood ${which} was answered ${strange.join()}, and should be ${answers.join()}`);
}

async function editing({ random, count }: Context, target: Target, goesOn: () => boolean): Promise<void> {
  for (let edit = 2; goesOn(); edit++) {
    await pause(random.below(200));
    await target.edit(policy(edit));
    count('edits');
  }
}

/** Leases that a worker holds idle come back on its tick; then the rest is spent, and some more is asked for in vain. */
async function settle(context: Context, target: Target, total: () => number, isSpent: () => boolean): Promise<void> {
  const round = async (times: number): Promise<void> => {
    await Promise.all(
      FLOODS.slice(0, 9).map((_, i) => {
        let left = times;
        return flood(context, target, i, target.workers, () => left-- > 0);
      }),
    );
    await pause(300);
  };
  for (let quiet = 0; !isSpent() && quiet < MOST_QUIET;) {
    const before = total();
    await round(40);
    quiet = total() === before ? quiet + 1 : 0;
  }
  await round(20);
}
