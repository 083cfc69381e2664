import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digest, keyOf, pluginConfig } from '../../harness/config.ts';
import { Host } from '../../scripts/host/host.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';

const DAY_MS = 86_400_000;

function policyOf(host: Host, consumer: number): string[] {
  return host
    .request([
      [':path', '/v1'],
      [':method', 'GET'],
      ['x-api-key', keyOf(consumer)],
    ])
    .response.all('ratelimit-policy');
}

test('ratelimit-policy names the limit of each subscription, whoever asked before', () => {
  const host = new Host(loadModule(modulePath));
  const limits = [5, 9_007_199_254_740_992, 70];
  const config = pluginConfig([{ name: 'hourly', limit: 100, window: 'hour' }]);
  const consumers = [null, ...limits].map((limit, i) => ({
    name: `consumer-${i}`,
    keys: [{ id: `k${i}`, digest: digest(keyOf(i)) }],
    subscriptions: [
      { api: 'petstore', plan: 'free', ...(limit === null ? {} : { limits: [{ quota: 'hourly', limit }] }) },
    ],
  }));
  assert.ok(host.load(JSON.stringify({ ...config, consumers })), host.logs().join('\n'));
  const wanted = [100, 5, 999_999_999_999_999, 70];
  for (const consumer of [0, 1, 0, 2, 2, 0, 3, 1, 2]) {
    assert.deepEqual(policyOf(host, consumer), [`"hourly";q=${wanted[consumer]};w=3600`]);
  }
});

test('ratelimit-policy follows the length of the month', () => {
  const host = new Host(loadModule(modulePath), { startMs: Date.UTC(2026, 0, 31, 23) });
  const quotas = [
    { name: 'monthly', limit: 100, window: 'month' },
    { name: 'q', limit: 7, window: 'day' },
  ];
  assert.ok(host.load(JSON.stringify(pluginConfig(quotas))));
  assert.deepEqual(policyOf(host, 0), [`"monthly";q=100;w=${31 * 86400}, "q";q=7;w=86400`]);
  host.process.clock.jump(host.process.clock.wallMs + DAY_MS);
  assert.deepEqual(policyOf(host, 0), [`"monthly";q=100;w=${28 * 86400}, "q";q=7;w=86400`]);
});
