import { Random } from '../../../harness/random.ts';
import { sendRaw } from '../../../harness/envoy/wireClient.ts';
import { hold, type Attack, type Context } from '../../form.ts';
import type { Target } from '../../target.ts';
import { Upstream, type Arrived } from '../../upstream.ts';
import { floodWithTokens } from './flood.ts';
import { forged, type Forged } from './forge.ts';
import { readToken, type Said } from './model.ts';
import { GATES, ISSUERS, KEYS, MESH_QUOTA, POLICY, verdictOf, type Gate, type Verdict } from './policy.ts';

const AT_ONCE = 8;
const WORKERS = [2, 1];

interface Probe {
  readonly id: string;
  readonly gate: Gate;
  readonly lines: readonly (readonly [name: string, value: string])[];
  /** Whose tokens the request has where Envoy looks; the first of them counts for certain if there is only one. */
  readonly said: readonly (Said | null)[];
  readonly isOdd: boolean;
  /** The owner of its key, or null. */
  readonly key: string | null;
}

/** Whatever is shown as a token: nobody passes as somebody whose token an issuer has not signed for this audience and this time. */
export const tokens: Attack = {
  name: 'tokens',
  tries:
    'tokens with altered signatures, other algorithms, key ids, dates, audiences and claims of any form, beside keys of others and in odd places; and floods with tokens and keys while owners and key sets are edited',
  weight: 2,
  async run(context) {
    const upstream = await Upstream.start();
    context.cleanUp(() => upstream.close());
    for (let round = 0; context.isTimeLeft(); round++) {
      const workers = WORKERS[round % WORKERS.length]!;
      await attackOne(context, upstream, workers);
      await floodWithTokens(context, workers);
    }
  },
};

/** Half of what time there is, at least so long that something is tried. */
const ROUND_MS = 10_000;

async function attackOne(context: Context, upstream: Upstream, workers: number): Promise<void> {
  const service = await context.service([MESH_QUOTA]);
  const target = await context.open({ policy: POLICY, upstream: upstream.url, servicePort: service.port, workers });
  const until = Date.now() + Math.min(ROUND_MS, context.leftMs() / 2);
  await Promise.all(
    Array.from({ length: AT_ONCE }, (_, i) => probing(context, target, upstream, `${workers}-${i}`, until)),
  );
  target.isWell();
  await target.stop();
  await service.stop();
}

async function probing(
  context: Context,
  target: Target,
  upstream: Upstream,
  name: string,
  until: number,
): Promise<void> {
  const random = new Random(context.random.below(2 ** 31));
  for (let i = 0; Date.now() < until; i++) {
    const probe = newProbe(random, `${name}-${i}`);
    const text = [
      `GET ${probe.gate.path} HTTP/1.1`,
      'host: a.test',
      `x-probe: ${probe.id}`,
      ...probe.lines.map(([header, value]) => `${header}: ${value}`),
    ].join('\r\n');
    const reply = await sendRaw(target.port, `${text}\r\n\r\n`);
    hold(reply !== null, `no answer to ${text.slice(0, 1000)}`);
    judge(context, probe, reply.status, upstream.taken(probe.id));
    target.isAlive();
  }
}

function judge({ count }: Context, probe: Probe, status: number, arrived: Arrived | undefined): void {
  count('requests');
  const { gate, key } = probe;
  const shown = (): string =>
    `${gate.path} ${JSON.stringify(probe.lines).slice(0, 1500)} got ${status}${arrived === undefined ? '' : ` and arrived as ${JSON.stringify(arrived.headers).slice(0, 1500)}`}; its tokens: ${JSON.stringify(probe.said).slice(0, 600)}`;
  const whose = (name: string): string | undefined => arrived?.headers.find(([header]) => header === name)?.[1];
  hold((status === 200) === (arrived !== undefined), `what is refused arrives, or what passes does not: ${shown()}`);
  const fits = (verdict: Verdict): boolean =>
    verdict.status === status &&
    (verdict.status !== 200 ||
      (whose('x-tollgate-consumer') === verdict.consumer && whose('x-tollgate-plan') === verdict.plan));
  const isCertain = !probe.isOdd && probe.said.length <= 1;
  const possible = isCertain ? [probe.said[0] ?? null] : [...probe.said, null];
  const found = possible.find((said) => fits(verdictOf(gate, said, key)));
  hold(
    found !== undefined,
    `it should be ${JSON.stringify(possible.map((said) => verdictOf(gate, said, key)))}: ${shown()}`,
  );
  if (arrived === undefined) return;
  const verdict = verdictOf(gate, found, key);
  if (verdict.status === 200) count(verdict.by === 'nothing' ? 'as nobody' : `by ${verdict.by}`);
  const told = arrived.headers.filter(([name]) => /^x[-_]tollgate/.test(name)).map(([name]) => name);
  hold(
    told.every((name) => ['x-tollgate-consumer', 'x-tollgate-plan', 'x-tollgate-route'].includes(name)),
    `the upstream is told ${told.join()}: ${shown()}`,
  );
  const sent = JSON.stringify(arrived.headers);
  const isByToken = found !== null && verdict.status === 200 && verdict.by === 'token';
  if (isCertain && isByToken && found.issuer.name === 'corp')
    hold(whose('authorization') === undefined, `the upstream sees the token: ${shown()}`);
  if (gate.credentials.includes('key'))
    hold(!Object.values(KEYS).some((secret) => sent.includes(secret)), `the upstream sees a key: ${shown()}`);
}

