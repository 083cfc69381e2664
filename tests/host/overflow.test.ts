import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY, pluginConfig } from '../../harness/config.ts';
import { Host } from '../../scripts/host/host.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import type { Pair } from '../../scripts/host/stream.ts';

const CONFIG = JSON.stringify(pluginConfig([{ name: 'q', limit: 1_000_000, window: 'hour' }]));

function requestWithForeignHeaders(count: number): Pair[] {
  const foreign = Array.from({ length: count }, (_, i): Pair => [`x-tollgate-${i}`, 'spoofed']);
  return [[':authority', 'a.test'], [':path', '/v1/pets'], [':method', 'GET'], ['x-api-key', KEY], ...foreign];
}

test('removes hundreds of foreign identity headers', () => {
  const host = new Host(loadModule(modulePath), { workers: 1 });
  host.load(CONFIG);
  const exchange = host.request(requestWithForeignHeaders(300));
  assert.equal(exchange.response.first(':status'), '200');
  assert.deepEqual(
    exchange.upstream?.pairs.map(([name]) => name).filter((name) => /^x-tollgate-\d/.test(name)),
    [],
  );
  assert.deepEqual(host.faults, []);
});

test('refuses with internal_error what has more of them than it can remove', () => {
  const host = new Host(loadModule(modulePath), { workers: 1 });
  host.load(CONFIG);
  const exchange = host.request(requestWithForeignHeaders(600));
  assert.equal(exchange.response.first(':status'), '500');
  assert.equal(exchange.upstream, null);
  assert.deepEqual(host.faults, []);
});
