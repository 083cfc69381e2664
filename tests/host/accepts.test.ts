import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { KEY, pluginConfig } from '../../harness/config.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { acceptsConfig, decisionOf, Host, HostFault, loadModule } from '../../scripts/host/index.ts';
import { BAD_CONFIGS } from './badConfigs.ts';

const wasm = readFileSync(modulePath);

test('the module takes a valid plugin config, as a string or as bytes', () => {
  const config = JSON.stringify(pluginConfig([{ name: 'hourly', limit: 10, window: 'hour' }]));
  assert.deepEqual(acceptsConfig(wasm, config), { accepted: true });
  assert.deepEqual(acceptsConfig(wasm, Buffer.from(config)), { accepted: true });
});

test('the module refuses every bad config with its own message, in which no key stands', () => {
  assert.ok(BAD_CONFIGS.length > 50);
  for (const { what, config, names } of BAD_CONFIGS) {
    const answer = acceptsConfig(wasm, config);
    assert.ok(!answer.accepted, what);
    assert.match(answer.message, names, what);
    assert.ok(!answer.message.includes(KEY), what);
  }
  assert.deepEqual(acceptsConfig(wasm, ''), { accepted: false, message: 'plugin config: is empty' });
});

test('bytes that are no module of this host are a fault, not an answer', () => {
  assert.throws(() => acceptsConfig(Buffer.from('no wasm'), '{}'));
  // a valid wasm module without malloc and the mark of the ABI
  assert.throws(() => acceptsConfig(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]), '{}'), HostFault);
});

test('a request through the door of the host: decision, headers, logs and metrics', () => {
  const host = new Host(loadModule(wasm));
  assert.ok(host.load(JSON.stringify(pluginConfig([]))));
  const request = [
    [':authority', 'a.test'],
    [':path', '/v1/pets'],
    [':method', 'GET'],
  ] as [string, string][];
  const allowed = host.request([...request, ['x-api-key', KEY]]);
  assert.deepEqual(decisionOf(allowed), {
    reason: 'allowed',
    api: 'petstore',
    route: 'petstore/default',
    consumer: 'acme',
    key: 'key-0',
    plan: 'free',
  });
  assert.equal(allowed.upstream?.first('x-api-key'), undefined);
  const refused = host.request(request);
  assert.equal(decisionOf(refused)?.reason, 'missing_api_key');
  assert.equal(refused.response.first(':status'), '401');
  assert.match(host.logs('info').join('\n'), /policy petstore in force/);
  host.pass(1000);
  assert.equal(host.total('tollgate_requests_total', { reason: 'missing_api_key' }), 1);
  assert.deepEqual(host.faults, []);
});

test('a stream without a decision has none', () => {
  assert.equal(decisionOf({ filterState: new Map() }), null);
});
