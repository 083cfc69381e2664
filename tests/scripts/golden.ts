import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Compares with a stored file; UPDATE_GOLDEN=1 stores instead. */
export function matchesGolden(actual: string, file: URL): void {
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, actual);
  assert.equal(
    actual,
    existsSync(file) ? readFileSync(file, 'utf8') : '',
    `${file.pathname} is not current; UPDATE_GOLDEN=1 rewrites it`,
  );
}
