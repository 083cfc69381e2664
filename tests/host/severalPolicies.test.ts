import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pluginConfig } from '../../harness/config.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { type Pair, Stream } from '../../scripts/host/stream.ts';
import { Process } from '../../scripts/host/process.ts';
import { Vm } from '../../scripts/host/vm.ts';

const CONFIG = { ...pluginConfig([{ name: 'q', limit: 10, window: 'hour' }]), unmatched: 'allow' };
const DECIDED: Pair[] = [
  [':authority', 'a.test'],
  [':path', '/elsewhere'],
  [':method', 'GET'],
  ['x-tollgate-consumer', 'acme'],
  ['x-tollgate-route', 'other/default'],
];

/** What is left of a request that the policy does not cover, with or without a decision of an earlier plugin. */
function passOn(
  filterState: string | null,
  request: Pair[] = DECIDED,
): { headers: string[]; path: string | undefined; log: string | undefined } {
  const process = new Process(Date.UTC(2026, 0, 1));
  const vm = new Vm(loadModule(modulePath), process, 'vm');
  const root = vm.startRoot({ name: 'second', rootId: 'second', configuration: Buffer.from(JSON.stringify(CONFIG)) });
  assert.ok(root);
  const stream = new Stream(request);
  if (filterState !== null) stream.filterState.set('wasm.tollgate', filterState);
  const context = vm.openStream(root, stream);
  assert.equal(vm.call(context, 'proxy_on_request_headers', context.id, request.length, 1), 0);
  assert.deepEqual(process.faults, []);
  return {
    headers: stream.request.pairs.map(([name]) => name).filter((name) => name.startsWith('x-tollgate-')),
    path: stream.request.first(':path'),
    log: stream.filterState.get('wasm.tollgate'),
  };
}

test('keeps the headers and the log text of another policy in the same Envoy', () => {
  const log = 'reason=allowed api=other consumer=acme';
  assert.deepEqual(passOn(log), { headers: ['x-tollgate-consumer', 'x-tollgate-route'], path: '/elsewhere', log });
});

test('removes such headers when no policy in this Envoy has set them', () => {
  assert.deepEqual(passOn(null), { headers: [], path: '/elsewhere', log: 'reason=unmatched' });
});

test('resolves a path that another policy has let pass on its own account', () => {
  const request: Pair[] = [
    [':authority', 'a.test'],
    [':path', '//b.test/v1'],
    [':method', 'GET'],
  ];
  assert.deepEqual(passOn('reason=unmatched', request), { headers: [], path: '/b.test/v1', log: 'reason=unmatched' });
});
