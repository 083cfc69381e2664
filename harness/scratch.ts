import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

/** A temporary folder for one test file, removed at its end. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A new file in the folder with this content. */
export function scratchFile(
  folder: string,
  content: string | Uint8Array,
  name = `${Math.random().toString(36).slice(2)}.policy.yaml`,
): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}
