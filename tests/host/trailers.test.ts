import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY, pluginConfig } from '../../harness/config.ts';
import { HeaderMap, Stream } from '../../scripts/host/stream.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { Process } from '../../scripts/host/process.ts';
import { Vm } from '../../scripts/host/vm.ts';

test('headers of Tollgate do not pass in trailers', () => {
  const process = new Process(Date.UTC(2026, 0, 1));
  const vm = new Vm(loadModule(modulePath), process, 'vm');
  const configuration = Buffer.from(JSON.stringify(pluginConfig([{ name: 'q', limit: 10, window: 'hour' }])));
  const root = vm.startRoot({ name: 'tollgate', rootId: 'tollgate', configuration });
  assert.ok(root);
  const stream = new Stream([
    [':authority', 'a.test'],
    [':path', '/v1/pets'],
    [':method', 'POST'],
    ['x-api-key', KEY],
  ]);
  const context = vm.openStream(root, stream);
  assert.equal(vm.call(context, 'proxy_on_request_headers', context.id, 4, 0), 0);
  stream.trailers = new HeaderMap([
    ['x-tollgate-consumer', 'evil'],
    ['x_tollgate_plan', 'evil'],
    ['checksum', '1'],
    ['x-tollgate-consumer', 'worse'],
  ]);
  assert.equal(vm.call(context, 'proxy_on_request_trailers', context.id, 4), 0);
  assert.deepEqual(stream.trailers.pairs, [['checksum', '1']]);
  assert.deepEqual(process.faults, []);
});

test('headers by which a policy tells upstreams who calls do not pass in trailers either, in any spelling', () => {
  const process = new Process(Date.UTC(2026, 0, 1));
  const vm = new Vm(loadModule(modulePath), process, 'vm');
  const start = (rootId: string, identityHeaders: object): NonNullable<ReturnType<Vm['startRoot']>> => {
    const config = { ...pluginConfig([], { policy: rootId }), identityHeaders, rateLimitHeaders: 'none' };
    return vm.startRoot({ name: rootId, rootId, configuration: Buffer.from(JSON.stringify(config)) })!;
  };
  const root = start('first', { consumer: 'x-user_name', plan: 'x-caller', keyId: 'x-caller' });
  start('second', { route: 'x-tollgate-route' });
  const stream = new Stream([
    [':authority', 'a.test'],
    [':path', '/v1/pets'],
    [':method', 'POST'],
    ['x-api-key', KEY],
  ]);
  const context = vm.openStream(root, stream);
  assert.equal(vm.call(context, 'proxy_on_request_headers', context.id, 4, 0), 0);
  stream.trailers = new HeaderMap([
    ['x-user-name', 'evil'],
    ['x_user_name', 'evil'],
    ['x_caller', 'consumer="evil"'],
    ['x-callers', 'many'],
    ['x-tollgate-key-id', 'evil'],
    ['checksum', '1'],
  ]);
  assert.equal(vm.call(context, 'proxy_on_request_trailers', context.id, 6), 0);
  assert.deepEqual(stream.trailers.pairs, [
    ['x-callers', 'many'],
    ['checksum', '1'],
  ]);
  assert.deepEqual(process.faults, []);
});
