import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../scripts/file/packageRoot.ts';

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
