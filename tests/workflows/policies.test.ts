import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchFolder } from '../../harness/scratch.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { scriptOf } from './workflow.ts';

const FILE = 'examples/github/policies.yml';
const hasJq = spawnSync('jq', ['--version']).error === undefined;
if (!hasJq && process.env['CI'] === 'true') throw new Error('no jq on PATH');
const skip = hasJq ? false : 'no jq on PATH';

const bin = scratchFolder();
const shim = `#!/bin/sh\nexec '${process.execPath}' '${inPackage('scripts', 'bin.mjs')}' "$@"\n`;
writeFileSync(join(bin, 'tollgate'), shim, { mode: 0o755 });
const PETSTORE = readFileSync(inPackage('examples', 'petstore.policy.yaml'), 'utf8');

/** A pull request that changes the policy from one text to the other, with the workflow's scripts run in its checkout. */
function pullRequest(
  before: string,
  after: string,
): (step: string) => { code: number | null; out: string; summary: string } {
  const folder = scratchFolder();
  const file = join(folder, 'policies', 'petstore.yaml');
  mkdirSync(join(folder, 'policies'));
  const git = (...args: string[]): string =>
    spawnSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example', ...args], { cwd: folder, encoding: 'utf8' })
      .stdout;
  git('init', '--quiet');
  writeFileSync(file, before);
  git('add', '.');
  git('commit', '--quiet', '-m', 'base');
  const base = git('rev-parse', 'HEAD').trim();
  writeFileSync(file, after);
  return (step) => {
    const summary = join(folder, 'summary');
    const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, BASE: base, GITHUB_STEP_SUMMARY: summary };
    // as GitHub runs it
    const { status, stdout, stderr } = spawnSync('bash', ['-e', '-c', scriptOf(FILE, step)], {
      cwd: folder,
      encoding: 'utf8',
      env,
    });
    const written = existsSync(summary) ? readFileSync(summary, 'utf8') : '';
    return { code: status, out: stdout + stderr, summary: written };
  };
}

test('problems become annotations at their lines, and the job fails', { skip }, () => {
  const run = pullRequest(PETSTORE, PETSTORE.replace('plans: [free, gold]', 'plans: [free, golden]'));
  const { code, out } = run('problems, at their lines');
  assert.equal(code, 1);
  assert.match(
    out,
    /^::error file=policies\/petstore\.yaml,line=21::apis\.petstore\.plans\[1\]: must be a plan of this policy/m,
  );
});

test('a valid policy passes, with its warnings', { skip }, () => {
  const { code, out } = pullRequest(PETSTORE, `${PETSTORE}\n`)('problems, at their lines');
  assert.equal(code, 0, out);
  assert.match(out, /^::warning file=policies\/petstore\.yaml,line=\d+::consumers\.acme: has no key/m);
});

test('a line break in a name begins no command of the runner', { skip }, () => {
  const { out } = pullRequest(PETSTORE, `${PETSTORE}\n"x\\n::stop-commands::y": 1\n`)('problems, at their lines');
  assert.doesNotMatch(out, /^::stop-commands/m);
  assert.match(out, /^::error /m);
});

test('the comment says what the change means', { skip }, () => {
  const { code, summary } = pullRequest(
    PETSTORE,
    PETSTORE.replace('limit: 10000,', 'limit: 5000,'),
  )('what the change means');
  assert.equal(code, 0);
  assert.match(summary, /^### What this change of policies means\n\n```text\npolicies\/petstore\.yaml\n/);
  assert.match(summary, /plan free: monthly 10,000 → 5,000 .*\[narrows access\]/);
  assert.equal(summary.match(/^```/gm)?.length, 2);
});
