import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { currentModule } from '../../scripts/build/module.ts';
import { bundleModule } from '../../scripts/oci/index.ts';
import { readLayout } from '../../scripts/oci/layout.ts';
import { cleanRevision } from '../../scripts/build/product.ts';
import { pack } from '../../scripts/cli/pack.ts';
import { packageRoot } from '../../scripts/file/packageRoot.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { lacking } from '../../harness/registry/component.ts';
import { runCommand, type Run } from './runCommand.ts';
import { moduleBytes, writeModule } from '../../harness/registry/wasmFixture.ts';
import { bundleOptions } from '../../scripts/cli/packing.ts';

const folder = scratchFolder();
const module = writeModule(folder);
let count = 0;
const fresh = (): string => join(folder, `layout-${count++}`);

interface ReadManifest {
  artifactType?: string;
  config: { mediaType: string; digest: string };
  layers: { mediaType: string; digest: string; annotations?: Record<string, string> }[];
  subject?: { digest: string };
  annotations?: Record<string, string>;
}

function json<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(...path), 'utf8')) as T;
}

function blobBytes(layout: string, digest: string): Buffer {
  return readFileSync(join(layout, 'blobs', 'sha256', digest.slice('sha256:'.length)));
}

function manifestsOf(layout: string): ReadManifest[] {
  const { manifests } = json<{ manifests: { digest: string }[] }>(layout, 'index.json');
  return manifests.map(({ digest }) => JSON.parse(blobBytes(layout, digest).toString('utf8')) as ReadManifest);
}

function packed(...args: string[]): Promise<Run> {
  return runCommand(pack, args);
}

test('the image has one layer, a gzipped tar with plugin.wasm, and a config with its diff id', async () => {
  const layout = fresh();
  const { code, out, err } = await packed('--module', module, '--out', layout, '--tag', '1.0');
  assert.deepEqual([code, err], [0, '']);
  const [manifest] = manifestsOf(layout);
  assert.deepEqual(
    manifest?.layers.map(({ mediaType }) => mediaType),
    ['application/vnd.oci.image.layer.v1.tar+gzip'],
  );
  const tar = gunzipSync(blobBytes(layout, manifest?.layers[0]?.digest ?? ''));
  assert.equal(tar.subarray(0, 11).toString(), 'plugin.wasm');
  assert.deepEqual(tar.subarray(512, 512 + moduleBytes().length), moduleBytes());
  const config = JSON.parse(blobBytes(layout, manifest?.config.digest ?? '').toString('utf8')) as {
    architecture: string;
    os: string;
    rootfs: object;
  };
  assert.equal(manifest?.config.mediaType, 'application/vnd.oci.image.config.v1+json');
  assert.deepEqual([config.architecture, config.os], ['amd64', 'linux']);
  assert.deepEqual(config.rootfs, {
    type: 'layers',
    diff_ids: [`sha256:${createHash('sha256').update(tar).digest('hex')}`],
  });
  assert.equal(manifest?.annotations?.['module.wasm.image/variant'], 'compat');
  assert.match(out, /layout-\d+:1\.0 {2}\d+ bytes {2}sha256:[0-9a-f]{64}\n$/);
});

test('the artifact has exactly two layers, what the module is for and the module as it is', async () => {
  const layout = fresh();
  assert.equal((await packed('--artifact', '--module', module, '--out', layout)).code, 0);
  const [manifest] = manifestsOf(layout);
  assert.deepEqual(
    manifest?.layers.map(({ mediaType, annotations }) => [mediaType, annotations?.['org.opencontainers.image.title']]),
    [
      ['application/vnd.module.wasm.config.v1+json', 'runtime-config.json'],
      ['application/vnd.module.wasm.content.layer.v1+wasm', 'plugin.wasm'],
    ],
  );
  assert.deepEqual(JSON.parse(blobBytes(layout, manifest?.layers[0]?.digest ?? '').toString('utf8')), {
    type: 'envoy_proxy',
    abiVersions: ['0.2.1'],
    config: { rootIds: [] },
  });
  assert.deepEqual(blobBytes(layout, manifest?.layers[1]?.digest ?? ''), moduleBytes());
});

test('a layout is what the specification says, and every blob has the name of its content', async () => {
  const layout = fresh();
  await packed('--out', layout, '--sbom', '--tag', 'x');
  assert.deepEqual(json(layout, 'oci-layout'), { imageLayoutVersion: '1.0.0' });
  assert.deepEqual(readdirSync(layout).sort(), ['blobs', 'index.json', 'oci-layout']);
  const index = json<{ manifests: { annotations?: object; artifactType?: string }[] }>(layout, 'index.json');
  assert.deepEqual(
    index.manifests.map(({ annotations, artifactType }) => [annotations, artifactType]),
    [
      [{ 'org.opencontainers.image.ref.name': 'x' }, undefined],
      [undefined, 'application/vnd.cyclonedx+json'],
    ],
  );
  for (const name of readdirSync(join(layout, 'blobs', 'sha256')))
    assert.equal(
      createHash('sha256')
        .update(blobBytes(layout, `sha256:${name}`))
        .digest('hex'),
      name,
    );
});

