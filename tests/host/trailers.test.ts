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
