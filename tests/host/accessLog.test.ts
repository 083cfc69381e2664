import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KEY, pluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { LOG_FIELDS } from '../../scripts/contract/table.ts';
import { decisionOf, Host, loadModule, logFieldsOf, type LogFields, type Pair } from '../../scripts/host/index.ts';
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
    assert.deepEqual(logFieldsOf(host.request(request())), {});
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
      const fields: LogFields = logFieldsOf(host.request(request(authority, path, key)));
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
