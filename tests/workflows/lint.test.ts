import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { test } from 'node:test';
import { availableComponents } from '../../harness/components/available.ts';
import { WORKFLOW_COMPONENTS } from '../../harness/components/component.ts';
import { packageRoot } from '../../scripts/file/packageRoot.ts';
import { actionFiles, read, stepsOf, workflowFiles } from './workflow.ts';

const found = await availableComponents(WORKFLOW_COMPONENTS);

test('actionlint finds nothing, and shellcheck nothing in the scripts inside', { skip: found.skip }, () => {
  if (found.skip !== false) return;
  const { actionlint, shellcheck } = found.paths;
  const args = ['-no-color', '-shellcheck', shellcheck, ...workflowFiles];
  const { status, stdout, stderr } = spawnSync(actionlint, args, { cwd: packageRoot, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});

test('actionlint is not blind: it finds what is wrong in a step', { skip: found.skip }, () => {
  if (found.skip !== false) return;
  const { actionlint, shellcheck } = found.paths;
  const input = 'on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: rm $UNQUOTED\n';
  const { stdout } = spawnSync(actionlint, ['-shellcheck', shellcheck, '-'], { input, encoding: 'utf8' });
  assert.match(stdout, /SC2086/);
});

test('hadolint finds nothing in the Dockerfile', { skip: found.skip }, () => {
  if (found.skip !== false) return;
  const { status, stdout } = spawnSync(found.paths.hadolint, ['Dockerfile'], { cwd: packageRoot, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
  assert.equal(stdout, '');
});

test('hadolint is not blind: it finds what is wrong in a Dockerfile', { skip: found.skip }, () => {
  if (found.skip !== false) return;
  const { status, stdout } = spawnSync(found.paths.hadolint, ['-'], { input: 'FROM debian\n', encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stdout, /DL3006/);
});

test('shellcheck finds nothing in the scripts of our actions', { skip: found.skip }, () => {
  if (found.skip !== false) return;
  for (const file of actionFiles) {
    const scripts = stepsOf(read(file)).flatMap(({ run }) => run ?? []);
    assert.ok(scripts.length > 0, file);
    for (const input of scripts) {
      const linted: SpawnSyncReturns<string> = spawnSync(found.paths.shellcheck, ['--shell=bash', '-'], {
        input,
        encoding: 'utf8',
      });
      assert.equal(linted.stdout, '', file);
    }
  }
});
