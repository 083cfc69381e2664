import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KEY, pluginConfig } from '../../harness/config.ts';
import { keyOf, meshConfig } from '../../harness/rateLimitService/meshPolicy.ts';
import { Host } from '../../scripts/host/host.ts';
import type { GrpcAnswer } from '../../scripts/host/grpc.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import type { Pair } from '../../scripts/host/stream.ts';

const module = loadModule(modulePath);
const REQUEST: Pair[] = [
  [':authority', 'a.test'],
  [':path', '/v1/pets'],
  [':method', 'GET'],
];
/** An upstream that counts on its own. */
const upstream = (): Pair[] => [
  [':status', '200'],
  ['ratelimit', '"theirs";r=1;t=1'],
  ['ratelimit', '"more";r=1;t=1'],
  ['ratelimit-policy', '"theirs";q=1;w=1'],
];

function openHost(quotas: { name: string; limit: number; window: string }[]): Host {
  const host = new Host(module, { upstream });
  const config = pluginConfig(quotas);
  config.apis[0]!.anonymous = 'allow';
  assert.ok(host.load(JSON.stringify(config)), host.logs('error').join());
  return host;
}

describe('response headers', () => {
  it('show the quotas of the plan in place of what the upstream says', () => {
    const { response } = openHost([{ name: 'q', limit: 10, window: 'second' }]).request([
      ...REQUEST,
      ['x-api-key', KEY],
    ]);
    assert.deepEqual(response.all('ratelimit'), ['"q";r=9;t=1']);
    assert.deepEqual(response.all('ratelimit-policy'), ['"q";q=10;w=1']);
  });

  it('are left as they come on an anonymous request and on a plan without quotas', () => {
    const host = openHost([]);
    for (const headers of [REQUEST, [...REQUEST, ['x-api-key', KEY] as Pair]]) {
      assert.deepEqual(host.request(headers).response.pairs, upstream());
    }
  });

  /** An upstream that has a CORS policy of its own, of two minds. */
  const corsUpstream = (): Pair[] => [
    [':status', '200'],
    ['vary', 'accept-encoding'],
    ['access-control-allow-origin', '*'],
    ['access-control-allow-origin', 'https://evil.test'],
    ['access-control-allow-credentials', 'true'],
    ['access-control-expose-headers', 'x-secret'],
  ];

  function openCorsHost(cors: object, quotas: { name: string; limit: number; window: string }[] = []): Host {
    const host = new Host(module, { upstream: corsUpstream, workers: 1 });
    const config = pluginConfig(quotas);
    config.apis[0]!.anonymous = 'allow';
    config.apis[0]!.cors = cors;
    assert.ok(host.load(JSON.stringify(config)), host.logs('error').join());
    return host;
  }

  it("replace the upstream's own CORS headers, so that there are never two", () => {
    const exposed = 'ratelimit, ratelimit-policy, retry-after, www-authenticate';
    for (const [origins, allowed] of [
      [['https://app.test'], 'https://app.test'],
      [['https://*.test'], 'https://app.test'],
      [['*'], '*'],
    ] as const) {
      const { response } = openCorsHost({ origins }).request([...REQUEST, ['origin', 'https://app.test']]);
      assert.deepEqual(response.all('access-control-allow-origin'), [allowed]);
      assert.deepEqual(response.all('access-control-expose-headers'), [exposed]);
      assert.deepEqual(response.all('access-control-allow-credentials'), []);
      assert.deepEqual(response.all('vary'), ['accept-encoding', ...(allowed === '*' ? [] : ['Origin'])]);
    }
    const { response } = openCorsHost({ origins: ['https://app.test'], credentials: true }).request([
      ...REQUEST,
      ['origin', 'https://app.test'],
    ]);
    assert.deepEqual(response.all('access-control-allow-credentials'), ['true']);
  });

  it('allow no origin that the policy does not, whatever the upstream says', () => {
    const { response } = openCorsHost({ origins: ['https://app.test'] }).request([
      ...REQUEST,
      ['origin', 'https://evil.test'],
    ]);
    assert.deepEqual(response.all('access-control-allow-origin'), []);
    assert.deepEqual(response.all('vary'), ['accept-encoding', 'Origin']);
  });

  it('are left as they come for a request without an origin', () => {
    assert.deepEqual(openCorsHost({ origins: ['https://app.test'] }).request(REQUEST).response.pairs, corsUpstream());
  });

  it('belong to their own request while many are under way', () => {
    const host = openCorsHost({ origins: ['https://*.test', 'https://one.example'] });
    for (let i = 0; i < 5000; i++) {
      const origin = ['https://a.test', `https://a${i}.test`, 'https://one.example', 'https://evil.example'][i % 4]!;
      const { response } = host.request([...REQUEST, ['origin', origin]]);
      assert.deepEqual(response.all('access-control-allow-origin'), origin === 'https://evil.example' ? [] : [origin]);
    }
    assert.deepEqual(host.faults, []);
  });

  it('let a page read what comes of a request that waits: a refusal of the module, or an answer of Envoy', () => {
    for (const end of ['refused', 'timed out'] as const) {
      const backend = (): GrpcAnswer => ({ arrivesAfterMs: 1, afterMs: Infinity, result: () => 14 });
      const host = new Host(module, { workers: 1, backend });
      const config = meshConfig([{ name: 'q', limit: 10, window: 'hour' }]);
      config.apis[0]!.cors = { origins: ['https://*.test'] };
      assert.ok(host.load(JSON.stringify(config)), host.logs('error').join());
      const request = host.open([...REQUEST, ['origin', 'https://app.test'], ['x-api-key', keyOf('acme')]]);
      assert.ok(request.paused, 'it waits for the rate limit service');
      if (end === 'timed out') request.timeOut();
      else host.pass(2000);
      const { response } = request.exchange!;
      assert.equal(response.first(':status'), end === 'timed out' ? '408' : '503');
      assert.deepEqual(response.all('access-control-allow-origin'), ['https://app.test'], end);
      assert.deepEqual(host.faults, []);
    }
  });

  it('name the reason in the response code details of a refusal', () => {
    const host = openHost([{ name: 'q', limit: 1, window: 'month' }]);
    assert.match(host.request([...REQUEST, ['x-api-key', 'no-such-key-at-all']]).details, /^\S*unknown_api_key$/);
    host.request([...REQUEST, ['x-api-key', KEY]]);
    assert.match(host.request([...REQUEST, ['x-api-key', KEY]]).details, /^\S*quota_exceeded$/);
  });
});
