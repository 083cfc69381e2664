import { parseArgs, styleText } from 'node:util';
import { UsageError, type Command, type Io } from './command.ts';
import { inputName, isReadTwice, openPolicy } from './policy/input.ts';
import { printProblem, type LoadResult, type Policy, type Problem } from './policy/index.ts';

const usage = `tollgate check: tells everything that is wrong with policies

usage: tollgate check POLICY… [--json]

  POLICY    a policy file; - reads standard input
  --json    prints { ok, problems, warnings } instead, each with file, line, column, path, rule and found

Every problem is one line, all of them at once, in the order of the file:

  petstore.policy.yaml:12: apis.petstore.plans[1]: must be a plan of this policy (free, gold); found "golden"

Warnings name what is valid but hardly meant, such as an expired key; they do not change the exit code. Problems and warnings
go to standard error, the word that a policy is in order to standard output.
Exit code: 0 all are in order, 1 a policy has problems.

examples:
  tollgate check examples/petstore.policy.yaml
  tollgate check policies/*.yaml
  tollgate check --json petstore.policy.yaml | jq -r '.problems[] | "\\(.file):\\(.line)"'

What a policy may hold is described in docs/policy.md; "tollgate schema" prints a JSON Schema for editors.`;

export const check: Command = {
  summary: 'tell everything that is wrong with a policy, with file and line',
  usage,
  run: async (args, io) => {
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { json: { type: 'boolean', default: false } } });
    if (positionals.length === 0) throw new UsageError('needs a POLICY');
    if (isReadTwice(positionals)) throw new UsageError('- may stand once only: standard input is read once');
    const results: { file: string; result: LoadResult }[] = [];
    for (const file of positionals) results.push({ file, result: await openPolicy(file, io) });
    if (values.json) printJson(results.map(({ result }) => result), io);
    else for (const { file, result } of results) print(inputName(file), result, io);
    return results.every(({ result }) => result.policy !== null) ? 0 : 1;
  },
};

function printJson(results: readonly LoadResult[], io: Io): void {
  const problems = results.flatMap((result) => result.problems);
  const warnings = results.flatMap((result) => result.warnings);
  io.out(`${JSON.stringify({ ok: problems.length === 0, problems, warnings }, null, 2)}\n`);
}

function print(file: string, { policy, problems, warnings }: LoadResult, io: Io): void {
  const line = (problem: Problem, kind: 'problem' | 'warning', colour: 'red' | 'yellow'): void => {
    const text = printProblem(problem, kind);
    io.err(`${io.isTerminal ? styleText(colour, text) : text}\n`);
  };
  for (const problem of problems) line(problem, 'problem', 'red');
  for (const warning of warnings) line(warning, 'warning', 'yellow');
  if (policy === null) io.err(`${file}: ${count(problems.length, 'problem')}\n`);
  else io.out(`${file}: in order (${contents(policy)})\n`);
}

function contents(policy: Policy): string {
  const keys = Object.values(policy.consumers).reduce((sum, consumer) => sum + consumer.keys.length, 0);
  return [
    count(Object.keys(policy.apis).length, 'API'),
    count(Object.keys(policy.plans).length, 'plan'),
    count(Object.keys(policy.consumers).length, 'consumer'),
    count(keys, 'key'),
  ].join(', ');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
