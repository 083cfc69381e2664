import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Refusal } from '../scripts/cli/command.ts';
import { inPackage } from '../scripts/file/packageRoot.ts';
import type { Figures } from './figure.ts';
import type { Machine } from './machine.ts';
import type { ModuleFacts } from './moduleFacts.ts';
import type { Target } from './target.ts';

export const RESULT_VERSION = 1;

/** One run, as it is stored. */
export interface Result {
  readonly version: typeof RESULT_VERSION;
  /** Day of the run, UTC. */
  readonly date: string;
  readonly quick: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly seed: number;
  readonly ratePerSecond: number;
  readonly machine: Machine;
  readonly variants: readonly Figures[];
  readonly module: ModuleFacts | null;
  readonly targets: readonly Target[];
  /** Variants that could not run here, and why. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** Stores a run; a quick one in another place, so that it is not taken for a full run. */
export async function keep(result: Result): Promise<string> {
  const path = result.quick
    ? inPackage('build', 'bench', 'quick.json')
    : inPackage('bench', 'results', `${result.date}.json`);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, printResult(result));
  return path;
}

/** Six significant digits are more than any figure is exact to. */
export function printResult(result: Result): string {
  const short = (_: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
  return `${JSON.stringify(result, short, 2)}\n`;
}

export async function readResult(path: string): Promise<Result> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Refusal(`${path}: cannot be read: ${error.code ?? error.message}`);
  });
  let result: { version?: unknown };
  try {
    result = JSON.parse(text) as { version?: unknown };
  } catch (error) {
    throw new Refusal(`${path}: ${(error as Error).message}`);
  }
  if (result.version !== RESULT_VERSION) throw new Refusal(`${path}: not a result that this version reads`);
  return result as Result;
}
