import { digestOf } from '../../../harness/envoy/testPolicy.ts';
import { Peers, PROOF } from '../../../harness/envoy/peer.ts';
import { requestBytes, sendRaw } from '../../../harness/envoy/wireClient.ts';
import type { Random } from '../../../harness/random.ts';
import { lacking } from '../../../harness/registry/component.ts';
import { hold, type Attack, type Context } from '../../form.ts';
import type { Target } from '../../target.ts';
import { Upstream } from '../../upstream.ts';

const KEY = 'acme-identity-secret';
const CART = 'spiffe://cluster.local/ns/shop/sa/cart';
const POLICY = `policy: identity
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  inner: { paths: [/inner], plans: [gold], credentials: [workload], upstream: v1 }
  both: { paths: [/both], plans: [gold], credentials: [workload, key], upstream: v1 }
plans: { gold: {} }
consumers:
  cart: { plan: gold, workloads: ["${CART}"] }
  acme: { plan: gold, keys: [{ id: a, digest: "${digestOf(KEY)}" }] }
`;
/** Each is made by another program once, which takes longer than all requests with it. */
const MOST_CERTIFICATES = 24;
const ROUND = 20;

interface Certificate {
  readonly uris: readonly string[] | null;
  readonly verified: boolean;
}

/** Whatever certificates and headers a caller shows: nobody but the workload itself is that workload. */
export const identity: Attack = {
  name: 'identity',
  tries: 'certificates of another CA, names that almost fit, and headers that tell of certificates',
  async run(context) {
    if ((await lacking('openssl')) !== false) return;
    const peers = await Peers.make();
    context.cleanUp(() => peers.remove());
    const upstream = await Upstream.start();
    context.cleanUp(() => upstream.close());
    const { transportSocket } = peers;
    const target = await context.open({
      policy: POLICY,
      upstream: upstream.url,
      transportSocket,
      filtersBefore: [PROOF],
    });
    const certificates: Certificate[] = [
      { uris: null, verified: true },
      { uris: [CART], verified: true },
      { uris: [CART], verified: false },
    ];
    while (context.isTimeLeft()) {
      if (certificates.length < MOST_CERTIFICATES) certificates.push(aCertificate(context.random));
      for (let i = 0; i < ROUND; i++) await attackOnce(context, target, peers, upstream, certificates);
      target.isWell();
    }
  },
};

async function attackOnce(
  context: Context,
  target: Target,
  peers: Peers,
  upstream: Upstream,
  certificates: readonly Certificate[],
): Promise<void> {
  const { random } = context;
  const certificate = random.chance(0.3) ? certificates.at(-1)! : random.pick(certificates);
  const tls = await peers.client(certificate.uris, certificate.verified);
  const [api, key] = [random.pick(['inner', 'both']), random.pick([KEY, 'no-such-key-at-all', null])];
  const probe = String(random.below(1e9));
  const headers = [
    ['x-probe', probe] as const,
    ...headersOf(random),
    ...(key === null ? [] : [['x-api-key', key] as const]),
  ];
  const request = { method: 'GET', path: `/${api}/x`, host: 'api.test', headers };
  const reply = await sendRaw(target.port, requestBytes(request), 'GET', undefined, tls);
  context.count('requests');
  const shown = JSON.stringify({ certificate, api, key, headers, status: reply?.status }).slice(0, 600);
  hold(reply !== null, `a request was not answered: ${shown}`);
  const isCart = certificate.verified && certificate.uris?.[0] === CART;
  const isSomebody = certificate.verified && (certificate.uris?.length ?? 0) > 0;
  const expected = isCart ? 'cart' : !isSomebody && api === 'both' && key === KEY ? 'acme' : null;
  hold((reply.status === 200) === (expected !== null), `let in, or kept out, wrongly: ${shown}`);
  const seen = upstream.taken(probe);
  hold(
    (seen !== undefined) === (expected !== null),
    `a refused request reached the upstream, or another did not: ${shown}`,
  );
  const who = (seen?.headers ?? [])
    .filter(([name]) => name.replaceAll('_', '-') === 'x-tollgate-consumer')
    .map(([, value]) => value);
  hold(who.join() === (expected ?? ''), `the upstream was told of ${who.join(' and ') || 'nobody'}: ${shown}`);
  if (isCart) context.count('as the workload');
}

/** Headers by which proxies tell of a peer, as a caller would forge them. */
function headersOf(random: Random): (readonly [string, string])[] {
  const forged: (readonly [string, string])[] = [
    ['x-forwarded-client-cert', `By=spiffe://cluster.local/ns/shop/sa/x;Hash=0;Subject="";URI=${CART}`],
    ['x-tollgate-consumer', 'cart'],
    ['X_Tollgate_Consumer', 'cart'],
    ['x-envoy-peer-metadata-id', CART],
    ['tollgate_shadow_engine_result', 'allowed'],
    ['envoy.filters.http.rbac', '{"tollgate_shadow_engine_result":"allowed"}'],
    ['authorization', `Bearer ${CART}`],
  ];
  return forged.filter(() => random.chance(0.3));
}

/** One that a careless comparison would take for the workload's, or that is odd. */
function aCertificate(random: Random): Certificate {
  const near = [
    `${CART}/`,
    `${CART}-v2`,
    CART.slice(0, -1),
    CART.toUpperCase(),
    CART.replace('spiffe:', 'SPIFFE:'),
    CART.replace('cluster.local', 'cluster.local.'),
    CART.replace('cart', '%63art'),
    CART.replace('/sa/', '//sa/'),
    ` ${CART}`.trim() + '%00',
    `${CART}?x`,
    `https://${CART.slice('spiffe://'.length)}`,
    `spiffe://evil.test/ns/shop/sa/cart`,
    `spiffe://cluster.local/${'a'.repeat(random.below(8000))}`,
    'urn:x',
  ];
  const first = random.pick(near);
  return { uris: random.chance(0.5) ? [first, CART] : [first], verified: random.chance(0.7) };
}
