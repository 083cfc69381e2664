import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchFolder } from '../../harness/scratch.ts';
import { releaseNotes } from '../../scripts/build/changelog.ts';
import { inPackage, packageRoot } from '../../scripts/file/packageRoot.ts';
import { about } from '../package/packed.ts';

const CHANGELOG = `# Changelog

## Unreleased

- next

## 1.2.0 (2026-01-31)

- **One.** It was
  missing.

### Fixed

- Two

## 1.1.0

- old

## 1.0.0
`;

test('the notes of a version are what stands below its heading', () => {
  assert.equal(releaseNotes(CHANGELOG, '1.2.0'), '- **One.** It was\n  missing.\n\n### Fixed\n\n- Two\n');
  assert.equal(releaseNotes(CHANGELOG, '1.1.0'), '- old\n');
});

test('a version without a section, or with an empty one, has no notes', () => {
  for (const version of ['1.0.0', '2.0.0', '1.2', '1', '', '.', 'Unreleased2'])
    assert.equal(releaseNotes(CHANGELOG, version), null, version);
});

test('notes are the same from a file with CRLF', () => {
  assert.equal(releaseNotes(CHANGELOG.replaceAll('\n', '\r\n'), '1.2.0'), releaseNotes(CHANGELOG, '1.2.0'));
});

test('a release refuses a tag, a repository or a changelog that is not that of package.json', () => {
  const folder = scratchFolder();
  const release = (...args: string[]): { status: number | null; stderr: string } =>
    spawnSync(process.execPath, ['--import', 'tsx', inPackage('scripts', 'build', 'release.ts'), ...args, folder], {
      cwd: packageRoot,
      encoding: 'utf8',
    });
  const tag = `v${about.version}`;
  const own = about.name.slice(1);
  assert.match(
    release('v9.9.9', own).stderr,
    /^release: the tag must be v\d+\.\d+\.\d+, as package\.json says; found "v9\.9\.9"$/m,
  );
  assert.match(release(tag, 'somebody/else').stderr, /^release: package\.json: repository\.url must be /m);
  const { status, stderr } = release(tag, own);
  const notes = releaseNotes(readFileSync(inPackage('CHANGELOG.md'), 'utf8'), about.version);
  if (notes === null)
    assert.match(stderr, new RegExp(`^release: CHANGELOG.md: must have a section "## ${about.version}"$`, 'm'));
  else assert.equal(readFileSync(join(folder, 'notes.md'), 'utf8'), notes);
  assert.equal(status, notes === null ? 1 : 0);
});
