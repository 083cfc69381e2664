import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { keySet, signedToken } from '../../harness/envoy/token.ts';
import { reasonOf, type Reply } from '../../harness/mesh/call.ts';
import type { KubeObject } from '../../harness/mesh/kubeClient.ts';
import { freePort } from '../../harness/mesh/port.ts';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { ACME, meshPolicy } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

const CORP = 'https://corp.example';
const PARTNER = 'https://partner.example';
const FOREIGN = 'https://foreign.example';
const CLAIMS = { iss: CORP, sub: 'acme-1', aud: 'shop', scope: 'openid read:pets' };
const PARTNER_KEY = { by: 'partner', alg: 'ES256' } as const;
const PAST = 1_000_000_000;

/** Callers that are known by tokens, which a real istiod has had verified: it fetches one key set from a server on loopback. */
export function tokenTests(mesh: MeshUnderTest): void {
  describe('a policy that knows callers by tokens', () => {
    let gateway: ProxyUnderTest;
    const servers: Server[] = [];
    let url = '';
    let fetched = 0;
    let rules: KubeObject;

    /** Serves the key set of one issuer; resolves to the port. */
    const listenOn = async (port: number): Promise<number> => {
      const server = createServer((_, response) => {
        fetched++;
        response.setHeader('content-type', 'application/json').end(JSON.stringify(keySet('corp')));
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
      return (server.address() as AddressInfo).port;
    };
    const roll = async (jwks = url): Promise<void> => {
      const policy = meshPolicy({ name: 'tokens', targets: [gateway.target], limit: 2 });
      const { acme, rich } = policy.consumers;
      const resources = await gateway.rollOut({
        ...policy,
        accessLog: { fields: 'all' },
        tokens: {
          corp: { issuer: CORP, jwks, audiences: ['shop'], plan: 'tier', scopes: 'scope' },
          partner: { issuer: PARTNER, jwks: keySet('partner'), consumer: 'client_id', forward: true },
        },
        apis: {
          tokens: {
            ...policy.apis['tokens'],
            credentials: ['token', 'key'],
            operations: { 'GET /pets': { scopes: ['read:pets'] }, 'GET /toys': {} },
          },
        },
        consumers: {
          acme: { ...acme, scopes: ['read:pets'], tokens: { corp: ['acme-1'], partner: ['acme-app'] } },
          rich: { ...rich, tokens: { corp: ['rich-1'] } },
        },
      });
      rules = resources.find(({ kind }) => kind === 'RequestAuthentication')!;
    };
    const bearer = (token: string): { headers: Record<string, string> } => ({
      headers: { authorization: `Bearer ${token}` },
    });
    const withClaims = (claims: object): { headers: Record<string, string> } =>
      bearer(signedToken({ ...CLAIMS, ...claims }));

    before(async () => {
      url = `http://127.0.0.1:${await listenOn(0)}/keys.json`;
      gateway = await mesh.gateway('tokens');
      await roll();
      await gateway.becomesStatus(200, withClaims({ sub: 'rich-1' }));
    });
    after(async () => {
      for (const server of servers) server.close();
      await gateway?.proxy.stop();
    });

    it('takes the owner of a token whose keys istiod has fetched from their URL', async () => {
      const { status, body, seen } = await gateway.call(withClaims({ sub: 'rich-1' }));
      assert.equal(status, 200, body);
      assert.ok(fetched > 0);
      const { 'x-tollgate-consumer': consumer, 'x-tollgate-plan': plan, authorization } = seen!.headers;
      assert.deepEqual([consumer, plan, authorization], ['rich', 'endless', undefined]);
      await gateway.logsAccess(/^200 .* consumer=rich keyId=rich-1 plan=endless/);
    });

    it('takes the plan that a token names, and otherwise the one of its owner, for every issuer', async () => {
      const named = await gateway.call(withClaims({ tier: 'endless' }));
      assert.deepEqual([named.status, named.seen?.headers['x-tollgate-plan']], [200, 'endless']);
      const other = await gateway.call(withClaims({ tier: 'golden' }));
      assert.deepEqual([other.status, reasonOf(other)], [403, 'not_subscribed']);
      assert.equal((await gateway.call(withClaims({}))).status, 200);
      // with keys that are in the policy
      const token = signedToken({ iss: PARTNER, client_id: 'acme-app' }, PARTNER_KEY);
      const partner = await gateway.call(bearer(token));
      const { 'x-tollgate-consumer': consumer, authorization } = partner.seen!.headers;
      assert.deepEqual([partner.status, consumer, authorization], [200, 'acme', `Bearer ${token}`]);
      for (const request of [withClaims({}), bearer(token)]) assert.equal((await gateway.call(request)).status, 429);
    });

    it('takes the scopes of the token, of which Istio makes a list, and no scope of the consumer', async () => {
      const without = await gateway.call(withClaims({ tier: 'endless', scope: 'openid' }));
      assert.deepEqual([without.status, reasonOf(without)], [403, 'missing_scope']);
      const elsewhere = { ...withClaims({ tier: 'endless', scope: 'openid' }), path: '/v1/toys' };
      assert.equal((await gateway.call(elsewhere)).status, 200);
    });

    it('leaves owners that nobody lists with 403, and callers without a token with 401', async () => {
      const nobody = await gateway.call(withClaims({ sub: 'nobody' }));
      assert.deepEqual([nobody.status, reasonOf(nobody)], [403, 'unknown_subject']);
      const nothing = await gateway.call();
      assert.deepEqual([nothing.status, reasonOf(nothing)], [401, 'missing_api_key']);
      assert.equal((await gateway.call({ headers: ACME })).status, 429);
    });

    it('sees no token that Istio refuses', async () => {
      const [head, , signature] = signedToken(CLAIMS).split('.');
      const [, better] = signedToken({ ...CLAIMS, tier: 'endless' }).split('.');
      const refused: readonly [token: string, status: number, says: RegExp][] = [
        [signedToken({ ...CLAIMS, exp: PAST }), 401, /^Jwt is expired$/],
        [`${head}.${better}.${signature}`, 401, /^Jwt verification fails$/],
        [signedToken(CLAIMS, { by: 'corp', alg: 'none' }), 401, /^Jwt is not in the form of Header.Payload.Signature/],
        [
          `${signedToken(CLAIMS, { by: 'corp', alg: 'none' })}${signature}`,
          401,
          /^Jwt header \[alg\] is not supported$/,
        ],
        [signedToken(CLAIMS, { by: 'corp', alg: 'HS256' }), 401, /^Jwks doesn't have key to match kid or alg/],
        [signedToken(CLAIMS, { by: 'foreign', alg: 'ES256' }), 401, /^Jwks doesn't have key to match kid or alg/],
        [signedToken({ ...CLAIMS, iss: FOREIGN }), 401, /^Jwt issuer is not configured$/],
        [signedToken({ ...CLAIMS, aud: 'cellar' }), 403, /^Audiences in Jwt are not allowed$/],
        ['an-api-key', 401, /^Jwt is not in the form of Header.Payload.Signature/],
      ];
      // where no API is, too
      const elsewhere = { ...bearer('an-api-key'), path: '/elsewhere' };
      assert.equal((await gateway.call(elsewhere)).status, 401);
      for (const [token, status, says] of refused)
        // a key beside it does not help
        for (const key of [{}, ACME]) {
          const reply = await gateway.call({ headers: { ...bearer(token).headers, ...key } });
          assert.equal(reply.status, status, reply.body);
          assert.match(reply.body, says);
        }
      await gateway.logsAccess(/^401 jwt_authn_access_denied\{Jwt_is_expired\} flags=/);
    });

    it('takes nothing for a token of an issuer that only somebody else has verified', async () => {
      const theirs = {
        ...rules,
        metadata: { name: 'theirs', namespace: gateway.namespace },
        spec: {
          selector: { matchLabels: gateway.selector },
          jwtRules: [{ issuer: FOREIGN, jwks: JSON.stringify(keySet('foreign')) }],
        },
      };
      await mesh.apply([theirs]);
      const token = signedToken({ ...CLAIMS, iss: FOREIGN }, { by: 'foreign', alg: 'ES256' });
      const reply = await gateway.becomes(
        'an answer of the module',
        (one) => reasonOf(one) !== undefined,
        bearer(token),
      );
      assert.deepEqual([reply.status, reasonOf(reply)], [401, 'missing_api_key']);
      await mesh.delete([theirs]);
      await gateway.becomes('an answer of Istio', isOfIstio, bearer(token));
    });

    it('takes nothing for a token that nobody has verified', async () => {
      await mesh.delete([rules]);
      for (const token of [signedToken({ ...CLAIMS, exp: PAST }), signedToken({ ...CLAIMS, tier: 'endless' })]) {
        const reply = await gateway.becomes(
          'an answer of the module',
          (one) => reasonOf(one) !== undefined,
          bearer(token),
        );
        assert.deepEqual([reply.status, reasonOf(reply), reply.seen], [401, 'missing_api_key', null]);
      }
      await mesh.apply([rules]);
      await gateway.becomesStatus(200, withClaims({ tier: 'endless' }));
    });

    it('lets no token of an issuer in while istiod cannot fetch its keys, and those of others all the same', async () => {
      const port = await freePort();
      await roll(`http://127.0.0.1:${port}/keys.json`);
      const reply = await gateway.becomes('an answer of Istio', isOfIstio, withClaims({ tier: 'endless' }));
      assert.equal(reply.body, 'Jwt verification fails');
      const token = signedToken({ iss: PARTNER, client_id: 'acme-app' }, PARTNER_KEY);
      assert.equal((await gateway.call(bearer(token))).status, 429);
      // it goes on trying for some seconds
      await listenOn(port);
      await gateway.becomesStatus(200, withClaims({ tier: 'endless' }));
    });
  });
}

function isOfIstio(reply: Reply): boolean {
  return reply.status === 401 && reasonOf(reply) === undefined;
}
