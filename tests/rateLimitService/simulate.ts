import { fork } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { currentModule } from '../../scripts/build/module.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { chartSvg } from './chart.ts';
import { ENVOYS, LOAD_SECONDS, SCENARIOS } from './scenarios.ts';
import { simulate, type Outcome } from './simulation.ts';

/**
 * `npm run simulate:mesh`: a thousand Envoys in virtual time, each the compiled module, and one service. Prints a Markdown
 * table and draws a chart. Without arguments it runs every scenario, as many at a time as there are cores; with a number, as
 * its own child, that one.
 */
const CHART = inPackage('docs', 'meshSimulation.svg');
const CHARTED_LIMIT = 100_000;
const COLOURS: Record<string, string> = { uniform: '#0969da', skewed: '#bf3989', bursty: '#bc4c00' };

/** An outcome as its child sends it: functions are lost on the way. */
type Numbers = Omit<Outcome, 'scenario'>;

async function runAll(): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < SCENARIOS.length) {
      const index = next++;
      outcomes[index] = { ...(await inChild(index)), scenario: SCENARIOS[index]! };
    }
  };
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker));
  return outcomes.reverse();
}

function inChild(index: number): Promise<Numbers> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [String(index)], { execArgv: ['--import', 'tsx'] });
    child.on('message', (outcome) => resolve(outcome as Numbers)).on('error', reject);
    child.on('exit', (code) => reject(new Error(`scenario ${index} ended with ${code}`)));
  });
}

function tableOf(outcomes: readonly Outcome[]): string {
  const head = [
    'limit',
    'load',
    'requests',
    'over the limit',
    'of the limit not used',
    'calls a second',
    'busiest second',
    'calls a request',
    'waited',
    'wait: median, 99 %',
  ];
  const rows = outcomes.map((outcome) => {
    const {
      scenario: { limit, window, profile },
      requests,
      overshoot,
      undershoot,
      calls,
      waited,
      waitMs,
    } = outcome;
    const busy = outcome.callsPerSecond.slice(0, LOAD_SECONDS);
    return [
      `${number(limit)} ${window === 'hour' ? 'an' : 'a'} ${window}`,
      profile.name,
      number(requests),
      number(overshoot),
      percent(undershoot, limit),
      number(Math.round(mean(busy))),
      number(Math.max(...busy)),
      (calls / requests).toFixed(2),
      percent(waited, requests),
      `${quantile(waitMs, 0.5)}, ${quantile(waitMs, 0.99)} ms`,
    ];
  });
  return [head, head.map((_, i) => (i < 2 ? '---' : '--:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function chartOf(outcomes: readonly Outcome[]): string {
  const shown = outcomes.filter(({ scenario }) => scenario.limit === CHARTED_LIMIT);
  const requests = shown.find(({ scenario }) => scenario.profile.name === 'uniform')!.requestsPerSecond;
  const used = requests.findIndex(
    (_, second) => requests.slice(0, second + 1).reduce((sum, count) => sum + count, 0) >= CHARTED_LIMIT,
  );
  return chartSvg({
    title: `${number(ENVOYS)} Envoys, ${number(CHARTED_LIMIT)} requests a minute for one consumer`,
    xLabel: 'seconds; idle time before the next minute is left out',
    lines: [
      { name: 'requests (uniform)', colour: '#8c959f', values: requests },
      ...shown.map(({ scenario: { profile }, callsPerSecond }) => ({
        name: `calls, ${profile.name}`,
        colour: COLOURS[profile.name] ?? '#000000',
        values: callsPerSecond,
      })),
    ],
    marks: [
      [used, 'limit reached'],
      [LOAD_SECONDS + 1, 'next minute'],
    ],
  });
}

const number = (value: number): string => value.toLocaleString('en');
const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(2)} %`;
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const quantile = (sorted: readonly number[], part: number): string =>
  (sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(0);

const [argument] = process.argv.slice(2);
if (argument === undefined) {
  await currentModule();
  const started = Date.now();
  const outcomes = await runAll();
  const faults = outcomes.flatMap((outcome) => outcome.faults);
  if (faults.length > 0) throw new Error(faults.slice(0, 5).join('\n'));
  await writeFile(CHART, chartOf(outcomes));
  process.stdout.write(
    `${tableOf(outcomes)}\n\n${number(ENVOYS)} Envoys, ${Math.round((Date.now() - started) / 1000)} s; chart in ${CHART}\n`,
  );
} else {
  process.send?.(simulate(SCENARIOS[Number(argument)]!), () => process.disconnect());
}
