import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { policyName } from '../../scripts/cli/init.ts';
import { packageJson, schemaUrl } from '../../scripts/file/packageJson.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { compilePolicy, readPolicy } from '../../scripts/policy/index.ts';
import { formatPolicy } from '../../scripts/policyFile/format.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { tollgate } from './fakeIo.ts';

const folder = scratchFolder();

test('init writes a policy without problems, which says what comes next, and which is formatted', async () => {
  const file = join(folder, 'shop.policy.yaml');
  const { code, out, err } = await tollgate(['init', file]);
  assert.deepEqual([code, out], [0, '']);
  assert.equal(err, `${file}: written; "tollgate check" says what is in it, "tollgate run" serves it\n`);
  const checked = await tollgate(['check', file]);
  assert.deepEqual([checked.code, checked.out], [0, `${file}: valid (1 API, 2 plans, 1 consumer, 0 keys)\n`]);
  assert.equal(checked.err, `${file}:36: warning: consumers.acme: has no key; "tollgate keys issue" makes one\n`);
  assert.equal((await tollgate(['fmt', '--check', file])).code, 0);
  assert.equal((await tollgate(['keys', 'issue', '--consumer', 'acme', file])).code, 0);
  assert.deepEqual((await tollgate(['check', file])).err, '');
  assert.deepEqual(readdirSync(folder), ['shop.policy.yaml']);
});

test('the targets and the service in its comments are right too', async () => {
  const { out } = await tollgate(['init', '-']);
  const text = out
    .replace(/^# (targets:| {2}- )/gm, '$1')
    .replace(/\nupstreams:\n.*\n/, '\nupstreams:\n')
    .replace(/^# {3}(v1: )/m, '  $1');
  const { policy, problems } = readPolicy(text.replace(/^( {2}v1: .*)\n(upstreams:)/m, '$2\n$1'), 'p.yaml');
  assert.deepEqual(problems, []);
  assert.equal(policy!.targets.length, 1);
  assert.equal(policy!.upstreams['v1']!.service!.port, 8080);
});

test('init keeps the file that is there, and replaces it when that is asked for', async () => {
  const file = join(folder, 'old.yaml');
  writeFileSync(file, 'old\n');
  assert.deepEqual(await tollgate(['init', file]), { code: 1, out: '', err: `${file}: exists; --force replaces it\n` });
  assert.equal(readFileSync(file, 'utf8'), 'old\n');
  assert.equal((await tollgate(['init', '--force', file])).code, 0);
  assert.match(readFileSync(file, 'utf8'), /^policy: old$/m);
});

test('of several at once one writes', async () => {
  const file = join(folder, 'race.yaml');
  const codes = (await Promise.all(Array.from({ length: 8 }, () => tollgate(['init', file])))).map(({ code }) => code);
  assert.deepEqual(codes.sort(), [0, 1, 1, 1, 1, 1, 1, 1]);
});

test('what is no place for a file is said, and nothing is left there', async () => {
  const dir = join(folder, 'dir');
  mkdirSync(dir);
  assert.match((await tollgate(['init', dir])).err, /dir: exists; --force replaces it$/m);
  assert.match((await tollgate(['init', '--force', dir])).err, /dir: is a folder; name a file$/m);
  assert.match((await tollgate(['init', join(folder, 'no', 'x.yaml')])).err, /x\.yaml: its folder does not exist$/m);
  assert.deepEqual(readdirSync(dir), []);
  assert.equal(existsSync(join(folder, 'no')), false);
});

test('the policy is called as its file, where that is a name', () => {
  for (const [file, name] of Object.entries({
    'policy.yaml': 'petstore',
    'shop.policy.yaml': 'shop',
    'a/b/shop-2.yml': 'shop-2',
    '-': 'petstore',
    'Shop!.yaml': 'petstore',
    '.yaml': 'petstore',
  }))
    assert.equal(policyName(file), name, file);
});

test('its first line names the schema of this package and version, which the package holds at that path', async () => {
  const about = await packageJson();
  const url = schemaUrl(about);
  assert.equal(url, `https://unpkg.com/${about.name}@${about.version}/schema/policy.schema.json`);
  assert.equal((await tollgate(['init', '-'])).out.split('\n')[0], `# yaml-language-server: $schema=${url}`);
  assert.deepEqual(await tollgate(['schema', '--url']), { code: 0, out: `${url}\n`, err: '' });
  const path = new URL(url).pathname.replace(`/${about.name}@${about.version}/`, '');
  assert.ok(existsSync(inPackage(path)));
  // another name or version of the package needs no other change
  assert.equal(
    schemaUrl({ ...about, name: 'x', version: '2.0.0' }),
    'https://unpkg.com/x@2.0.0/schema/policy.schema.json',
  );
});

test('formatting what init writes keeps the compiled config', async () => {
  const { out } = await tollgate(['init', '-']);
  assert.equal(formatPolicy(out, 'p.yaml'), out);
  assert.equal(compilePolicy(readPolicy(out, 'p.yaml').policy!).policy, 'petstore');
});
