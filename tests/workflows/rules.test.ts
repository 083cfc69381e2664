import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { about } from '../package/packed.ts';
import { actionFiles, read, stepsOf, text, workflowFiles } from './workflow.ts';

const OWN = about.name.slice(1);
const IMAGE = `ghcr.io/${OWN}`;
/** Somebody else's, as docs/oci.md shows it. */
const EXAMPLE = 'ghcr.io/acme/tollgate';

for (const file of [...workflowFiles, ...actionFiles]) {
  test(`${file}: actions of others are pinned by their commit, with the version beside it`, () => {
    for (const [, used = ''] of text(file).matchAll(/\buses: (.+)$/gm)) {
      if (used.startsWith('./')) continue;
      if (used.startsWith(`${OWN}/`)) assert.ok(used.endsWith(`@v${about.version}`), used);
      else assert.match(used, /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
  });

  test(`${file}: nothing from outside is pasted into a script`, () => {
    for (const { run = '' } of stepsOf(read(file))) assert.doesNotMatch(run, /\$\{\{/);
  });
}

for (const file of workflowFiles) {
  test(`${file}: rights are named, and no job runs for hours`, () => {
    const { permissions, jobs = {} } = read(file);
    assert.notEqual(permissions, undefined);
    for (const [name, job] of Object.entries(jobs)) {
      if (job.uses === undefined) assert.ok((job['timeout-minutes'] ?? 999) <= 90, name);
      const rights = JSON.stringify(job.permissions ?? permissions);
      assert.doesNotMatch(rights, /write-all/, name);
    }
  });
}

test('CI runs every suite', () => {
  const suites = [...text('tests/all.ts').matchAll(/(?:nodeSuite\('|name: ')([\w-]+)'/g)].map(([, name]) => name!);
  assert.ok(suites.length > 15);
  for (const suite of new Set(suites))
    assert.match(text('.github/workflows/ci.yml'), new RegExp(`\\b${suite}\\b`), suite);
});

test('the names of package and image are those of package.json, wherever they stand', () => {
  const pages = readdirSync(inPackage('docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`);
  let found = 0;
  for (const file of ['README.md', 'Dockerfile', 'package.json', ...pages, ...workflowFiles, ...actionFiles]) {
    for (const [name] of text(file).matchAll(/@[\w-]+\/tollgate\b(?!-)/g)) {
      assert.equal(name, about.name, file);
      found++;
    }
    for (const [image] of text(file).matchAll(/ghcr\.io\/[\w-]+\/[\w-]+/g))
      assert.ok([IMAGE, `${IMAGE}-module`, EXAMPLE].includes(image), `${file}: ${image}`);
  }
  assert.ok(found > 5);
  assert.equal(about.repository.url, `git+https://github.com/${OWN}.git`);
});
