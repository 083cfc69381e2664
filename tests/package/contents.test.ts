import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { about, install, packed, sizeOf, type PackageJson } from './packed.ts';

const MOST_BYTES = 15 * 1024 * 1024;
const project = join(scratchFolder(), 'project');
const folder = install(packed(), project);
const bundledNames = readdirSync(join(folder, 'node_modules'))
  .filter((name) => !name.startsWith('.'))
  .flatMap((name) =>
    name.startsWith('@') ? readdirSync(join(folder, 'node_modules', name)).map((own) => `${name}/${own}`) : [name],
  )
  .sort();
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

test('the package holds what a stranger needs, and nothing else', () => {
  assert.deepEqual(readdirSync(folder).sort(), [
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dist',
    'docs',
    'examples',
    'node_modules',
    'package.json',
    'schema',
    'scripts',
  ]);
  assert.deepEqual(readdirSync(join(folder, 'scripts')), ['bin.mjs']);
  assert.deepEqual(bundledNames, [
    ...['@seriousme/openapi-schema-validator', 'ajv', 'ajv-formats', 'argparse', 'csv-parse'],
    ...[
      'fast-deep-equal',
      'fast-uri',
      'js-yaml',
      'json-schema-traverse',
      'leven',
      'require-from-string',
      'yaml',
      'zod',
    ],
  ]);
  assert.deepEqual(
    readdirSync(join(folder, 'dist'))
      .filter((name) => name.includes('.'))
      .sort(),
    ['index.d.ts', 'index.js', 'module.json', 'tollgate.1', 'tollgate.wasm'],
  );
});

test('none of the sources of module, tests or tool are in it, nor what only builds them', () => {
  const own = files.filter((name) => !name.startsWith('node_modules'));
  assert.deepEqual(
    own.filter((name) => /\.ts$/.test(name) && !/\.d\.ts$/.test(name)),
    [],
  );
  assert.deepEqual(
    own.filter((name) => /^(filter|assembly|tests|bench|attack|harness)\b|\.map$/.test(name)),
    [],
  );
  assert.deepEqual(
    own.filter((name) => /^dist\/build\/(?!(?:error|module|product)\.)/.test(name)),
    [],
  );
});

test('every JavaScript file has its types, and imports only what is there', () => {
  const modules = files.filter((name) => /^dist\/.*\.js$/.test(name));
  assert.ok(modules.length > 50);
  for (const name of modules) {
    assert.ok(existsSync(join(folder, name.replace(/\.js$/, '.d.ts'))), name);
    const text = readFileSync(join(folder, name), 'utf8');
    for (const [, target] of text.matchAll(/\bfrom ['"](\.[^'"]+)['"]/g))
      assert.ok(existsSync(join(folder, name, '..', target!)), `${name}: ${target}`);
  }
});

test(`all that an installation brings has at most ${MOST_BYTES / 1024 / 1024} MB`, (t) => {
  const bytes = sizeOf(join(project, 'node_modules'));
  t.diagnostic(`${(bytes / 1024 / 1024).toFixed(1)} MB in ${files.length} files and folders`);
  assert.ok(bytes <= MOST_BYTES, String(bytes));
});

test('npm runs nothing while it installs', () => {
  const manifests = files.filter((name) => /(^|node_modules\/[^/]+\/)package\.json$/.test(name));
  assert.equal(manifests.length, bundledNames.length + 1);
  for (const name of manifests) {
    const { scripts = {} } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Partial<PackageJson>;
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare'])
      assert.equal(Object.hasOwn(scripts, script), false, `${name}: ${script}`);
  }
  assert.equal(
    files.some((name) => name.endsWith('binding.gyp')),
    false,
  );
});

test('dependencies are of one version each, bundled as the lock file has them', () => {
  const lock = JSON.parse(readFileSync(inPackage('package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string }>;
  };
  for (const name of bundledNames) {
    const bundled = JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')) as PackageJson;
    assert.equal(bundled.version, lock.packages[`node_modules/${name}`]?.version, name);
  }
  for (const [name, version] of Object.entries(about.dependencies)) assert.match(version, /^\d+\.\d+\.\d+$/, name);
});

test('the module inside is the one that this checkout builds', () => {
  const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
  const said = JSON.parse(readFileSync(join(folder, 'dist', 'module.json'), 'utf8')) as { sha256: string };
  assert.equal(sha256(join(folder, 'dist', 'tollgate.wasm')), said.sha256);
  assert.equal(sha256(inPackage('build', 'tollgate.wasm')), said.sha256);
});

test('every export is a file with its types', () => {
  for (const [name, target] of Object.entries(about.exports)) {
    const paths = typeof target === 'string' ? [target] : [target.types, target.default];
    for (const path of paths) assert.ok(existsSync(join(folder, path)), `${name}: ${path}`);
  }
});
