import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { modulePath, packageRoot } from '../file/packageRoot.ts';
import { Refusal, UsageError, type Command, type Io } from './command.ts';
import { inputName, isReadTwice, openPolicy, type OpenPolicy, type Stdin } from '../file/openPolicy.ts';
import { compilePolicy } from '../policy/compile/compile.ts';
import { MAX_OBJECT_BYTES } from '../policy/schema/mesh.ts';
import type { Policy } from '../policy/schema/policy.ts';
import { PolicyProblems, printWarnings, unusable } from '../policy/yaml/readPolicy.ts';
import { observedText } from '../policy/compile/holding.ts';
import { visibleName } from '../policy/secret.ts';

/** More names than this are counted, not listed. */
const MAX_NAMED = 3;
const MODULE = relative(packageRoot, modulePath);

const usage = `tollgate check: finds everything that is wrong with policies

usage: tollgate check POLICY… [--json] [--watch]

  POLICY    a policy file, or a folder whose files are one policy (docs/policy.md); - reads standard input
  --json    prints { ok, problems, moreProblems, warnings, moreWarnings } instead, each with file, line, column, path, rule
            and found
  --watch   checks again whenever one of the files changes, however it is saved, until Ctrl-C (exit code 0). Files may be missing
            for a time, or not be there yet. With --json: an object a line

Every problem is one line, all of them at once, in the order of the file; of more than 100 the first, and how many more:

  petstore.policy.yaml:12: apis.petstore.plans[1]: must be a plan of this policy (free, gold); found "golden"

In a folder each name stands in one file, and a problem that two files make together names both:

  shop/keys.yaml:9: consumers.acme: must be given once; it stands at shop/partners.yaml:4 already

A policy without problems is compiled, and the module itself is asked whether it takes the result.

Warnings name what is valid but probably a mistake, such as an expired key; they do not change the exit code. Problems and
warnings go to standard error; the line that a policy is valid, with what it holds, goes to standard output.

Exit code: 0 all are valid, 1 a policy has problems.

examples:
  tollgate check examples/petstore.policy.yaml
  tollgate check policies/
  tollgate check *.policy.yaml
  tollgate check --watch petstore.policy.yaml
  tollgate check --json petstore.policy.yaml | jq -r '.problems[] | "\\(.file):\\(.line)"'

What a policy may hold is described in docs/policy.md; "tollgate schema" prints a JSON Schema for editors.`;

export const check: Command = {
  usage,
  run: async (args, io) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, watch: { type: 'boolean', default: false } },
    });
    if (positionals.length === 0) throw new UsageError('needs a POLICY');
    if (isReadTwice(positionals)) throw new UsageError('- may stand once only: standard input is read once');
    const module = new ModuleAnswers(io);
    if (!values.watch) return (await checkAll(positionals, module, io, values.json ? 2 : null)) ? 0 : 1;
    if (positionals.includes('-')) throw new UsageError('--watch follows files; - is standard input');
    const { againAndAgain } = await import('./watch.ts');
    await againAndAgain(
      positionals,
      io,
      async () => void (await checkAll(positionals, module, io, values.json ? 0 : null)),
    );
    return 0;
  },
};

/** True when all are valid. `indent`: of JSON; null prints words. */
async function checkAll(
  files: readonly string[],
  module: ModuleAnswers,
  io: Io,
  indent: number | null,
): Promise<boolean> {
  const results: Result[] = [];
  for (const file of files) results.push(await module.about(await resultOf(file, io.stdin), inputName(file)));
  if (indent !== null) printJson(results, indent, io);
  else for (const [at, result] of results.entries()) print(visibleName(inputName(files[at]!)), result, io);
  return results.every(isValid);
}

type Result = OpenPolicy | PolicyProblems;

function resultOf(file: string, stdin: Stdin): Promise<Result> {
  return openPolicy(file, stdin).catch((error: unknown) => {
    if (error instanceof PolicyProblems) return error;
    throw error;
  });
}

function isValid(result: Result): result is OpenPolicy {
  return !(result instanceof PolicyProblems);
}

/** What the built module says about compiled policies. Where it is not built it is not asked, and one line says so. */
class ModuleAnswers {
  private wasm: Promise<Buffer | null> | null = null;

