import { isUsageError, Refusal } from '../scripts/cli/command.ts';
import { exitCodeOf } from '../scripts/cli/failure.ts';
import { available } from '../harness/envoy/available.ts';
import { allAttacks } from './attacks/all.ts';
import { runCampaign } from './campaign.ts';
import { readOptions, USAGE, type Asked, type Options } from './option.ts';
import type { Outcome } from './trial.ts';

/** `npm run attack`. */
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const complain = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(args: readonly string[]): Promise<number> {
  let asked: Asked;
  try {
    asked = readOptions(args);
  } catch (error) {
    if (!isUsageError(error)) throw error;
    complain(`attack: ${(error as Error).message}; see npm run attack -- --help`);
    return 2;
  }
  if (asked === 'help') print(USAGE);
  else if (asked === 'list') allAttacks.forEach(({ name, tries }) => print(`${name.padEnd(12)} ${tries}`));
  else return attack(asked);
  return 0;
}

async function attack({ attacks, seed, minutes }: Options): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  try {
    const found = await available();
    if (found.skip !== false) throw new Refusal(found.skip);
    print(`seed ${seed}, ${minutes} min, Envoy ${found.envoy.version} (${found.envoy.source})`);
    return judge(
      await runCampaign({ attacks, seed, ms: minutes * 60_000, found, signal: stop.signal, progress: print }),
      attacks.length,
      seed,
    );
  } catch (error) {
    if (exitCodeOf(error) === null) throw error;
    complain((error as Error).message);
    return 1;
  }
}

function judge(outcomes: readonly Outcome[], wanted: number, seed: number): number {
  const last = outcomes.at(-1);
  if (last !== undefined && last.fault !== null) {
    print(`\n${last.fault}\n\nto try it again: npm run attack -- --seed ${seed} --only ${last.attack.name}`);
    return 1;
  }
  print(outcomes.length < wanted ? 'stopped' : `all held; seed ${seed}`);
  return outcomes.length < wanted ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
