import { parseArgs, styleText } from 'node:util';
import { UsageError, type Command, type Io } from './command.ts';
import { inputName, isReadTwice, openPolicy } from '../policy/input.ts';
import { printProblems, printWarnings, type LoadResult, type Policy } from '../policy/index.ts';

/** More names than this are counted. */
const MAX_NAMED = 3;

const usage = `tollgate check: tells everything that is wrong with policies

usage: tollgate check POLICY… [--json]

  POLICY    a policy file; - reads standard input
  --json    prints { ok, problems, moreProblems, warnings, moreWarnings } instead, each with file, line, column, path, rule
            and found

Every problem is one line, all of them at once, in the order of the file; of more than 100 the first, and how many more:

  petstore.policy.yaml:12: apis.petstore.plans[1]: must be a plan of this policy (free, gold); found "golden"

Warnings name what is valid but hardly meant, such as an expired key; they do not change the exit code. Problems and warnings
go to standard error, the word that a policy is valid, and what it holds, to standard output.
Exit code: 0 all are valid, 1 a policy has problems.

examples:
  tollgate check examples/petstore.policy.yaml
  tollgate check policies/*.yaml
  tollgate check --json petstore.policy.yaml | jq -r '.problems[] | "\\(.file):\\(.line)"'

What a policy may hold is described in docs/policy.md; "tollgate schema" prints a JSON Schema for editors.`;

export const check: Command = {
  usage,
  run: async (args, io) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false } },
    });
    if (positionals.length === 0) throw new UsageError('needs a POLICY');
    if (isReadTwice(positionals)) throw new UsageError('- may stand once only: standard input is read once');
    const results: { file: string; result: LoadResult }[] = [];
    for (const file of positionals) results.push({ file, result: await openPolicy(file, io) });
    if (values.json)
      printJson(
        results.map(({ result }) => result),
        io,
      );
    else for (const { file, result } of results) print(inputName(file), result, io);
    return results.every(({ result }) => result.policy !== null) ? 0 : 1;
  },
};

function printJson(results: readonly LoadResult[], io: Io): void {
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  io.out(
    `${JSON.stringify(
      {
        ok: results.every(({ policy }) => policy !== null),
        problems: results.flatMap(({ problems }) => problems),
        moreProblems: sum(results.map(({ more }) => more)),
        warnings: results.flatMap(({ warnings }) => warnings),
        moreWarnings: sum(results.map(({ moreWarnings }) => moreWarnings)),
      },
      null,
      2,
    )}\n`,
  );
}

function print(file: string, result: LoadResult, io: Io): void {
  const line = (text: string, colour: 'red' | 'yellow'): void =>
    io.err(`${io.isTerminal ? styleText(colour, text) : text}\n`);
  if (result.policy === null) {
    for (const text of printProblems(result).split('\n')) line(text, 'red');
    io.err(
      `${file}: ${result.isCounted ? '' : 'at least '}${count(result.problems.length + result.more, 'problem')}\n`,
    );
    return;
  }
  for (const text of printWarnings(result)) line(text, 'yellow');
  io.out(`${file}: valid (${contents(result.policy)})\n`);
}

function contents(policy: Policy): string {
  const keys = Object.values(policy.consumers).reduce((sum, consumer) => sum + consumer.keys.length, 0);
  return (
    [
      count(Object.keys(policy.apis).length, 'API'),
      count(Object.keys(policy.plans).length, 'plan'),
      count(Object.keys(policy.consumers).length, 'consumer'),
      count(keys, 'key'),
    ].join(', ') + unlimited(policy)
  );
}

/** A plan without quotas lets everything pass: its author should see that, whether or not it is meant. */
function unlimited({ plans }: Policy): string {
  const names = Object.entries(plans)
    .filter(([, { quotas }]) => Object.keys(quotas).length === 0)
    .map(([name]) => name);
  if (names.length === 0) return '';
  return `; unlimited: ${names.length > MAX_NAMED ? count(names.length, 'plan') : names.join(', ')}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
