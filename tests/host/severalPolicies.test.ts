import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pluginConfig } from '../../harness/config.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { type Pair, Stream } from '../../scripts/host/stream.ts';
import { Process } from '../../scripts/host/process.ts';
import { Vm } from '../../scripts/host/vm.ts';
import { logFieldsOf, type LogFields } from '../../scripts/host/index.ts';
import { LOG_FIELDS } from '../../scripts/contract/table.ts';

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
  const stream = afterSecond(filterState === null ? {} : { 'wasm.tollgate': filterState }, request);
  return {
    headers: stream.request.pairs.map(([name]) => name).filter((name) => name.startsWith('x-tollgate-')),
    path: stream.request.first(':path'),
    log: stream.filterState.get('wasm.tollgate'),
  };
}

/** The stream after a plugin that found this filter state. */
function afterSecond(filterState: Record<string, string>, request: Pair[], config: object = CONFIG): Stream {
  const process = new Process(Date.UTC(2026, 0, 1));
  const vm = new Vm(loadModule(modulePath), process, 'vm');
  const root = vm.startRoot({ name: 'second', rootId: 'second', configuration: Buffer.from(JSON.stringify(config)) });
  assert.ok(root);
  const stream = new Stream(request);
  for (const [name, value] of Object.entries(filterState)) stream.filterState.set(name, value);
  const context = vm.openStream(root, stream);
  vm.call(context, 'proxy_on_request_headers', context.id, request.length, 1);
  assert.deepEqual(process.faults, []);
  return stream;
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

test('keeps the headers of another policy where it only observes that no API of its own covers the request', () => {
  const log = 'reason=allowed api=other consumer=acme';
  const observing = { ...pluginConfig([]), mode: 'observe' };
  const first = { 'wasm.tollgate': log };
  const kept = afterSecond(first, DECIDED, observing);
  assert.equal(kept.request.first('x-tollgate-consumer'), 'acme');
  assert.equal(kept.filterState.get('wasm.tollgate'), log);
  const alone = afterSecond({}, DECIDED, observing);
  assert.equal(alone.request.first('x-tollgate-consumer'), undefined);
  assert.equal(alone.filterState.get('wasm.tollgate'), 'reason=no_api mode=observe');
  // a key may be this policy's, and whoever sent it may have sent the headers
  const withKey = afterSecond(first, [...DECIDED, ['x-api-key', 'no-such-key-at-all']], observing);
  assert.equal(withKey.request.first('x-tollgate-consumer'), undefined);
  assert.equal(withKey.request.first('x-api-key'), undefined);
});

/** The log fields of a request after two policies that both want all of them. */
function fieldsAfter(first: Record<string, string>, path: string, own: Pair[] = []): LogFields {
  const request: Pair[] = [[':authority', 'api.example.com'], [':path', path], [':method', 'GET'], ...own];
  return logFieldsOf(afterSecond(first, request, { ...CONFIG, accessLog: { fields: [...LOG_FIELDS] } }));
}

const FIRST = {
  'wasm.tollgate': 'reason=allowed api=other route=other/default consumer=rich',
  'wasm.tollgate.reason': 'allowed',
  'wasm.tollgate.api': 'other',
  'wasm.tollgate.route': 'other/default',
  'wasm.tollgate.consumer': 'rich',
  'wasm.tollgate.quota': 'yearly',
  'wasm.tollgate.remaining': '3',
  'wasm.tollgate.host': 'api.example.com',
  'wasm.tollgate.mode': 'observe',
};

test('leaves no log field of an earlier policy beside its own decision', () => {
  const host = 'api.example.com';
  assert.deepEqual(fieldsAfter(FIRST, '/v1/pets'), { reason: 'missing_api_key', api: 'petstore', host });
  assert.deepEqual(fieldsAfter(FIRST, '/elsewhere'), { reason: 'unmatched', host });
});

test('keeps the log fields of an earlier policy with its decision', () => {
  const fields = fieldsAfter(FIRST, '/elsewhere', [['x-tollgate-consumer', 'rich']]);
  assert.deepEqual(fields, {
    reason: 'allowed',
    api: 'other',
    route: 'other/default',
    consumer: 'rich',
    quota: 'yearly',
    remaining: 3,
    host: 'api.example.com',
    mode: 'observe',
  });
});

test('removes what was forged under names of its own, whatever another policy has let pass', () => {
  const config = { ...CONFIG, identityHeaders: { consumer: 'x-user', route: 'x-tollgate-route' } };
  const forged: Pair[] = [
    [':authority', 'a.test'],
    [':path', '/elsewhere'],
    [':method', 'GET'],
    ['x-user', 'acme'],
    ['X_User', 'acme'],
  ];
  const names = (request: Pair[]): string[] =>
    afterSecond({ 'wasm.tollgate': 'reason=unmatched' }, request, config)
      .request.pairs.map(([name]) => name)
      .filter((name) => name.startsWith('x'));
  assert.deepEqual(names(forged.map(([name, value]): Pair => [name.toLowerCase(), value])), []);
  assert.deepEqual(names(DECIDED), ['x-tollgate-consumer', 'x-tollgate-route']);
});
