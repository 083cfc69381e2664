import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ESLint } from 'eslint';
import ts from 'typescript';
import { packageRoot } from '../../scripts/file/packageRoot.ts';

const eslint = new ESLint({ cwd: packageRoot });

/** Rules that a guest source of this content breaks. */
async function lint(code: string): Promise<(string | null)[]> {
  const [result] = await eslint.lintText(code, { filePath: join(packageRoot, 'filter', 'trial.ts') });
  return result!.messages.map(({ ruleId, message }) => ruleId ?? message);
}

const OPTIONS = ts.parseJsonConfigFileContent(
  ts.readConfigFile(join(packageRoot, 'tsconfig.guest.json'), (path) => ts.sys.readFile(path)).config,
  ts.sys,
  packageRoot,
).options;

/** What `tsc -p tsconfig.guest.json` would say to a file of this content in filter/. */
function typeErrors(code: string): string[] {
  const file = join(packageRoot, 'filter', 'trial.ts');
  const host = ts.createCompilerHost(OPTIONS);
  const getSourceFile = host.getSourceFile.bind(host);
  const fileExists = host.fileExists.bind(host);
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, code, ts.ScriptTarget.ESNext) : getSourceFile(name, ...rest);
  host.fileExists = (name) => name === file || fileExists(name);
  const program = ts.createProgram([file], OPTIONS, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

const GOOD = `import { View, lengthOf } from "./bytes/view";

@unmanaged
export class Pair {
  first: i32;
  second: u64;
}

// @ts-ignore: decorator
@inline
export function sum(pair: Pair, text: View): i32 {
  return pair.first + lengthOf(text);
}
`;

describe('the linter of guest sources', () => {
  it('accepts a correct source, decorators and AssemblyScript’s own types included', async () => {
    assert.deepEqual(await lint(GOOD), []);
    assert.deepEqual(typeErrors(GOOD), []);
  });

  it('catches an unused name', async () => {
    assert.deepEqual(await lint(GOOD.replace('lengthOf }', 'lengthOf, slice }')), [
      '@typescript-eslint/no-unused-vars',
    ]);
    assert.deepEqual(await lint('export function f(): i32 {\n  const unused = 1;\n  return 2;\n}\n'), [
      '@typescript-eslint/no-unused-vars',
    ]);
  });

  it('catches a name that hides another', async () => {
    assert.deepEqual(await lint('export const at: i32 = 0;\nexport function f(at: i32): i32 {\n  return at;\n}\n'), [
      '@typescript-eslint/no-shadow',
    ]);
  });

  it('catches a variable that is never set again', async () => {
    assert.deepEqual(await lint('export function f(): i32 {\n  let x: i32 = 1;\n  return x;\n}\n'), ['prefer-const']);
  });

  it('catches a misspelt field, a missing import and a value of another type', () => {
    assert.deepEqual(typeErrors(GOOD.replace('pair.first', 'pair.frist')), [
      "Property 'frist' does not exist on type 'Pair'. Did you mean 'first'?",
    ]);
    assert.ok(
      typeErrors(GOOD.replace('lengthOf }', 'lenghtOf }')).some((error) =>
        /no exported member named 'lenghtOf'/.test(error),
      ),
    );
    assert.deepEqual(typeErrors(GOOD.replace('+ lengthOf(text)', '+ lengthOf(pair)')), [
      "Argument of type 'Pair' is not assignable to parameter of type 'number'.",
    ]);
  });
});
