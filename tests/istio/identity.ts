import assert from 'node:assert/strict';
import { connect } from 'node:tls';
import { after, before, describe, it } from 'node:test';
import { Authority, type Leaf } from '../../harness/envoy/authority.ts';
import { keySet, signedToken } from '../../harness/envoy/token.ts';
import { steadyWindow } from '../../harness/envoy/testPolicy.ts';
import { reasonOf, type Reply } from '../../harness/mesh/call.ts';
import { waitFor } from '../../harness/mesh/wait.ts';
import { lacking } from '../../harness/registry/component.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { digestOf } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

const NAMESPACE = 'identity';
const CALLERS = 'identity-callers';
const WEB = idOf('web');
const BATCH = idOf('batch');
const ISSUER = 'https://idp.example';
/** What Envoy writes of a verified certificate, and what anybody can write. */
const FORGED = {
  'x-forwarded-client-cert': `By=spiffe://cluster.local/ns/${NAMESPACE}/sa/cart;Hash=${'0'.repeat(64)};Subject="";URI=${WEB}`,
};

function idOf(account: string): string {
  return `spiffe://cluster.local/ns/${CALLERS}/sa/${account}`;
}

/** Callers that are known by the certificates which a real istiod has given to their sidecars. */
export function identityTests(mesh: MeshUnderTest): void {
  describe('a policy that knows callers by their service accounts', () => {
    let cart: ProxyUnderTest;
    let web: ProxyUnderTest;
    let batch: ProxyUnderTest;

    /** Consumers by their workloads; each has a quota of its own, but for what a test says. */
    const roll = (consumers: Record<string, object>, more: object = {}, api: object = {}): Promise<unknown> =>
      cart.rollOut({
        policy: 'cart',
        workloadProof: 'listener',
        targets: [{ workload: { namespace: NAMESPACE, selector: { app: 'cart' } } }],
        accessLog: { fields: 'all' },
        apis: { cart: { paths: ['/v1'], plans: ['small', 'large'], credentials: ['workload', 'key'], ...api } },
        plans: { small: quotaOf(2), large: quotaOf(3) },
        consumers: {
          ...consumers,
          partner: { plan: 'large', keys: [{ id: 'partner-1', digest: digestOf('partner-secret-key') }] },
        },
        ...more,
      });
    const APART = { web: { plan: 'small', workloads: [WEB] }, batch: { plan: 'large', workloads: [BATCH] } };
    const demand = (mode: 'PERMISSIVE' | 'STRICT'): Promise<unknown> =>
      mesh.apply([
        {
          apiVersion: 'security.istio.io/v1',
          kind: 'PeerAuthentication',
          metadata: { name: 'default', namespace: NAMESPACE },
          spec: { mtls: { mode } },
        },
      ]);

    before(async () => {
      cart = await mesh.sidecar('cart', NAMESPACE, 'cart');
      await demand('PERMISSIVE');
      [web, batch] = await Promise.all([mesh.caller('web', CALLERS, cart), mesh.caller('batch', CALLERS, cart)]);
      await roll(APART);
      for (const proxy of [cart, web, batch])
        await proxy.becomes('an answer of the module', (reply) => reasonOf(reply) === 'no_api', { path: '/elsewhere' });
    });
    after(async () => {
      for (const one of [web, batch, cart]) await one?.proxy.stop();
    });

    it('counts each service account by its own quota', async () => {
      const first = await web.call();
      assert.equal(first.status, 200, first.body);
      assert.equal(first.seen?.headers['x-tollgate-consumer'], 'web');
      assert.deepEqual(await statuses(web, 2), [200, 429]);
      assert.deepEqual(await statuses(batch, 4), [200, 200, 200, 429]);
      await cart.logsAccess(new RegExp(`^429 .* consumer=web keyId=${WEB} plan=small`));
      await cart.logsAccess(new RegExp(`^429 .* consumer=batch keyId=${BATCH} plan=large`));
    });

    it('knows nobody in plain text, whatever a header says; a key still counts', async () => {
      for (const headers of [{}, FORGED]) {
        const reply = await cart.call({ headers });
        assert.deepEqual([reply.status, reasonOf(reply)], [401, 'missing_api_key']);
      }
      const { seen } = await cart.call({ headers: { ...FORGED, 'x-api-key': 'partner-secret-key' } });
      assert.equal(seen?.headers['x-tollgate-consumer'], 'partner');
    });

    it('takes the certificate and not the header, where a workload says that it is another', async () => {
      await roll({ ...APART, batch: { plan: 'forged', workloads: [BATCH] } }, plansWith('forged'), {
        plans: ['small', 'large', 'forged'],
      });
      const reply = await batch.becomesStatus(200, { headers: FORGED });
      assert.equal(reply.seen?.headers['x-tollgate-consumer'], 'batch');
    });

    it('follows an edit: a service account that nobody is, one that joins another consumer', async () => {
      await roll({ web: APART.web });
      const unknown = await batch.becomesStatus(403);
      assert.equal(reasonOf(unknown), 'unknown_workload');
      // first of the credentials, whatever it is worth
      assert.equal((await batch.call({ headers: { 'x-api-key': 'partner-secret-key' } })).status, 403);
      await roll({ web: { plan: 'small', workloads: [WEB, BATCH] } });
      await batch.becomesStatus(429);
    });

    it('takes tokens beside certificates, in the order of the API', async () => {
      const tokens = { tokens: { idp: { issuer: ISSUER, jwks: keySet('corp') } } };
      await roll(
        {
          ...APART,
          batch: { plan: 'endless', workloads: [BATCH] },
          acme: { plan: 'endless', tokens: { idp: ['acme-1'] } },
        },
        { ...tokens, ...plansWith('endless') },
        { credentials: ['token', 'workload'], plans: ['small', 'endless'] },
      );
      const bearer = { authorization: `Bearer ${signedToken({ iss: ISSUER, sub: 'acme-1' })}` };
      await cart.becomes('a token in plain text', byConsumer('acme'), { headers: bearer });
      // a connection that was there before has the old filters until it is drained
      await batch.becomes('the token to go before the certificate', byConsumer('acme'), { headers: bearer });
      assert.ok(byConsumer('batch')(await batch.call()));
      const unverified = { authorization: `Bearer ${signedToken({ iss: ISSUER, sub: 'acme-1' }, FOREIGN)}` };
      assert.equal((await batch.call({ headers: unverified })).status, 401);
    });

    it('takes no certificate where only an RBAC filter would prove it, because Istio has none that does', async () => {
      await roll(APART, { workloadProof: 'rbac' });
      const reply = await web.becomesStatus(401);
      assert.equal(reasonOf(reply), 'missing_api_key');
      await roll(APART);
      await web.becomesStatus(429);
    });

    it('is asked by nobody in plain text where mutual TLS is STRICT', async () => {
      await roll({ ...APART, web: { plan: 'strict', workloads: [WEB] } }, plansWith('strict'), {
        plans: ['strict', 'large'],
      });
      await web.becomesStatus(200);
      await demand('STRICT');
      await waitFor('plain text gets no answer', () =>
        cart.call({ headers: { 'x-api-key': 'partner-secret-key' } }).then(
          () => false,
          () => true,
        ),
      );
      assert.equal((await web.call()).status, 200);
    });

    it('is asked by nobody with the right name from another authority', async (context) => {
      const missing = await lacking('openssl');
      if (missing !== false) return context.skip(missing);
      const authority = await Authority.make(scratchFolder());
      const leaf = await authority.certify('web', `URI:${WEB}`);
      await assert.rejects(statusLine(cart.port, leaf), /unknown ca|certificate/i);
    });
  });
}

