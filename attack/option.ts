import { parseArgs } from 'node:util';
import { UsageError, wholeNumber } from '../scripts/cli/command.ts';
import { allAttacks } from './attacks/all.ts';
import type { Attack } from './form.ts';

export const USAGE = `npm run attack -- [options]

Does to a real Envoy with Tollgate in it what hostile clients, bad networks, broken services and clumsy teams do, prints what was
tried and what held, and stops at the first fault.

  --minutes N    for all attacks together; default 10
  --seed N       of all that is left to chance; default a new one each time, which is printed
  --only A,B     these attacks; the whole time is theirs
  --list         print the names of the attacks

The same seed tries the same things; what depends on when packets arrive may need some runs to come again.

exit codes: 0 all held, 1 a fault was found, or no Envoy, 2 wrong usage`;

export interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly attacks: readonly Attack[];
}

export type Asked = Options | 'help' | 'list';

const MAX_SEED = 2 ** 31 - 1;

export function newSeed(): number {
  return Math.floor(Math.random() * MAX_SEED);
}

export function readOptions(args: readonly string[]): Asked {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.list) return 'list';
  return {
    minutes: wholeNumber('--minutes', values.minutes, 1, 10_000) ?? 10,
    seed: wholeNumber('--seed', values.seed, 0, MAX_SEED) ?? newSeed(),
    attacks: chosen(values.only),
  };
}

function chosen(only: string | undefined): readonly Attack[] {
  if (only === undefined) return allAttacks;
  const names = only
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  const unknown = names.filter((name) => !allAttacks.some((attack) => attack.name === name));
  if (unknown.length > 0 || names.length === 0)
    throw new UsageError(
      `--only: no attack "${unknown.join('", "')}"; there are ${allAttacks.map(({ name }) => name).join(', ')}`,
    );
  return allAttacks.filter((attack) => names.includes(attack.name));
}