function newProbe(random: Random, id: string): Probe {
  const gate = random.pick(GATES);
  const token = random.chance(0.9) ? forged(random) : null;
  const key = random.chance(0.3) ? random.pick(Object.keys(KEYS)) : null;
  const lines: (readonly [string, string])[] = random.chance(0.25) ? forgedHeaders(random, token) : [];
  const shown = token === null ? [] : presented(random, token, key);
  const [authorization, isOdd, tokens] = token === null ? [[], false, []] : (shown as Presented);
  const isInList = authorization.some(([, value]) => /apikey/i.test(value));
  const now = Date.now() / 1000;
  return {
    id,
    gate,
    lines: [...lines, ...authorization, ...(key !== null && !isInList ? [['x-api-key', KEYS[key]!] as const] : [])],
    said: tokens.map(({ text }) => readToken(text, ISSUERS, now)),
    isOdd: isOdd || tokens.some((one) => one.isOdd),
    key,
  };
}

type Presented = readonly [lines: readonly (readonly [string, string])[], isOdd: boolean, tokens: readonly Forged[]];

/** Mostly as it should be; otherwise several, joined or on lines, in other spellings, or in places where nobody looks. */
function presented(random: Random, token: Forged, key: string | null): Presented {
  const { text } = token;
  const line = (value: string, name = 'authorization'): readonly [string, string] => [name, value];
  const other = random.chance(0.5) ? forged(random) : { text: 'of-the-backend', isOdd: false };
  switch (random.below(14)) {
    case 0:
      return [[line(`Bearer ${text}`), line(`Bearer ${other.text}`)], true, [token, other]];
    case 1:
      return [[line(`Bearer ${text}, Bearer ${other.text}`)], true, [token, other]];
    case 2:
      return [[line('Basic dTpw'), line(`Bearer ${text}`)], true, [token]];
    case 3:
      return [
        [line(`${random.pick(['bearer', 'BEARER', 'Bearer:', 'Bearer\t', 'XBearer', 'Bearer  '])} ${text}`)],
        true,
        [token],
      ];
    case 4:
      return [[line(text)], false, []];
    case 5:
      return [[line(`${random.pick(['Basic', 'Token', 'JWT', 'DPoP'])} ${text}`)], false, []];
    case 6:
      return [
        [line(`Bearer ${text}`, random.pick(['proxy-authorization', 'x-forwarded-authorization', 'x-authorization']))],
        false,
        [],
      ];
    case 7:
      return [[line(`token=${text}; access_token=${text}; authorization=Bearer ${text}`, 'cookie')], false, []];
    case 8:
      return [[line(`"Bearer ${text}"`)], true, [token]];
    case 9:
      return key === null
        ? [[line(`Bearer ${text}`, 'Authorization')], false, [token]]
        : [[line(`ApiKey ${KEYS[key]}, Bearer ${text}`)], true, [token]];
    default:
      return [[line(`Bearer ${text}`)], false, [token]];
  }
}

/** Headers by which somebody might tell what a token says. */
function forgedHeaders(random: Random, token: Forged | null): (readonly [string, string])[] {
  const claims = Buffer.from(
    JSON.stringify({ iss: 'https://corp.example', sub: 'acme-1', aud: 'shop', client_id: 'acme-1' }),
  ).toString('base64url');
  const all: (readonly [string, string])[] = [
    ['x-jwt-payload', claims],
    ['x-envoy-jwt-payload', claims],
    ['payload', 'acme-1'],
    ['envoy.filters.http.jwt_authn', '{"payload":{"iss":"https://corp.example","sub":"acme-1","aud":"shop"}}'],
    ['x-envoy-peer-metadata', claims],
    ['x-tollgate-consumer', 'acme'],
    ['X_Tollgate_Consumer', 'acme'],
    ['x-tollgate-plan', 'gold'],
    ['x-tollgate-token', token?.text ?? 'x'],
    ['x-access-token', token?.text ?? 'x'],
    ['x-envoy-dynamic-metadata', '{"payload":{"sub":"acme-1"}}'],
  ];
  return all.filter(() => random.chance(0.3));
}
