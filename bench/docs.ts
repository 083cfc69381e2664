import { readFile, writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { inPackage } from '../scripts/file/packageRoot.ts';
import { chart } from './chart.ts';
import type { Result } from './result.ts';
import { markdownTable, markdownTargets } from './table.ts';

const PAGE = inPackage('docs', 'performance.md');
const CHART = inPackage('docs', 'performance.svg');

/** Writes the figures of a run into the page, between its markers, and the chart beside it. */
export async function writeDocs(result: Result): Promise<string[]> {
  let page = await readFile(PAGE, 'utf8');
  for (const [name, text] of Object.entries(sections(result))) page = between(page, name, text);
  await writeFile(PAGE, await format(page, { ...(await resolveConfig(PAGE)), parser: 'markdown' }));
  await writeFile(CHART, chart(result));
  return [PAGE, CHART];
}

/** What goes between the markers `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`. */
export function sections(result: Result): Record<'run' | 'table' | 'module' | 'targets', string> {
  const { machine, rounds, seconds, date } = result;
  const run = `Measured on ${date}: ${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Envoy ${machine.envoy}; ${rounds} rounds of ${seconds} s for each of the two loads.`;
  return {
    run: result.quick ? `**A quick run on a busy machine, to try the page; not to be quoted.** ${run}` : run,
    table: markdownTable(result),
    module: moduleTable(result),
    targets: markdownTargets(result),
  };
}

function moduleTable({ module }: Result): string {
  if (module === null) return 'Not measured.';
  const kilobytes = (bytes: number): string => `${Math.round(bytes / 1024).toLocaleString('en-US')} KB`;
  const rows = module.perVm.map(
    ({ consumers, configBytes, configureMilliseconds, memoryBytes }) =>
      `| ${consumers.toLocaleString('en-US')} | ${kilobytes(configBytes)} | ${configureMilliseconds.toFixed(1)} ms | ${kilobytes(memoryBytes)} |`,
  );
  return [
    `The module has ${kilobytes(module.moduleBytes)}.`,
    '',
    '| Consumers | Plugin config | Configured in | Wasm memory of a VM |',
    '| --: | --: | --: | --: |',
    ...rows,
  ].join('\n');
}

/** The page with the text between the markers of that name replaced; throws when there are no such markers. */
export function between(page: string, name: string, text: string): string {
  const [open, close] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [from, to] = [page.indexOf(open), page.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`docs/performance.md: no ${open} … ${close}`);
  return `${page.slice(0, from + open.length)}\n${text}\n${page.slice(to)}`;
}
