import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { cycles, edgesOf, importsOf, ROOTS, sourceFiles, specifiersOf, type Import } from './imports.ts';

/** Who may import whom: for each folder at the top, what its files may import from beside itself. */
const MAY_IMPORT: Record<(typeof ROOTS)[number], readonly string[]> = {
  filter: [],
  assembly: ['filter/index.ts'],
  scripts: [],
  // the module with a trap in it is compiled with the module
  harness: ['scripts', 'assembly/index.ts'],
  bench: ['harness', 'scripts'],
  attack: ['harness', 'scripts'],
  // the units of the filter are compiled with it, in AssemblyScript
  tests: ['harness', 'scripts', 'bench', 'attack', 'filter', 'assembly'],
};

/**
 * Layers inside a folder, lowest first: folders or files (without their ending), of which each may import itself and those before it. A
 * file belongs to the longest name that fits.
 */
const LAYERS: Record<string, readonly string[]> = {
  filter: [
    ...[
      'bytes',
      'config/field',
      'config/contract',
      'memory',
      'request',
      'decision/decision',
      'match',
      'usage',
      'operation/tree',
      'route/index',
      'tables',
    ],
    ...['time', 'shared', 'keyring', 'operation', 'quota/attempt', 'inFlight'],
    ...['credential', 'cors', 'rateLimitService', 'quota', 'waiting', 'route', 'decision/observe'],
    ...['lifecycle', 'decision', 'answer'],
    ...['config', 'index'],
  ],
  assembly: [
    ...[
      'host',
      'evidence',
      'metricName',
      'metrics',
      'callout',
      'heartbeat',
      'sharedShards',
      'rateLimitService',
      'context',
      'cors',
      'request',
    ],
    ...['waiting', 'policy', 'index'],
  ],
  scripts: [
    ...['contract', 'policy/secret', 'policy/schema', 'policy/compile', 'policy/check', 'policy/yaml'],
    ...[
      'policy',
      'key',
      'program',
      'file',
      'policyFile',
      'openapi',
      'kong',
      'host',
      'explain',
      'oci',
      'build',
      'upstream',
    ],
    ...[
      'rateLimitService',
      'envoy',
      'istio',
      'build/package',
      'docker',
      'cluster',
      'diff',
      'verify',
      'demo',
      'index',
      'cli',
      'bin',
    ],
    'setup',
  ],
};

/** Packages that a folder's files may import; folders that are not named may use any that package.json has. */
const PACKAGES: Record<string, RegExp> = {
  filter: /^$/,
  assembly: /^@solo-io\/proxy-runtime\/assembly\/imports$/,
  'scripts/contract': /^$/,
  // values in, values out: no file system, no process, no network
  'scripts/policy': /^(zod|js-yaml|leven|node:net|node:http|node:crypto)$/,
  'scripts/key': /^node:crypto$/,
};

/** One idea per file, and no folder with too many files. Tests have one file per subject, so their folders may be larger. */
const MOST_FILES: Record<string, number> = {
  // a plugin config has one file for each kind of object
  filter: 24,
  assembly: 14,
  scripts: 22,
  harness: 14,
  bench: 26,
  attack: 21,
};

const NAMELESS = /^(utils?|helpers?|common|misc|shared|stuff|manager)$/i;
/** `filter/shared` are the shards of shared data, Envoy's own word. */
const NAMED = new Set(['filter/shared']);

const files = sourceFiles();
const imports = importsOf(files);

function isProjects(path: string): boolean {
  return ROOTS.some((root) => path.startsWith(`${root}/`));
}

