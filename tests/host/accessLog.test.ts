import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KEY, pluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { LOG_FIELDS } from '../../scripts/contract/table.ts';
import {
  decisionOf,
  Host,
  HostFault,
  loadModule,
  logFieldsOf,
  type LogFields,
  type Pair,
} from '../../scripts/host/index.ts';
import { readStruct } from '../../scripts/host/struct.ts';
import { modulePath } from '../../scripts/build/module.ts';

const module = loadModule(modulePath);
const QUOTAS = [{ name: 'hourly', limit: 1000, window: 'hour' }];
const CONFIG = JSON.stringify({ ...pluginConfig(QUOTAS), accessLog: { fields: [...LOG_FIELDS] } });

function request(host = 'api.example.com', path = '/v1/pets', key = KEY): Pair[] {
  return [
    [':authority', host],
    [':path', path],
    [':method', 'GET'],
    ['x-api-key', key],
  ];
}

function open(config = CONFIG): Host {
  const host = new Host(module);
  assert.ok(host.load(config), host.logs().join('\n'));
  return host;
}

describe('log fields in the module', () => {
  it('say what the line of text says, and more', () => {
    const exchange = open().request(request());
    const { key, ...line } = decisionOf(exchange)!;
    assert.deepEqual(logFieldsOf(exchange), {
      ...line,
      keyId: key,
      quota: 'hourly',
      remaining: 999,
      host: 'api.example.com',
    });
  });

  it('are absent, and no host call is made for them, where no policy wants them', () => {
    const host = open(JSON.stringify(pluginConfig(QUOTAS)));
    assert.equal(logFieldsOf(host.request(request())), null);
    assert.deepEqual(host.faults, []);
  });

  it('are there again when the same config comes a second time to the same root', () => {
    const host = open();
    for (const vm of host.vms) for (const root of vm.roots.values()) assert.ok(vm.configure(root.id, root.plugin));
    assert.equal(logFieldsOf(host.request(request()))?.consumer, 'acme');
    assert.deepEqual(host.logs('warn'), []);
    assert.deepEqual(host.faults, []);
  });

  it('are given up with a warning by a host that is no Envoy, and requests are decided all the same', () => {
    const host = new Host(module);
    host.process.hasForeignFunctions = false;
    assert.ok(host.load(CONFIG));
    const exchange = host.request(request());
    assert.equal(decisionOf(exchange)?.reason, 'allowed');
    assert.equal(exchange.filterState.has('wasm.tollgate.fields:TYPED'), false);
    assert.match(host.logs('warn').join(), /the host keeps no typed filter state, so access logs get no fields/);
    assert.deepEqual(host.faults, []);
  });

  it('hold nothing that could break a line, whatever a client sends, and never a key', () => {
    const random = new Random(12);
    const host = open();
    const bytes = (most: number): string =>
      Array.from({ length: random.below(most) }, () => String.fromCharCode(1 + random.below(255))).join('');
    const some = ['api.example.com', 'a".b', 'a\\b', '[::1]', 'a\nb', '%0a', 'consumer=x', '', 'x'.repeat(60_000)];
    for (let i = 0; i < 5000; i++) {
      const authority = random.below(2) === 0 ? bytes(300) : some[random.below(some.length)]!;
      const path = random.below(2) === 0 ? `/v1/${bytes(40)}` : '/v1/pets';
      const key = random.below(2) === 0 ? KEY : bytes(60);
      const fields: LogFields = logFieldsOf(host.request(request(authority, path, key)))!;
      for (const [name, value] of Object.entries(fields)) {
        assert.ok((LOG_FIELDS as readonly string[]).includes(name), name);
        assert.equal(typeof value, name === 'remaining' ? 'number' : 'string');
        assert.match(String(value), /^[^\x00-\x20"\\\x7f-\uffff]{1,255}$/);
        assert.ok(!String(value).includes(KEY));
      }
    }
    assert.deepEqual(host.faults, []);
  });
});

describe('the reader of a Struct', () => {
  it('refuses what is none', () => {
    const field = Buffer.from('0a0a0a017812050a03616263', 'hex');
    for (const bytes of [
      Buffer.from([0x0a]),
      Buffer.from([0x0a, 0x05, 0x0a]),
      Buffer.from([0x08, 0x01]),
      Buffer.from([0x12, 0x00]),
      Buffer.from([0x0a, 0x00]),
      Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]),
      field,
    ])
      assert.throws(() => readStruct(bytes), HostFault, bytes.toString('hex'));
    assert.deepEqual(readStruct(Buffer.alloc(0)), {});
  });
});