test("Tollgate's own module says what it is, and no time", async () => {
  const layout = fresh();
  const { digest } = JSON.parse((await packed('--json', '--out', layout)).out) as { digest: string };
  const annotations = manifestsOf(layout)[0]?.annotations ?? {};
  const about = json<{ version: string; license: string }>(packageRoot, 'package.json');
  assert.equal(annotations['org.opencontainers.image.title'], 'tollgate');
  assert.equal(annotations['org.opencontainers.image.version'], about.version);
  assert.equal(annotations['org.opencontainers.image.licenses'], about.license);
  assert.equal(annotations['org.opencontainers.image.created'], undefined);
  assert.equal((JSON.parse((await packed('--json', '--out', fresh())).out) as { digest: string }).digest, digest);
});

test('another module gets only the annotations that the user gives', async () => {
  const layout = fresh();
  await packed(
    '--module',
    module,
    '--out',
    layout,
    '--annotation',
    'org.opencontainers.image.source=https://git.example/x',
    '--annotation',
    'com.example.team=a=b',
  );
  assert.deepEqual(manifestsOf(layout)[0]?.annotations, {
    'module.wasm.image/variant': 'compat',
    'org.opencontainers.image.source': 'https://git.example/x',
    'com.example.team': 'a=b',
  });
});

for (const [format, mediaType] of [
  ['cyclonedx', 'application/vnd.cyclonedx+json'],
  ['spdx', 'application/spdx+json'],
] as const) {
  test(`a ${format} SBOM refers to the image, whose digest it leaves alone`, async () => {
    const [without, layout] = [fresh(), fresh()];
    const plain = JSON.parse((await packed('--json', '--out', without)).out) as { digest: string };
    const { digest, referrers } = JSON.parse((await packed('--json', '--out', layout, '--sbom', format)).out) as {
      digest: string;
      referrers: string[];
    };
    assert.equal(digest, plain.digest);
    const [, referrer] = manifestsOf(layout);
    assert.equal(referrer?.subject?.digest, digest);
    assert.equal(referrer?.artifactType, mediaType);
    assert.equal(referrer?.config.mediaType, 'application/vnd.oci.empty.v1+json');
    assert.equal(referrers.length, 1);
    const text = blobBytes(layout, referrer?.layers[0]?.digest ?? '').toString('utf8');
    assert.ok(text.includes((await currentModule()).sha256));
    for (const purl of ['pkg:npm/assemblyscript@', 'pkg:npm/%40solo-io/proxy-runtime@', 'pkg:npm/binaryen@'])
      assert.ok(text.includes(purl), purl);
    assert.ok(!text.includes(packageRoot));
  });
}

test('the same module and options give the same bytes', async () => {
  for (const layout of ['image', 'artifact'] as const) {
    const [one, two] = [
      await bundleModule(await bundleOptions({ layout, sbom: 'spdx' })),
      await bundleModule(await bundleOptions({ layout, sbom: 'spdx' })),
    ];
    assert.deepEqual(one, two);
  }
});

test('a layout is read back as it was written', async () => {
  const layout = fresh();
  const options = { layout: 'artifact', sbom: 'cyclonedx' } as const;
  await packed('--artifact', '--sbom', '--out', layout);
  const [read, made] = [await readLayout(layout), await bundleModule(await bundleOptions(options))];
  assert.deepEqual(read.manifest.descriptor.digest, made.manifest.descriptor.digest);
  assert.deepEqual(
    read.referrers.map(({ manifest }) => manifest.descriptor.digest),
    made.referrers.map(({ manifest }) => manifest.descriptor.digest),
  );
  assert.deepEqual(
    new Set(read.blobs.map(({ descriptor }) => descriptor.digest)),
    new Set(made.blobs.map(({ descriptor }) => descriptor.digest)),
  );
});

test('a layout that is there is replaced; any other folder is left alone', async () => {
  const layout = fresh();
  await packed('--module', module, '--out', layout);
  const before = readdirSync(join(layout, 'blobs', 'sha256'));
  assert.equal((await packed('--artifact', '--module', module, '--out', layout)).code, 0);
  assert.ok(before.some((name) => !existsSync(join(layout, 'blobs', 'sha256', name))));
  for (const name of ['notes.txt', 'oci-layout']) {
    const other = fresh();
    mkdirSync(other);
    writeFileSync(join(other, 'mine'), 'x');
    writeFileSync(join(other, name), '{}');
    const { code, err } = await packed('--module', module, '--out', other);
    assert.equal(code, 1);
    assert.equal(err, `${other}: holds something other than an image layout; nothing was written\n`);
    assert.deepEqual(readdirSync(other).sort(), ['mine', name].sort());
  }
  assert.match((await packed('--module', module, '--out', module)).err, /: is a file\n$/);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('.layout')),
    [],
    'nothing is left beside it',
  );
});

