import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pluginConfig } from '../../harness/config.ts';
import { ask, module, START_MS } from './quotaHost.ts';
import { Host } from '../../scripts/host/host.ts';

it('a lowered limit holds at once, whatever was leased under the one before', () => {
  const host = new Host(module, { workers: 2, startMs: START_MS });
  const config = (limit: number): string => JSON.stringify(pluginConfig([{ name: 'q', limit, window: 'hour' }]));
  assert.ok(host.load(config(100_000)));
  for (let i = 0; i < 20_000; i++) {
    if (i % 20 === 0) host.pass(1);
    assert.ok(ask(host, i % 2));
  }
  assert.ok(host.load(config(10_000)));
  let passed = 0;
  for (let i = 0; i < 10_000; i++) if (ask(host, i % 2)) passed++;
  assert.equal(passed, 0);
});
