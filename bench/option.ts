import { parseArgs } from 'node:util';
import { UsageError, wholeNumber } from '../scripts/cli/command.ts';
import { type Variant, EMPTY_MODULE, NO_FILTER } from './variant.ts';
import { allVariants } from './variants/all.ts';
import { foreign } from './variants/foreign.ts';

export const USAGE = `npm run bench -- [options]

Measures what a request costs in Envoy: with Tollgate, with what else could stand in its place, and with modules that do
nothing, which show where the floor lies. Variants take turns, in another order each round; the first round is dropped.
Prints a table, and writes the figures to bench/results/DATE.json; further runs of a
day get a number.

  --rounds N     rounds that count; default 7
  --seconds S    length of each of the two loads in a turn; default 3
  --quick        2 rounds of 1 second: to try, never to quote; written to build/bench/quick.json
  --only A,B     these variants, and the two that all are compared with
  --also NAME=PATH[,config=TEXT|FILE]
                 another wasm module, with its plugin configuration; can be given several times
  --seed N       of the order of variants; default 1
  --json         print the figures instead of the table
  --write-docs   put table and chart into docs/performance.md and docs/performance.svg
  --from FILE    take the figures of an earlier run; with --write-docs or to print them again
  --list         print the names of the variants

exit codes: 0 done and every measured target met (with --quick targets are not judged), 1 not, 2 wrong usage`;

export interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly quick: boolean;
  readonly variants: readonly Variant[];
  readonly seed: number;
  readonly json: boolean;
  readonly writeDocs: boolean;
  readonly from: string | null;
}

export type Asked = Options | 'help' | 'list';

export function readOptions(args: readonly string[]): Asked {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string' },
      from: { type: 'string' },
      also: { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.list) return 'list';
  const { quick } = values;
  if (values['write-docs'] && (quick || values.only !== undefined))
    throw new UsageError('--write-docs: only with all variants, and not with --quick: the page shows a whole run');
  return {
    quick,
    rounds: wholeNumber('--rounds', values.rounds, 1, 1000) ?? (quick ? 2 : 7),
    seconds: wholeNumber('--seconds', values.seconds, 1, 600) ?? (quick ? 1 : 3),
    variants: chosen(values.only, [...allVariants, ...distinct(values.also.map(foreign))]),
    seed: wholeNumber('--seed', values.seed, 0, 2 ** 32 - 1) ?? 1,
    json: values.json,
    writeDocs: values['write-docs'],
    from: values.from ?? null,
  };
}

function distinct(also: readonly Variant[]): readonly Variant[] {
  const names = new Set(allVariants.map(({ name }) => name));
  for (const { name } of also) {
    if (names.has(name)) throw new UsageError(`--also ${name}: there is a variant of that name`);
    names.add(name);
  }
  return also;
}

function chosen(only: string | undefined, all: readonly Variant[]): readonly Variant[] {
  if (only === undefined) return all;
  const names = only
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  const unknown = names.filter((name) => !all.some((variant) => variant.name === name));
  if (unknown.length > 0)
    throw new UsageError(
      `--only: no variant "${unknown.join('", "')}"; there are ${all.map(({ name }) => name).join(', ')}`,
    );
  // every figure is a comparison with these two variants
  const wanted = new Set([NO_FILTER, EMPTY_MODULE, ...names]);
  return all.filter((variant) => variant.family === 'foreign' || wanted.has(variant.name));
}
