import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { about, packed } from './packed.ts';
import { Stranger } from './stranger.ts';

const POLICY = 'petstore.policy.yaml';
const PAGE = readFileSync(inPackage('docs', 'library.md'), 'utf8');

/** The project's own folder, where node and tsc find the package as they find any other. */
const stranger = Stranger.arrive(packed());
const project = join(stranger.installed, '..', '..', '..');
after(() => stranger.leave());
if (stranger.user.uid !== undefined) chownSync(project, stranger.user.uid, stranger.user.gid);
chmodSync(project, 0o755);
writeFileSync(join(project, POLICY), readFileSync(inPackage('examples', POLICY)));

/** As strict as a stranger's may be. */
const STRICT = {
  module: 'NodeNext',
  target: 'ES2022',
  lib: ['ES2023'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
};

/** What the compiler has against the files; they become JavaScript beside them. */
function compile(names: readonly string[], options: object): string {
  const config = join(project, 'tsconfig.json');
  writeFileSync(config, JSON.stringify({ compilerOptions: { ...STRICT, ...options }, files: names }));
  const tsc = inPackage('node_modules', 'typescript', 'bin', 'tsc');
  return spawnSync(process.execPath, [tsc, '--project', config], { cwd: project, encoding: 'utf8' }).stdout;
}

function execute(name: string): string {
  const options = { cwd: project, encoding: 'utf8', env: stranger.environment, ...stranger.user } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [name], options);
  assert.equal(status, 0, stderr);
  return stdout;
}

const blocks = [...PAGE.matchAll(/^## (.+)\n(?:(?!^## )[^])*?^```ts\n([^]*?)^```\n(?:\n```text\n([^]*?)```)?/gm)];

test('docs/library.md has an example of every subject', () => assert.ok(blocks.length >= 5, String(blocks.length)));

test('every example of docs/library.md compiles strictly', () => {
  const names = blocks.map(([, , source = ''], index) => {
    writeFileSync(join(project, `example${index}.mts`), source);
    return `example${index}.mts`;
  });
  const node = { types: ['node'], typeRoots: [inPackage('node_modules', '@types')], skipLibCheck: true };
  assert.equal(compile(names, node), '');
});

for (const [index, [, title = '', , printed]] of blocks.entries()) {
  test(`docs/library.md: ${title}: the example runs${printed === undefined ? '' : ', and prints what the page says'}`, () => {
    const out = execute(`example${index}.mjs`);
    if (printed !== undefined) assert.equal(out, printed);
  });
}

test('the types of the root and of the pure sub-paths are whole, and need none of Node, but URL from anywhere', () => {
  const source = ['', '/policy', '/contract', '/key', '/diff', '/envoy', '/istio']
    .map((path, index) => `import * as library${index} from '${about.name}${path}';\nvoid library${index};\n`)
    .join('');
  writeFileSync(join(project, 'pure.mts'), source);
  assert.equal(compile(['pure.mts'], { types: [], lib: ['ES2023', 'DOM'], skipLibCheck: false }), '');
});

test('every sub-path can be imported, and no file beside them', () => {
  const paths = Object.keys(about.exports).filter((path) => !path.endsWith('.wasm') && !path.endsWith('.json'));
  const source = paths.map((path) => `await import('${about.name}${path.slice(1)}');\n`).join('');
  writeFileSync(join(project, 'all.mjs'), source);
  execute('all.mjs');
  writeFileSync(join(project, 'inner.mjs'), `await import('${about.name}/dist/cli/tollgate.js');\n`);
  const inner = spawnSync(process.execPath, ['inner.mjs'], { cwd: project, encoding: 'utf8' });
  assert.match(inner.stderr, /ERR_PACKAGE_PATH_NOT_EXPORTED/);
});

test('every library is a sub-path: a folder with an index', () => {
  const libraries = readdirSync(inPackage('scripts')).filter((name) =>
    existsSync(inPackage('scripts', name, 'index.ts')),
  );
  assert.ok(libraries.length >= 7, libraries.join());
  assert.deepEqual(
    libraries.filter((name) => !Object.hasOwn(about.exports, `./${name}`)),
    [],
  );
});

test('docs/library.md names every sub-path', () => {
  for (const path of Object.keys(about.exports))
    assert.ok(PAGE.includes(`\`${about.name}${path.slice(1)}\``), `${about.name}${path.slice(1)}`);
});