const notModules: [string, Buffer, RegExp][] = [
  ['text', Buffer.from('hello'), /: not a WebAssembly module: /],
  ['a cut module', moduleBytes().subarray(0, -3), /: not a WebAssembly module: /],
  [
    'a module without an ABI',
    moduleBytes(0, 7, 'something_else'),
    /: not a proxy-wasm module: exports no proxy_abi_version_…\n$/,
  ],
];
for (const [name, bytes, message] of notModules) {
  test(`refuses to pack ${name}`, async () => {
    const file = join(folder, 'bad.wasm');
    writeFileSync(file, bytes);
    const { code, out, err } = await packed('--module', file, '--out', fresh());
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, message);
  });
}

test('wrong usage', async () => {
  const cases: [string[], RegExp][] = [
    [['--sbom', '--module', module], /--sbom says what Tollgate's own module is made of/],
    [['--sbom=xml'], /--sbom is cyclonedx or spdx; found "xml"/],
    [['--tag', 'a b'], /a tag must have 1 to 128/],
    [['--annotation', 'nothing'], /--annotation is KEY=VALUE/],
  ];
  for (const [args, message] of cases) {
    const { code, err } = await packed(...args);
    assert.equal(code, 2, args.join(' '));
    assert.match(err, message);
  }
  assert.match((await packed('--module', join(folder, 'none.wasm'))).err, /none\.wasm: no such file\n$/);
});

test(
  'the revision is the commit of a clean checkout, and of nothing else',
  { skip: await lacking('git') },
  async () => {
    const checkout = join(folder, 'checkout');
    mkdirSync(join(checkout, 'node_modules', 'tollgate'), { recursive: true });
    const git = (...args: string[]): string =>
      execFileSync('git', ['-C', checkout, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
        encoding: 'utf8',
      }).trim();
    git('init', '-q');
    writeFileSync(join(checkout, 'a'), '1');
    git('add', 'a');
    git('commit', '-qm', 'one');
    assert.equal(await cleanRevision(checkout), git('rev-parse', 'HEAD'));
    assert.equal(
      await cleanRevision(join(checkout, 'node_modules', 'tollgate')),
      null,
      `${basename(checkout)} belongs to somebody else`,
    );
    writeFileSync(join(checkout, 'a'), '2');
    assert.equal(await cleanRevision(checkout), null, 'changed');
    git('checkout', '-q', 'a');
    writeFileSync(join(checkout, 'b'), '');
    assert.equal(await cleanRevision(checkout), null, 'a file that no commit has');
    assert.equal(await cleanRevision(folder), null, 'no checkout');
  },
);

test('a damaged layout is refused with the place', async () => {
  const damages: [string, (layout: string, layer: string) => void, RegExp][] = [
    [
      'a changed byte',
      (layout, layer) => {
        const bytes = blobBytes(layout, layer);
        bytes[100] = (bytes[100] ?? 0) ^ 1;
        writeFileSync(join(layout, 'blobs', 'sha256', layer.slice(7)), bytes);
      },
      /blobs\/sha256\/[0-9a-f]{64}: content does not match its digest; found sha256:/,
    ],
    [
      'a cut blob',
      (layout, layer) => writeFileSync(join(layout, 'blobs', 'sha256', layer.slice(7)), 'x'),
      /: must have \d+ bytes; found 1$/,
    ],
    ['no index', (layout) => writeFileSync(join(layout, 'index.json'), 'x'), /index\.json: not JSON$/],
    [
      'an index without manifests',
      (layout) => writeFileSync(join(layout, 'index.json'), '{"schemaVersion":2}'),
      /index\.json: manifests: /,
    ],
    [
      'an empty index',
      (layout) => writeFileSync(join(layout, 'index.json'), '{"schemaVersion":2,"manifests":[]}'),
      /: holds no image$/,
    ],
    [
      'a digest that leaves the folder',
      (layout) =>
        writeFileSync(
          join(layout, 'index.json'),
          '{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:../../x","size":1}]}',
        ),
      /digest: must be a sha256 digest$/,
    ],
  ];
  for (const [name, damage, message] of damages) {
    const layout = fresh();
    await packed('--module', module, '--out', layout);
    damage(layout, manifestsOf(layout)[0]?.layers[0]?.digest ?? '');
    await assert.rejects(readLayout(layout), message, name);
  }
  await assert.rejects(
    readLayout(join(folder, 'nowhere')),
    /index\.json: no such file; an image layout is what "tollgate pack" writes$/,
  );
});
