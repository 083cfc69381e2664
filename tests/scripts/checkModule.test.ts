import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import binaryen from 'binaryen';
import { scratchFolder } from '../../harness/scratch.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';

/*
 * `check` asks the module that its own package has. Here is a copy of the tool whose module is another one each time.
 */
const root = scratchFolder();
const module = join(root, 'build', 'tollgate.wasm');

before(() => {
  for (const name of ['scripts', 'package.json', 'tsconfig.json', 'examples'])
    cpSync(inPackage(name), join(root, name), { recursive: true });
  symlinkSync(inPackage('node_modules'), join(root, 'node_modules'));
  mkdirSync(join(root, 'build'));
});

function check(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(root, 'scripts', 'bin.mjs'), 'check', ...args],
      { cwd: root },
      (_, out, err) => resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

/** A module that refuses every config and says why. */
function refusing(): Uint8Array {
  const message = 'tollgate: apis: must be fewer';
  const parsed = binaryen.parseText(`(module
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 16) "${message}")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
      (drop (call $log (i32.const 4) (i32.const 16) (i32.const ${message.length}))) (i32.const 0)))`);
  try {
    return parsed.emitBinary();
  } finally {
    parsed.dispose();
  }
}

const EXAMPLE = join('examples', 'petstore.policy.yaml');

test('check asks the module, and its refusal is a problem of the policy', async () => {
  writeFileSync(module, refusing());
  const { code, out, err } = await check(EXAMPLE);
  assert.equal(code, 1);
  assert.equal(out, '');
  assert.equal(
    err,
    `${EXAMPLE}: compiles to a config that the module refuses: apis: must be fewer\n${EXAMPLE}: 1 problem\n`,
  );
  const json = await check('--json', EXAMPLE);
  assert.equal(json.code, 1);
  assert.deepEqual((JSON.parse(json.out) as { problems: unknown }).problems, [
    {
      file: EXAMPLE,
      line: 0,
      column: 0,
      path: '',
      rule: 'compiles to a config that the module refuses: apis: must be fewer',
    },
  ]);
});

test('check takes what the built module takes', async () => {
  writeFileSync(module, readFileSync(modulePath));
  const { code, out } = await check(EXAMPLE);
  assert.equal(code, 0);
  assert.match(out, /: valid \(/);
});

test('check without a module says once that it did not ask', async () => {
  rmSync(module);
  const { code, out, err } = await check(EXAMPLE, EXAMPLE);
  assert.equal(code, 0);
  assert.match(out, /: valid \(/);
  assert.equal(err.split('\n').filter((line) => line.includes('was not asked')).length, 1);
});

test('check refuses a file that is not a module, and blames no policy', async () => {
  writeFileSync(module, 'no wasm');
  const { code, out, err } = await check(EXAMPLE);
  assert.equal(code, 1);
  assert.equal(out, '');
  assert.match(err, /^build\/tollgate\.wasm: cannot be asked about the compiled config: /m);
});
