import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { validPolicy } from '../../scripts/policy/index.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { documentsOf } from '../../harness/openapi/documents.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';
import { tollgate } from './fakeIo.ts';

const folder = scratchFolder();
/** Of processor time: other suites run at the same time. */
const MOST_CPU_SECONDS = 10;
const MOST_MEMORY_MB = 600;

test('GitHub’s document: 1,200 operations of 13 MB in seconds and bounded memory, and again without a change', async (context) => {
  const found = await documentsOf('github');
  if ('skip' in found) return context.skip(found.skip);
  const document = join(found.folder, 'generated', 'api.github.com.json');
  const file = join(folder, 'github.policy.yaml');
  const usage = join(folder, 'usage.mjs');
  writeFileSync(
    usage,
    "import { writeFileSync } from 'node:fs'; process.on('exit', () => writeFileSync(process.env.USAGE, JSON.stringify(process.resourceUsage())));",
  );
  const measured = join(folder, 'usage.json');
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--import', usage, inPackage('scripts', 'bin.mjs'), 'init', '--openapi', document, file],
    { encoding: 'utf8', env: { ...process.env, USAGE: measured } },
  );
  assert.equal(status, 0, stderr);
  const { userCPUTime, systemCPUTime, maxRSS } = JSON.parse(readFileSync(measured, 'utf8')) as NodeJS.ResourceUsage;
  const seconds = (userCPUTime + systemCPUTime) / 1e6;
  context.diagnostic(`${seconds.toFixed(1)} s of processor time, ${(maxRSS / 1024).toFixed(0)} MB`);
  assert.ok(seconds < MOST_CPU_SECONDS && maxRSS / 1024 < MOST_MEMORY_MB, `${seconds} s, ${maxRSS / 1024} MB`);
  assert.match(
    stderr,
    /#\/paths\/~1repos~1\{owner\}~1\{repo\}~1compare~1\{base\}\.\.\.\{head\}: has 2 variables in a segment/,
  );
  const text = readFileSync(file, 'utf8');
  const { operations } = Object.values(validPolicy(text, file).policy.apis)[0]!;
  assert.ok(Object.keys(operations!).length > 1000);
  assert.equal((await tollgate(['fmt', '--check', file])).code, 0);
  const again = await tollgate(['import', 'openapi', document, '--into', file]);
  assert.match(again.err, /: nothing changed\n$/);
  assert.equal(readFileSync(file, 'utf8'), text);
});

test('a hundred small documents of every kind and version: each a valid policy, or a reason', async (context) => {
  const found = await documentsOf('examples');
  if ('skip' in found) return context.skip(found.skip);
  const documents = readdirSync(found.folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(json|yaml)$/.test(name),
  );
  assert.ok(documents.length > 100);
  const refused: string[] = [];
  for (const name of documents) {
    const document = join(found.folder, name);
    const { code, out, err } = await tollgate(['init', '--openapi', document]);
    if (code !== 0) {
      refused.push(`${name}: ${err.slice(document.length + 2)}`);
      continue;
    }
    const file = scratchFile(folder, out);
    validPolicy(out, name);
    assert.equal((await tollgate(['fmt', '--check', file])).code, 0, name);
    const again = await tollgate(['import', 'openapi', document, '--into', file]);
    assert.match(again.err, /: nothing changed\n$/, name);
    assert.equal(readFileSync(file, 'utf8'), out);
  }
  // titles and webhooks alone
  for (const line of refused)
    assert.match(line, /^[^:]*(title|webhooks)\.(json|yaml): has no operation that could be imported\n$/);
  assert.ok(refused.length <= 4, refused.join(''));
});
