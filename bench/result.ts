import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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

/**
 * Stores a run in `folder` under its day, and the further runs of a day under numbers: none takes another's place. A quick one goes elsewhere,
 * so that it is not taken for a full run. Returns the path.
 */
export async function keep(result: Result, folder = inPackage('bench', 'results')): Promise<string> {
  if (result.quick) return store(inPackage('build', 'bench', 'quick.json'), result, 'w');
  for (let number = 1; ; number++) {
    try {
      return await store(join(folder, `${result.date}${number === 1 ? '' : `-${number}`}.json`), result, 'wx');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

async function store(path: string, result: Result, flag: 'w' | 'wx'): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, printResult(result), { flag });
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