  constructor(private readonly io: Io) {}

  /** The result as it is, or with the module's refusal as its problem. */
  async about(result: Result, file: string): Promise<Result> {
    if (!isValid(result)) return result;
    const wasm = await (this.wasm ??= this.read());
    if (wasm === null) return result;
    // loaded here, because a policy with problems needs no host
    const { acceptsConfig } = await import('../host/vm.ts');
    const config = JSON.stringify(compilePolicy(result.policy));
    const answer = this.answerOf(() => acceptsConfig(wasm, config));
    if (answer.accepted) return withSizeWarning(result, file, Buffer.byteLength(config));
    return unusable(file, `compiles to a config that the module refuses: ${answer.message}`);
  }

  private answerOf<T>(ask: () => T): T {
    try {
      return ask();
    } catch (error) {
      throw new Refusal(`${MODULE}: cannot be asked about the compiled config: ${(error as Error).message}`);
    }
  }

  private async read(): Promise<Buffer | null> {
    try {
      return await readFile(modulePath);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') throw new Refusal(`${MODULE}: cannot be read: ${code ?? String(error)}`);
      this.io.err(`${MODULE}: not built yet, so the module was not asked whether it takes the compiled config\n`);
      return null;
    }
  }
}

/** A policy for a mesh goes into an object of Kubernetes, which is smaller than what the module takes. */
function withSizeWarning(result: OpenPolicy, file: string, bytes: number): OpenPolicy {
  if (result.policy.targets.length === 0 || bytes <= MAX_OBJECT_BYTES) return result;
  const rule = `compiles to ${bytes} bytes, and an object of Kubernetes holds ${MAX_OBJECT_BYTES} at most, so "tollgate emit" will refuse it; split it into policies for some of its APIs and their consumers each`;
  return { ...result, warnings: [...result.warnings, { file, line: 0, column: 0, path: '', rule }] };
}

function printJson(results: readonly Result[], indent: number, io: Io): void {
  const [valid, refused] = [results.filter(isValid), results.filter((result) => result instanceof PolicyProblems)];
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  io.out(
    `${JSON.stringify(
      {
        ok: refused.length === 0,
        problems: refused.flatMap(({ problems }) => problems),
        moreProblems: sum(refused.map(({ more }) => more)),
        warnings: valid.flatMap(({ warnings }) => warnings),
        moreWarnings: sum(valid.map(({ moreWarnings }) => moreWarnings)),
      },
      null,
      indent,
    )}\n`,
  );
}

function print(file: string, result: Result, io: Io): void {
  const line = (text: string, colour: 'red' | 'yellow'): void =>
    io.err(`${io.isTerminal ? styleText(colour, text) : text}\n`);
  if (!isValid(result)) {
    for (const text of result.message.split('\n')) line(text, 'red');
    io.err(
      `${file}: ${result.isCounted ? '' : 'at least '}${count(result.problems.length + result.more, 'problem')}\n`,
    );
    return;
  }
  for (const text of printWarnings(result)) line(text, 'yellow');
  io.out(`${file}: valid (${contents(result)})\n`);
}

function contents({ policy, fileCount }: OpenPolicy): string {
  const keys = Object.values(policy.consumers).reduce((sum, consumer) => sum + consumer.keys.length, 0);
  return (
    [
      ...(fileCount > 0 ? [count(fileCount, 'file')] : []),
      count(Object.keys(policy.apis).length, 'API'),
      count(Object.keys(policy.plans).length, 'plan'),
      count(Object.keys(policy.consumers).length, 'consumer'),
      count(keys, 'key'),
    ].join(', ') +
    unlimited(policy) +
    observed(policy)
  );
}

/** A plan without quotas lets everything pass: its author should see that, intended or not. */
function unlimited({ plans }: Policy): string {
  const names = Object.entries(plans)
    .filter(([, { quotas }]) => Object.keys(quotas).length === 0)
    .map(([name]) => name);
  if (names.length === 0) return '';
  return `; unlimited: ${names.length > MAX_NAMED ? count(names.length, 'plan') : names.join(', ')}`;
}

/** What is not in force: nobody should take it for protected. */
function observed(policy: Policy): string {
  const text = observedText(policy);
  return text === null ? '' : `; observes, and does not enforce: ${text}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
