import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { compileModule } from '../../scripts/build/compile.ts';
import { currentModule, type BuiltModule } from '../../scripts/build/module.ts';
import { bundleModule, packModule, pushLayout, type LayoutKind, type Packed } from '../../scripts/oci/index.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { component, lacking } from '../../harness/registry/component.ts';
import { place } from '../../harness/registry/place.ts';
import { succeed } from '../../harness/registry/program.ts';
import { bundleOptions } from '../../scripts/cli/packing.ts';

/** What other tools say about the images that the tool writes. */
const here = await place();
const { folder, skip } = here;
const LAYOUTS = ['image', 'artifact'] as const;
const { signal } = new AbortController();

const packed = {} as Record<LayoutKind, Packed>;
let module: BuiltModule;
before(async () => {
  module = await currentModule();
  for (const layout of LAYOUTS) {
    packed[layout] = await packModule({
      ...(await bundleOptions({ layout, sbom: 'cyclonedx' })),
      out: join(folder, layout),
      tag: '1.0',
    });
    if (skip === false) await pushLayout(here.target(`tools/${layout}:1.0`), packed[layout].path, { signal });
  }
});

const remote = (layout: LayoutKind): string => `${here.registry.host}/tools/${layout}:1.0`;

for (const layout of LAYOUTS) {
  test(`crane accepts the ${layout}`, { skip: skip || (await lacking('crane')) }, async () => {
    assert.match(await succeed(component('crane'), ['validate', '--remote', remote(layout)]), /^PASS/m);
    assert.equal((await succeed(component('crane'), ['digest', remote(layout)])).trim(), packed[layout].digest);
  });

  test(
    `skopeo copies the ${layout} from disk and from the registry without changing it`,
    { skip: skip || (await lacking('skopeo')) },
    async () => {
      const copied = `docker://${here.registry.host}/copied/${layout}:1.0`;
      await succeed(component('skopeo'), ['copy', '--dest-tls-verify=false', `oci:${packed[layout].path}:1.0`, copied]);
      await succeed(component('skopeo'), [
        'copy',
        '--src-tls-verify=false',
        `docker://${remote(layout)}`,
        `oci:${join(folder, `back-${layout}`)}:1.0`,
      ]);
      const index = JSON.parse(readFileSync(join(folder, `back-${layout}`, 'index.json'), 'utf8')) as {
        manifests: { digest: string }[];
      };
      assert.equal(index.manifests[0]?.digest, packed[layout].digest);
      const raw = await succeed(component('skopeo'), ['inspect', '--raw', '--tls-verify=false', copied]);
      assert.equal(
        raw,
        Buffer.from((await bundleModule(await bundleOptions({ layout }))).manifest.bytes).toString('utf8'),
      );
    },
  );
}

test('skopeo reads the image: platform, labels, layer', { skip: skip || (await lacking('skopeo')) }, async () => {
  const seen = JSON.parse(
    await succeed(component('skopeo'), ['inspect', '--tls-verify=false', `docker://${remote('image')}`]),
  ) as Record<string, unknown>;
  assert.deepEqual([seen['Digest'], seen['Architecture'], seen['Os']], [packed.image.digest, 'amd64', 'linux']);
  assert.equal((seen['Labels'] as Record<string, string>)['org.opencontainers.image.title'], 'tollgate');
});

test('umoci unpacks plugin.wasm from the image', { skip: await lacking('umoci') }, async () => {
  const target = join(folder, 'unpacked');
  const rootless = process.getuid?.() === 0 ? [] : ['--rootless'];
  await succeed(component('umoci'), ['unpack', ...rootless, '--image', `${packed.image.path}:1.0`, target]);
  assert.deepEqual(readFileSync(join(target, 'rootfs', 'plugin.wasm')), readFileSync(module.path));
});

test('two clean builds give the same digest', async () => {
  const scratch = mkdtempSync(join(inPackage('build'), '.test-'));
  try {
    const digests = new Set<string>();
    for (const name of ['one', 'two']) {
      const built = await compileModule(inPackage('assembly', 'index.ts'), join(scratch, `${name}.wasm`), [
        '--use',
        'abort=assembly/host/abort',
      ]);
      assert.equal(built.sha256, module.sha256);
      for (const layout of LAYOUTS)
        digests.add((await bundleModule({ layout, module: built.path })).manifest.descriptor.digest);
    }
    assert.equal(digests.size, LAYOUTS.length);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});