const FOREIGN = { by: 'foreign', alg: 'ES256' } as const;

function quotaOf(limit: number): object {
  return { quotas: { main: { limit, window: steadyWindow() } } };
}

/** The plans, and one without quotas, so that nothing is left of what an earlier test has used. */
function plansWith(name: string): object {
  return { plans: { small: quotaOf(2), large: quotaOf(3), [name]: {} } };
}

async function statuses(proxy: ProxyUnderTest, count: number): Promise<number[]> {
  const seen: number[] = [];
  for (let i = 0; i < count; i++) seen.push((await proxy.call()).status);
  return seen;
}

function byConsumer(name: string): (reply: Reply) => boolean {
  return ({ seen }) => seen?.headers['x-tollgate-consumer'] === name;
}

/** The first line of what a client with this certificate gets from a sidecar. */
function statusLine(port: number, leaf: Leaf): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ...leaf, rejectUnauthorized: false, ALPNProtocols: ['istio'] });
    socket
      .on('secureConnect', () => socket.write('GET /v1/pets HTTP/1.1\r\nhost: cart\r\n\r\n'))
      .on('data', (bytes: Buffer) => (resolve(bytes.toString('utf8').split('\r\n')[0]!), socket.destroy()))
      .on('error', reject)
      .on('close', () => reject(new Error('closed without an answer')));
  });
}
