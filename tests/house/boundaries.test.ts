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
