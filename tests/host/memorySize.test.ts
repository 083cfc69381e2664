import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pluginConfig } from '../../harness/config.ts';
import { Host } from '../../scripts/host/host.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';

const module = loadModule(modulePath);
const EDITS = 6;

/** A config of one plan with `consumers` consumers, a key to each; `edit` makes it another. */
function config(consumers: number, edit: number): string {
  const routes = [{ name: `v${edit}`, headers: [{ name: 'x-api-version', exact: '2' }] }];
  return JSON.stringify(pluginConfig([{ name: 'hourly', limit: 1000, window: 'hour' }], { consumers, routes }));
}

/** Bytes of a worker's memory after each of `EDITS + 1` configs; the one before is in force while the next is read. */
function sizes(consumers: number): number[] {
  const host = new Host(module);
  return Array.from({ length: EDITS + 1 }, (_, edit) => {
    assert.ok(host.load(config(consumers, edit)), host.logs('error').join('\n'));
    host.retireAllButNewest();
    // The module lets go of a root some time after its ticks have ended.
    host.pass(30_000);
    return host.workers[0]!.memory.byteLength;
  });
}

describe('memory of a VM', () => {
  for (const [consumers, most] of [
    [1, 200_000],
    [1000, 700_000],
    [10_000, 4_000_000],
    [100_000, 42_000_000],
  ] as const) {
    it(`is at most ${most} bytes with ${consumers} consumers, through ${EDITS} edits`, (t) => {
      const found = sizes(consumers);
      t.diagnostic(
        `${consumers} consumers: ${config(consumers, 0).length} bytes of config, memory ${found.join(', ')}`,
      );
      assert.ok(Math.max(...found) <= most, `${found.join(', ')} bytes, at most ${most}`);
      assert.equal(found.at(-1), found.at(-2), 'it stops growing');
    });
  }

  it('is at most a few times the config when a config only promises many consumers', () => {
    const host = new Host(module);
    assert.ok(host.load(config(1, 0)));
    const worker = host.workers[0]!;
    const root = host.newest!.roots.get(worker)!;
    const promises = Buffer.from(
      config(1, 0).replace('"consumers":[', `"consumers":[${'"name","digest","api",'.repeat(100_000)}`),
    );
    assert.equal(worker.configure(root.id, { ...root.plugin, configuration: promises }), false);
    assert.ok(
      worker.memory.byteLength < 200_000 + 7 * promises.length,
      `${worker.memory.byteLength} bytes for ${promises.length} of config`,
    );
    assert.deepEqual(host.faults, []);
  });
});
