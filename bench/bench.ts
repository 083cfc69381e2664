import { relative } from 'node:path';
import { isUsageError } from '../scripts/cli/command.ts';
import { exitCodeOf } from '../scripts/cli/failure.ts';
import { writeDocs } from './docs.ts';
import { readOptions, USAGE, type Asked, type Options } from './option.ts';
import { keep, printResult, readResult, type Result } from './result.ts';
import { run } from './run.ts';
import { textTable } from './table.ts';
import { allVariants } from './variants/all.ts';

/** `npm run bench`. Progress goes to standard error, what was asked for to standard output. */
const progress = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(args: readonly string[]): Promise<number> {
  let asked: Asked;
  try {
    asked = readOptions(args);
  } catch (error) {
    if (!isUsageError(error)) throw error;
    progress(`bench: ${(error as Error).message}; see npm run bench -- --help`);
    return 2;
  }
  if (asked === 'help') process.stdout.write(`${USAGE}\n`);
  else if (asked === 'list')
    process.stdout.write(allVariants.map(({ name, title }) => `${name.padEnd(20)} ${title}\n`).join(''));
  else return measure(asked);
  return 0;
}

async function measure(options: Options): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  try {
    const result = options.from === null ? await run(options, stop.signal, progress) : await readResult(options.from);
    await hand(result, options);
    return result.quick || result.targets.every(({ met }) => met !== false) ? 0 : 1;
  } catch (error) {
    if (stop.signal.aborted) progress('stopped');
    else if (exitCodeOf(error) !== null) progress((error as Error).message);
    else throw error;
    return 1;
  }
}

async function hand(result: Result, options: Options): Promise<void> {
  process.stdout.write(options.json ? printResult(result) : textTable(result));
  const written = options.from === null ? [await keep(result)] : [];
  if (options.writeDocs) written.push(...(await writeDocs(result)));
  for (const path of written) progress(`wrote ${relative(process.cwd(), path)}`);
}

process.exitCode = await main(process.argv.slice(2));
