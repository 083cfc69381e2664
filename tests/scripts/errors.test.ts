import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { exitCodeOf, explainFailure } from '../../scripts/cli/failure.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { FileError } from '../../scripts/file/replaceFile.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { tollgate } from './fakeIo.ts';

/** Classes that never reach the command line, because their callers handle them. */
const INTERNAL = new Set(['NameTooLong', 'Stop', 'Enough', 'HostFault', 'Unseen', 'PrometheusError', 'Refused']);
/** Errors that are wrong usage (exit code 2); all others are refusals (exit code 1). */
const USAGE = new Set(['UsageError', 'InvalidReference', 'InvalidRequest']);
/** A cluster that cannot be asked is neither: exit code 2, without a pointer to the usage. */
const UNANSWERED = new Set(['ClusterError']);

/** What is said of a class that makes its words of what it is given, here 'a: b' and 'c'. */
const SAID: Readonly<Record<string, string>> = {
  Unauthorized: 'a: b; c',
  PortTaken: 'port a: b is in use by another program',
};

interface Found {
  readonly file: string;
  readonly name: string;
}

const sources = readdirSync(inPackage('scripts'), { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
);

/** Every error class of the tool, found in the sources, so that a new one cannot be forgotten here. */
function errorClasses(): Found[] {
  const classes = sources.flatMap((file) =>
    [...readFileSync(inPackage('scripts', file), 'utf8').matchAll(/\bclass (\w+) extends (\w+)/g)].map(
      ([, name = '', parent = '']) => ({ file, name, parent }),
    ),
  );
  const errors = new Set(['Error']);
  for (let before = 0; before !== errors.size;) {
    before = errors.size;
    for (const { name, parent } of classes) if (errors.has(parent)) errors.add(name);
  }
  return classes.filter(({ name }) => errors.has(name) && !INTERNAL.has(name));
}

const found = errorClasses();

test('every library has its own errors', () => {
  const folders = new Set(found.map(({ file }) => file.split('/')[0]));
  for (const library of ['policy', 'policyFile', 'key', 'file', 'istio', 'oci', 'envoy', 'docker', 'diff', 'build'])
    assert.ok(folders.has(library), library);
});

for (const { file, name } of found) {
  test(`${name} of ${file} reaches the user as words`, async () => {
    const exported = (await import(join(inPackage('scripts'), file))) as Record<
      string,
      new (...given: unknown[]) => Error
    >;
    const ErrorClass = exported[name];
    assert.ok(ErrorClass !== undefined, 'is exported, so that callers can tell it from others');
    const error =
      name === 'PolicyProblems' || name === 'RowProblems'
        ? new ErrorClass({
            problems: [{ file: 'a', line: 0, column: 0, path: '', rule: 'b' }],
            more: 0,
            isCounted: true,
          })
        : new ErrorClass('a: b', 'c');
    assert.equal(error.name, name);
    const code = USAGE.has(name) || UNANSWERED.has(name) ? 2 : 1;
    const said = SAID[name] ?? 'a: b';
    assert.equal(exitCodeOf(error), code);
    assert.deepEqual(explainFailure(error, 'check'), {
      code,
      text: USAGE.has(name) ? `tollgate check: ${said}; see tollgate check --help\n` : `${said}\n`,
    });
  });
}

test('system errors are reported as they are; a bug shows its stack trace', () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, mkdtemp '/tmp/x'"), {
    code: 'ENOSPC',
    syscall: 'mkdtemp',
  });
  assert.equal(explainFailure(full, 'run').text, "tollgate run: ENOSPC: no space left on device, mkdtemp '/tmp/x'\n");
  assert.match(
    explainFailure(new TypeError('x is undefined'), 'run').text,
    /^tollgate run: internal error\nTypeError: x is undefined\n {4}at /,
  );
  assert.match(explainFailure('a string', 'run').text, /^tollgate run: internal error\na string\n$/);
});

/** Programs of their own, which nothing imports. */
const PROGRAMS = new Set(['build/package.ts', 'build/release.ts']);

test('only the command line knows its errors, its output and its exit codes', () => {
  for (const file of sources.filter((name) => !name.startsWith('cli/') && !PROGRAMS.has(name))) {
    const text = readFileSync(inPackage('scripts', file), 'utf8');
    assert.doesNotMatch(text, /from '(?:\.\.?\/)+cli\//, file);
    assert.doesNotMatch(text, /\bprocess\.(?:exit|exitCode|stdout|stderr)\b|\bconsole\./, file);
  }
});

test('an --upstream that the policy does not have is wrong usage', async () => {
  const example = inPackage('examples', 'petstore.policy.yaml');
  const { code, err } = await tollgate(['run', example, '--upstream', 'v3=http://a:1', '--print-bootstrap']);
  assert.equal(code, 2);
  assert.match(
    err,
    /^tollgate run: --upstream v3: the policy has no such upstream; it has .+; see tollgate run --help\n$/,
  );
});

test('a message obeys no file name: what a terminal obeys or hides is escaped', () => {
  const { text } = explainFailure(
    new FileError('a\u001b[31m\u202e\ufeff\u2028é\t.yaml: no such file\nand more'),
    'check',
  );
  assert.equal(text, 'a\\u{1b}[31m\\u{202e}\\u{feff}\\u{2028}é\\u{9}.yaml: no such file\nand more\n');
});

test('check, fmt and others print no file name raw', async () => {
  const folder = scratchFolder();
  const name = 'a\u001b[31m\u202e\n.yaml';
  const shown = 'a\\u{1b}[31m\\u{202e}\\u{a}.yaml';
  writeFileSync(
    join(folder, name),
    'policy: shop\napis: { pets: { paths: [/v1], plans: [free] } }\nplans: { free: {} }\n',
  );
  const valid = await tollgate(['check', join(folder, name)]);
  assert.equal(valid.code, 0);
  assert.ok(valid.out.startsWith(`${join(folder, shown)}: valid (`), valid.out);
  assert.ok(valid.err.includes(`${shown}:`), valid.err);
  writeFileSync(join(folder, name), 'policy: 1\n');
  const invalid = await tollgate(['check', join(folder, name)]);
  assert.equal(invalid.code, 1);
  writeFileSync(join(folder, name), 'policy: [\n');
  const unread = await tollgate(['fmt', join(folder, name)]);
  assert.ok(unread.err.includes(shown), unread.err);
  for (const text of [valid.out, valid.err, invalid.err, unread.err])
    assert.doesNotMatch(text, /[^\P{C}\n]|[\p{Zl}\p{Zp}]/u);
  // a program reads the name as it is
  const { out } = await tollgate(['check', '--json', join(folder, name)]);
  assert.equal((JSON.parse(out) as { problems: { file: string }[] }).problems[0]?.file, join(folder, name));
});
