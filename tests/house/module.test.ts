import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildModule, compileModule } from '../../scripts/build/compile.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { wasm } from '../../scripts/host/abi.ts';

let scratch = '';
before(async () => {
  await buildModule();
  scratch = await mkdtemp(join(inPackage('build'), '.test-'));
});
after(() => rm(scratch, { recursive: true, force: true }));

async function surface(path: string): Promise<{ imports: string[]; exports: string[] }> {
  const module = new wasm.Module(await readFile(path));
  return {
    imports: wasm.Module.imports(module)
      .map(({ module: from, name }) => `${from}.${name}`)
      .sort(),
    exports: wasm.Module.exports(module)
      .map(({ name }) => name)
      .sort(),
  };
}

test('a build removes what killed builds left an hour ago, and nothing else', async () => {
  const agoSeconds = (seconds: number): number => Date.now() / 1000 - seconds;
  for (const [name, seconds] of [
    ['.build-killed', 3700],
    ['.build-running', 3500],
    ['kept', 9000],
  ] as const) {
    await mkdir(join(scratch, name));
    await writeFile(join(scratch, name, 'raw.wasm'), '');
    await utimes(join(scratch, name), agoSeconds(seconds), agoSeconds(seconds));
  }
  await compileModule(inPackage('filter', 'index.ts'), join(scratch, 'another.wasm'));
  assert.deepEqual((await readdir(scratch)).sort(), ['.build-running', 'another.wasm', 'kept']);
});

test('a build refuses an output that is a folder, or in a folder that is none, before it compiles', async () => {
  const folder = join(scratch, 'folder.wasm');
  await mkdir(folder);
  // what is not there cannot be compiled, and nobody gets as far as to see that
  const source = inPackage('filter', 'nothing.ts');
  await assert.rejects(compileModule(source, folder), {
    message: `${folder}: is a folder; docker makes one where it mounts a file that is not there yet. Remove it (it may be root's) and build again`,
  });
  await writeFile(join(scratch, 'file'), '');
  await assert.rejects(compileModule(source, join(scratch, 'file', 'x.wasm')), {
    message: `${join(scratch, 'file')}: cannot be written: EEXIST`,
  });
  await rm(folder, { recursive: true });
  await rm(join(scratch, 'file'));
});

test('filter/ compiled alone imports exactly env.abort', async () => {
  const { path } = await compileModule(inPackage('filter', 'index.ts'), join(scratch, 'filter.wasm'));
  assert.deepEqual((await surface(path)).imports, ['env.abort']);
});

test('the module imports and exports exactly these', async () => {
  const { imports, exports } = await surface(inPackage('build', 'tollgate.wasm'));
  assert.deepEqual(imports, [
    'env.proxy_add_header_map_value',
    'env.proxy_continue_stream',
    'env.proxy_define_metric',
    'env.proxy_get_buffer_bytes',
    'env.proxy_get_current_time_nanoseconds',
    'env.proxy_get_header_map_pairs',
    'env.proxy_get_property',
    'env.proxy_get_shared_data',
    'env.proxy_grpc_call',
    'env.proxy_increment_metric',
    'env.proxy_log',
    'env.proxy_record_metric',
    'env.proxy_remove_header_map_value',
    'env.proxy_replace_header_map_value',
    'env.proxy_send_local_response',
    'env.proxy_set_effective_context',
    'env.proxy_set_property',
    'env.proxy_set_shared_data',
    'env.proxy_set_tick_period_milliseconds',
    'wasi_snapshot_preview1.random_get',
  ]);
  assert.deepEqual(exports, [
    'malloc',
    'memory',
    'proxy_abi_version_0_2_1',
    'proxy_on_configure',
    'proxy_on_context_create',
    'proxy_on_delete',
    'proxy_on_grpc_close',
    'proxy_on_grpc_receive',
    'proxy_on_request_headers',
    'proxy_on_request_trailers',
    'proxy_on_response_headers',
    'proxy_on_tick',
    'proxy_on_vm_start',
  ]);
});

test('the same sources give the same bytes', async () => {
  const again = await compileModule(inPackage('assembly', 'index.ts'), join(scratch, 'again.wasm'), [
    '--use',
    'abort=assembly/host/abort',
  ]);
  assert.deepEqual(await readFile(again.path), await readFile(inPackage('build', 'tollgate.wasm')));
});

test('the module holds no path of the machine that built it', async () => {
  const text = (await readFile(inPackage('build', 'tollgate.wasm'))).toString('latin1');
  assert.ok(!text.includes(inPackage()), 'no absolute path');
});
