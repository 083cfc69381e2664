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
  ['x-api-key', KEY],
];

function openHost(workers: number): Host {
  const host = new Host(module, { workers });
  assert.ok(host.load(config(0)), host.logs('error').join());
  return host;
}

function config(edit: number): string {
  return JSON.stringify(
    pluginConfig([{ name: 'q', limit: 1000, window: 'day' }], { routes: [{ name: `r${edit}`, methods: ['GET'] }] }),
  );
}

function vms(host: Host, name: 'tollgate_vms' | 'tollgate_vms_lost_total' = 'tollgate_vms'): number {
  const [series] = host.series(name, { policy: 'petstore' });
  return series!.value;
}

describe('the gauge of VMs', () => {
  it('counts the workers and the main thread, through edits, drained roots and idle time', () => {
    const host = openHost(4);
    for (let edit = 1; edit <= 20; edit++) {
      host.pass(700);
      assert.ok(host.load(config(edit)));
      if (edit % 2 === 0) host.retireAllButNewest();
    }
    host.pass(2000);
    assert.equal(vms(host), 5);
    host.pass(3_600_000);
    assert.equal(vms(host), 5);
    assert.equal(vms(host, 'tollgate_vms_lost_total'), 0);
    assert.deepEqual(host.faults, []);
  });

  it('shows within seconds that a VM has died, however, and counts it once', () => {
    const host = openHost(3);
    host.pass(2000);
    host.workers[1]!.failed = new Error('a trap');
    host.pass(8000);
    assert.equal(vms(host), 3);
    assert.equal(vms(host, 'tollgate_vms_lost_total'), 1);
    for (const vm of host.workers) vm.failed = new Error('a trap');
    host.pass(8000);
    assert.equal(vms(host), 1, 'the main thread sees no request, and stays to tell');
    assert.equal(vms(host, 'tollgate_vms_lost_total'), 3);
  });

  it('counts two VMs that send their first heartbeats at the same moment', () => {
    const host = openHost(2);
    let raced = false;
    host.process.sharedData.beforeSet = (key) => {
      if (raced || !key.endsWith('/vms')) return;
      raced = true;
      // The other worker is quicker than the VM whose write this is.
      const [worker] = host.workers;
      for (const root of worker!.roots.values()) worker!.tick(root);
    };
    host.pass(4000);
    assert.ok(raced);
    assert.equal(vms(host), 3);
    assert.equal(vms(host, 'tollgate_vms_lost_total'), 0);
  });

  it('does not take a clock that is set for a death', () => {
    const host = openHost(3);
    for (const jumpMs of [3_600_000, -7_200_000, 30_000, -20_000]) {
      host.pass(3000);
      host.process.clock.jump(host.process.clock.wallMs + jumpMs);
      host.pass(9000);
    }
    host.pass(10_000);
    assert.equal(vms(host), 4);
    assert.equal(vms(host, 'tollgate_vms_lost_total'), 0);
    assert.equal(host.request(REQUEST).details, 'via_upstream');
  });

  it('falls to none when the policy leaves the Envoy', () => {
    const host = openHost(2);
    host.pass(2000);
    assert.equal(vms(host), 3);
    assert.ok(host.load(config(1).replace('"policy":"petstore"', '"policy":"other"')));
    host.retireAllButNewest();
    host.pass(2000);
    assert.equal(vms(host), 0);
    assert.equal(host.total('tollgate_vms', { policy: 'other' }), 3);
  });
});