function topOf(path: string): string {
  return path.split('/')[0]!;
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** The number of a file's layer; -1 for one that is in none. */
function layerOf(file: string, layers: readonly string[]): number {
  const name = file.slice(topOf(file).length + 1).replace(/\.(ts|mjs)$/, '');
  const fitting = layers.filter((layer) => isInside(name, layer)).sort((a, b) => b.length - a.length);
  return fitting[0] === undefined ? -1 : layers.indexOf(fitting[0]);
}

/** Imports that go up, and files of no layer. */
function againstLayers(root: string, layers: readonly string[], edges: readonly Import[]): string[] {
  return edges
    .filter(({ from, to }) => isInside(from, root) && isInside(to, root))
    .filter(({ from, to }) => layerOf(from, layers) < Math.max(0, layerOf(to, layers)) || layerOf(to, layers) < 0)
    .map(({ from, to }) => `${from} imports ${to}`);
}

function fileNames(list: readonly Import[]): string[] {
  return list.map(({ from, to }) => `${from} imports ${to}`);
}

test('the sources are found, and every relative import names one of them', () => {
  assert.ok(files.length > 400 && imports.length > 2000);
  const known = new Set(files);
  const lost = imports.filter(({ to }) => isProjects(to) && !known.has(to));
  assert.deepEqual(fileNames(lost), []);
  const leaving = imports.filter(({ to }) => to.startsWith('..'));
  assert.deepEqual(fileNames(leaving), []);
});

describe('who may import whom', () => {
  for (const root of ROOTS) {
    it(`${root}/ imports only from where it may`, () => {
      const may = [root, ...MAY_IMPORT[root]];
      const wrong = imports.filter(
        ({ from, to }) => topOf(from) === root && isProjects(to) && !may.some((folder) => isInside(to, folder)),
      );
      assert.deepEqual(fileNames(wrong), []);
    });
  }

  for (const [folder, packages] of Object.entries(PACKAGES)) {
    it(`${folder}/ imports only the packages that it may`, () => {
      const used = imports.filter(({ from, to }) => isInside(from, folder) && !isProjects(to));
      assert.deepEqual(fileNames(used.filter(({ to }) => !packages.test(to))), []);
    });
  }

  it('the command line is not a library: scripts/ outside of scripts/cli does not import it', () => {
    const wrong = imports.filter(
      ({ from, to }) => isInside(to, 'scripts/cli') && topOf(from) === 'scripts' && !isInside(from, 'scripts/cli'),
    );
    assert.deepEqual(fileNames(wrong), []);
  });
});

describe('layers', () => {
  for (const [root, layers] of Object.entries(LAYERS)) {
    it(`${root}/ is imported downwards only`, () => {
      assert.deepEqual(againstLayers(root, layers, imports), []);
    });

    it(`${root}/ has no layer without a file`, () => {
      const used = new Set(files.filter((file) => topOf(file) === root).map((file) => layerOf(file, layers)));
      assert.deepEqual(
        layers.filter((_, i) => !used.has(i)),
        [],
      );
    });
  }

  // Types are exempt where they are gone at run time: a class and what it is handed may name each other, and no file is loaded
  // for it. In guest sources every import counts.
  it('no files import each other, whichever way round', () => {
    assert.deepEqual(cycles(edgesOf(imports)), []);
  });
});

describe('names', () => {
  it('no file stands beside a folder of its name', () => {
    const folders = new Set(files.map((file) => file.slice(0, file.lastIndexOf('/'))));
    assert.deepEqual(
      files.filter((file) => folders.has(file.replace(/\.(ts|mjs)$/, ''))),
      [],
    );
  });

  it('every name says what it holds', () => {
    const nameless = files.flatMap((file) => {
      const parts = file.split('/');
      return parts
        .map((_, i) => parts.slice(0, i + 1).join('/'))
        .filter((path) => NAMELESS.test(path.split('/').at(-1)!.replace(/\..*$/, '')) && !NAMED.has(path));
    });
    assert.deepEqual(nameless, []);
  });

  it('no folder has too many files to look through', () => {
    const counts = new Map<string, number>();
    for (const file of files) {
      const folder = file.slice(0, file.lastIndexOf('/'));
      counts.set(folder, (counts.get(folder) ?? 0) + 1);
    }
    const full = [...counts].filter(([folder, count]) => count > (MOST_FILES[topOf(folder)] ?? Infinity));
    assert.deepEqual(full, []);
  });
});

describe('the test of layers itself', () => {
  it('finds imports as the parser does: over lines, of types, dynamic, re-exported, and none in comments or strings', () => {
    const text = `import a, { type B } from './a.ts';
      import type { C } from './c.ts';
      import { type D, type E } from './d.ts';
      import {
        f,
      } from './f.ts';
      import './g.ts';
      export * from './h.ts';
      export type { I } from './i.ts';
      // import x from './no.ts';
      const s = "import y from './no.ts'";
      const j = await import('./j.ts');
      let k: import('./k.ts').K;`;
    assert.deepEqual(
      specifiersOf('x.ts', text).map(({ specifier, isTypeOnly }) => `${specifier}${isTypeOnly ? ' type' : ''}`),
      ['./a.ts', './c.ts type', './d.ts type', './f.ts', './g.ts', './h.ts', './i.ts type', './j.ts', './k.ts type'],
    );
  });

  it('finds cycles of one, of two and of many', () => {
    const edge = (from: string, to: string): Import => ({ from, to, isTypeOnly: false });
    const list = [edge('a', 'a'), edge('b', 'c'), edge('c', 'b'), edge('c', 'd')];
    const ring = ['e', 'f', 'g', 'h'].map((from, i, all) => edge(from, all[(i + 1) % all.length]!));
    assert.deepEqual(cycles(edgesOf([...list, ...ring, edge('h', 'i')])), [['a'], ['b', 'c'], ['e', 'f', 'g', 'h']]);
    assert.deepEqual(cycles(edgesOf([edge('a', 'b'), { from: 'b', to: 'a', isTypeOnly: true }])), []);
  });

  it('finds an import that goes up, and a file of no layer', () => {
    const edge = (from: string, to: string): Import => ({ from, to, isTypeOnly: false });
    const layers = ['low', 'high/part', 'high'];
    const found = againstLayers('x', layers, [
      edge('x/high/a.ts', 'x/low/a.ts'),
      edge('x/high/a.ts', 'x/high/part.ts'),
      edge('x/low/a.ts', 'x/high/a.ts'),
      edge('x/high/part.ts', 'x/high/a.ts'),
      edge('x/low/a.ts', 'x/new/a.ts'),
      edge('x/new/a.ts', 'x/low/a.ts'),
    ]);
    assert.deepEqual(found, [
      'x/low/a.ts imports x/high/a.ts',
      'x/high/part.ts imports x/high/a.ts',
      'x/low/a.ts imports x/new/a.ts',
      'x/new/a.ts imports x/low/a.ts',
    ]);
  });
});
