import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pluginConfig } from '../../harness/config.ts';
import { Host } from '../../scripts/host/host.ts';
import { module, START_MS } from './quotaHost.ts';

describe('edits in quick succession', () => {
  it('leave the memory as it was when one comes every two seconds', () => {
    const host = new Host(module, { workers: 1, startMs: START_MS });
    const edit = (i: number): void => {
      const routes = [{ name: `v${i}`, headers: [{ name: 'x-api-version', exact: '2' }] }];
      assert.ok(
        host.load(
          JSON.stringify(
            pluginConfig([{ name: 'hourly', limit: 1_000_000_000, window: 'hour' }], { routes, consumers: 500 }),
          ),
        ),
      );
      host.retireAllButNewest();
      host.pass(2_000);
    };
    for (let i = 0; i < 50; i++) edit(i);
    const before = host.workers[0]!.memory.byteLength;
    for (let i = 50; i < 300; i++) edit(i);
    assert.equal(host.workers[0]!.memory.byteLength, before);
    assert.deepEqual(host.faults, []);
  });
});
