import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { jsonSchemaText } from '../../scripts/policy/schema/policy.ts';
import type { Versions } from '../../scripts/cli/help/version.ts';
import { NEWEST_WHEEL, OLDEST_WHEEL } from '../../scripts/envoy/find.ts';
import { inPackage, modulePath } from '../../scripts/file/packageRoot.ts';
import { compilePolicy, readPolicy } from '../../scripts/policy/index.ts';
import { tollgate } from './fakeIo.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

const folder = scratchFolder();
const VALID = 'policy: shop\napis: { pets: { paths: [/v1], plans: [free], anonymous: allow } }\nplans: { free: }\n';
const WARNED = `${VALID}consumers: { acme: }\n`;
const BAD = `${VALID}unmatched: never\nforwardKey: 1\n`;

test('check says that a policy is valid, and which plans are unlimited, on standard output', async () => {
  const file = scratchFile(folder, VALID);
  assert.deepEqual(await tollgate(['check', file]), {
    code: 0,
    err: '',
    out: `${file}: valid (1 API, 1 plan, 0 consumers, 0 keys; unlimited: free)\n`,
  });
});

test('check says all problems and warnings of all policies, on standard error', async () => {
  const [valid, warned, bad] = [VALID, WARNED, BAD].map((text) => scratchFile(folder, text));
  const { code, out, err } = await tollgate(['check', valid!, warned!, bad!]);
  assert.equal(code, 1);
  assert.equal(
    out,
    `${valid}: valid (1 API, 1 plan, 0 consumers, 0 keys; unlimited: free)\n${warned}: valid (1 API, 1 plan, 1 consumer, 0 keys; unlimited: free)\n`,
  );
  assert.equal(
    err,
    `${warned}:4: warning: consumers.acme: has no key; "tollgate keys issue" makes one
${bad}:4: unmatched: must be "deny" or "allow"; found "never"
${bad}:5: forwardKey: must be true or false; found 1
${bad}: 2 problems
`,
  );
  assert.equal((await tollgate(['check', warned!])).code, 0);
});

