import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join, normalize, relative } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../scripts/file/packageRoot.ts';

/** Which folders each folder's sources may import from, beside packages. The first segment of a path is its folder. */
const allowed: Record<string, string[]> = {
  filter: ['filter'],
  assembly: ['filter/index', 'assembly'],
  scripts: ['scripts'],
  harness: ['harness', 'scripts'],
  bench: ['bench', 'harness', 'scripts'],
  attack: ['attack', 'harness', 'scripts'],
};

/** Packages that a guest folder may import from; the tool may use any that package.json names. */
const guestPackages: Record<string, string[]> = {
  filter: [],
  assembly: ['@solo-io/proxy-runtime/assembly/imports'],
};

/** `import … from "x"` and `export … from "x"`, `import "x"`, `import("x")`. */
const importLine =
  /^(?:import|export)\b[^'"();]*?\bfrom\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;

interface Import {
  readonly file: string;
  readonly target: string;
}

async function importsOf(folder: string): Promise<Import[]> {
  const names = (await readdir(join(packageRoot, folder), { recursive: true })).filter((name) =>
    /\.(ts|mjs)$/.test(name),
  );
  const found: Import[] = [];
  for (const name of names) {
    const text = await readFile(join(packageRoot, folder, name), 'utf8');
    for (const match of text.matchAll(importLine))
      found.push({ file: join(folder, name), target: match[1] ?? match[2] ?? match[3] ?? '' });
  }
  return found;
}

function isInside(target: string, folders: string[]): boolean {
  return folders.some((folder) => target === folder || target === `${folder}.ts` || target.startsWith(`${folder}/`));
}

for (const folder of Object.keys(allowed)) {
  test(`${folder}/ imports only from where it may`, async () => {
    const imports = await importsOf(folder);
    assert.ok(imports.length > 10, 'the sources were found');
    const wrong = imports.filter(({ file, target }) => {
      if (target.startsWith('.')) {
        const resolved = relative(packageRoot, normalize(join(packageRoot, dirname(file), target)));
        return !isInside(resolved, allowed[folder] ?? []);
      }
      const packages = guestPackages[folder];
      return packages !== undefined && !packages.includes(target);
    });
    assert.deepEqual(wrong, []);
  });
}

test('filter/ uses nothing that only a host can give', async () => {
  const names = (await readdir(join(packageRoot, 'filter'), { recursive: true })).filter((name) =>
    name.endsWith('.ts'),
  );
  for (const name of names) {
    const text = await readFile(join(packageRoot, 'filter', name), 'utf8');
    assert.doesNotMatch(text, /@external|\bDate\b|Math\.random|\btrace\(/, `filter/${name}`);
  }
});

test('assembly/ makes no policy decision: it names reasons only for failures of the host', async () => {
  const names = (await readdir(join(packageRoot, 'assembly'))).filter((name) => name.endsWith('.ts'));
  const reasons = new Set<string>();
  for (const name of names) {
    const text = await readFile(join(packageRoot, 'assembly', name), 'utf8');
    for (const match of text.matchAll(/Reason\.(\w+)/g)) reasons.add(match[1] ?? '');
  }
  assert.deepEqual([...reasons].sort(), ['InternalError', 'NotConfigured']);
});

test('guest sources import nothing that they do not use', async () => {
  const unused: string[] = [];
  for (const folder of ['filter', 'assembly', 'tests/filter/assembly']) {
    const names = (await readdir(join(packageRoot, folder), { recursive: true })).filter(
      (name) => name.endsWith('.ts') && name !== 'index.ts',
    );
    for (const name of names) {
      const text = await readFile(join(packageRoot, folder, name), 'utf8');
      const body = text.replace(/^import[^;]*;/gm, '');
      for (const match of text.matchAll(/^import \{([^}]*)\}/gm)) {
        for (const item of (match[1] ?? '').split(',').map((part) => part.trim().split(' as ').pop() ?? '')) {
          if (item !== '' && !new RegExp(`\\b${item}\\b`).test(body)) unused.push(`${folder}/${name}: ${item}`);
        }
      }
    }
  }
  assert.deepEqual(unused, []);
});
