import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KEY, pluginConfig } from '../../harness/config.ts';
import { Host } from '../../scripts/host/host.ts';
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

  it('name the reason in the response code details of a refusal', () => {
    const host = openHost([{ name: 'q', limit: 1, window: 'month' }]);
    assert.match(host.request([...REQUEST, ['x-api-key', 'no-such-key-at-all']]).details, /^\S*unknown_api_key$/);
    host.request([...REQUEST, ['x-api-key', KEY]]);
    assert.match(host.request([...REQUEST, ['x-api-key', KEY]]).details, /^\S*quota_exceeded$/);
  });
});