test('check --json prints problems and warnings as data', async () => {
  const [warned, bad] = [WARNED, BAD].map((text) => scratchFile(folder, text));
  const { code, out, err } = await tollgate(['check', '--json', warned!, bad!]);
  assert.deepEqual([code, err], [1, '']);
  assert.deepEqual(JSON.parse(out), {
    ok: false,
    moreProblems: 0,
    moreWarnings: 0,
    problems: [
      { file: bad, line: 4, column: 1, path: 'unmatched', rule: 'must be "deny" or "allow"', found: '"never"' },
      { file: bad, line: 5, column: 1, path: 'forwardKey', rule: 'must be true or false', found: '1' },
    ],
    warnings: [
      {
        file: warned,
        line: 4,
        column: 14,
        path: 'consumers.acme',
        rule: 'has no key; "tollgate keys issue" makes one',
      },
    ],
  });
  assert.match((await tollgate(['check', '--json', warned!])).out, /^\{\n {2}"ok": true,/);
});

test('check and compile read standard input as -', async () => {
  assert.equal(
    (await tollgate(['check', '-'], { stdin: BAD })).err.split('\n')[0],
    'standard input:4: unmatched: must be "deny" or "allow"; found "never"',
  );
  assert.deepEqual(await tollgate(['check', '-'], { stdin: VALID }), {
    code: 0,
    err: '',
    out: 'standard input: valid (1 API, 1 plan, 0 consumers, 0 keys; unlimited: free)\n',
  });
  assert.match((await tollgate(['check', '-'], { stdin: BAD })).err, /^standard input: 2 problems$/m);
  assert.match((await tollgate(['compile', '-'], { stdin: VALID })).out, /^\{"version":1,"policy":"shop",/);
});

test('standard input is as strict as a file, and is read once', async () => {
  assert.match(
    (await tollgate(['check', '-'], { stdin: Buffer.from('policy: caf\xe9\n', 'latin1') })).err,
    /^standard input:1: must be valid UTF-8$/m,
  );
  assert.match(
    (await tollgate(['check', '-'], { stdin: Buffer.from(VALID, 'utf16le') })).err,
    /^standard input: must be UTF-8; this is UTF-16/,
  );
  assert.equal((await tollgate(['check', '-', '-'], { stdin: VALID })).code, 2);
});

test('check of a file that is not there is a problem, not a crash', async () => {
  assert.deepEqual(await tollgate(['check', '/no/such.yaml']), {
    code: 1,
    out: '',
    err: '/no/such.yaml: no such file\n/no/such.yaml: 1 problem\n',
  });
});

test('compile prints JSON on standard output and nothing else there', async () => {
  const file = scratchFile(folder, WARNED);
  const compact = await tollgate(['compile', file]);
  assert.equal(compact.code, 0);
  assert.equal(compact.out, `${JSON.stringify(JSON.parse(compact.out))}\n`);
  assert.equal(compact.err, `${file}:4: warning: consumers.acme: has no key; "tollgate keys issue" makes one\n`);
  const pretty = await tollgate(['compile', file, '--pretty']);
  assert.equal(pretty.out, `${JSON.stringify(JSON.parse(compact.out), null, 2)}\n`);
});

test('compile of a bad policy prints every problem and no JSON', async () => {
  const file = scratchFile(folder, BAD);
  assert.deepEqual(await tollgate(['compile', file]), {
    code: 1,
    out: '',
    err: `${file}:4: unmatched: must be "deny" or "allow"; found "never"\n${file}:5: forwardKey: must be true or false; found 1\n`,
  });
});

test('schema prints the JSON Schema', async () => {
  assert.deepEqual(await tollgate(['schema']), { code: 0, err: '', out: jsonSchemaText() });
});

test('wrong usage ends with 2 and points to --help', async () => {
  for (const args of [
    ['check'],
    ['check', '--jsn', 'x'],
    ['compile'],
    ['compile', 'a', 'b'],
    ['schema', 'x'],
    ['keys', 'list'],
    ['keys', 'list', 'a', 'b'],
  ]) {
    const { code, out, err } = await tollgate(args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, new RegExp(`^tollgate ${args[0]}: .*; see tollgate ${args[0]} --help\n$`, 's'));
  }
});

test('the example policy names its schema for editors', () => {
  const example = readFileSync(new URL('../../examples/petstore.policy.yaml', import.meta.url), 'utf8');
  assert.match(example, /^# yaml-language-server: \$schema=\.\.\/schema\/policy\.schema\.json\n/);
});

test('--help lists every command, its summary in one column, without loading any', async () => {
  const { code, out } = await tollgate(['--help']);
  assert.equal(code, 0);
  const rows = out.split('\n').filter((line) => /^ {2}[a-z-]+ {2,}\S/.test(line));
  assert.ok(rows.length > 15);
  assert.equal(new Set(rows.map((line) => /^ {2}[a-z-]+ +/.exec(line)![0].length)).size, 1);
  for (const line of out.split('\n')) assert.ok(line.length <= 125, line);
});

test('for a mistyped or renamed command or option, the error says what was meant', async () => {
  for (const [args, err] of [
    [['ledger', 'x'], 'tollgate: the command is called rate-limit-service\n'],
    [['emti'], 'tollgate: no command "emti" (did you mean emit?); see tollgate --help\n'],
    [['chekc'], 'tollgate: no command "chekc" (did you mean check?); see tollgate --help\n'],
    [
      ['rateLimitService'],
      'tollgate: no command "rateLimitService" (did you mean rate-limit-service?); see tollgate --help\n',
    ],
    [['frobnicate'], 'tollgate: no command "frobnicate"; see tollgate --help\n'],
    [['help', 'chekc'], 'tollgate: no command "chekc" (did you mean check?); see tollgate --help\n'],
    [['help', 'constructor'], 'tollgate: no command "constructor"; see tollgate --help\n'],
    [['help', 'a', 'b'], 'tollgate help: takes one COMMAND; found 2; see tollgate help --help\n'],
    [['help', '--man', 'check'], 'tollgate help: --man is about all commands; see tollgate help --help\n'],
    [['constructor'], 'tollgate: no command "constructor"; see tollgate --help\n'],
    [
      ['run', '--ledger', 'a:1', 'x'],
      'tollgate run: the option is called --rate-limit-service; see tollgate run --help\n',
    ],
    [['check', '--ledger', 'x'], 'tollgate check: unknown option --ledger; see tollgate check --help\n'],
    [
      ['run', '--prot', '1', 'x'],
      'tollgate run: unknown option --prot (did you mean --port?); see tollgate run --help\n',
    ],
    [
      ['check', '--jsn', 'x'],
      'tollgate check: unknown option --jsn (did you mean --json?); see tollgate check --help\n',
    ],
    [['compile', '-p', 'x'], 'tollgate compile: unknown option -p; see tollgate compile --help\n'],
  ] as const)
    assert.deepEqual(await tollgate([...args]), { code: 2, out: '', err }, args.join(' '));
});

test('help alone is --help', async () => {
  assert.deepEqual(await tollgate(['help']), await tollgate(['--help']));
});

test('version says what this is, as lines and as data', async () => {
  const { version } = JSON.parse(readFileSync(inPackage('package.json'), 'utf8')) as { version: string };
  const { code, out, err } = await tollgate(['version', '--json']);
  assert.deepEqual([code, err], [0, '']);
  const said = JSON.parse(out) as Versions;
  const wasm = readFileSync(modulePath);
  assert.deepEqual(said, {
    tool: version,
    module: {
      bytes: wasm.length,
      sha256: createHash('sha256').update(wasm).digest('hex'),
      revision: said.module!.revision,
    },
    pluginConfig: compilePolicy(readPolicy(VALID, 'x').policy!).version,
    proxyWasm: '0.2.1',
    envoy: { oldest: OLDEST_WHEEL, newest: NEWEST_WHEEL },
    node: process.versions.node,
  });
  assert.match(String(said.module.revision), /^(?:null|[0-9a-f]{40})$/);
  const lines = (await tollgate(['version'])).out;
  assert.ok(lines.startsWith(`tollgate ${version}\nmodule         sha256:${said.module.sha256} (`), lines);
  assert.equal((await tollgate(['--version'])).out, `tollgate ${version}\n`);
});
