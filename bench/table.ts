import type { Figures } from './figure.ts';
import type { Result } from './result.ts';
import type { Target } from './target.ts';

/** A column: its heading, and its text for a variant. */
type Column = readonly [head: string, cell: (figures: Figures) => string];

const COLUMNS: readonly Column[] = [
  ['Variant', ({ title }) => title],
  ['Over no filter, µs CPU', ({ overNoFilter }) => micros(overNoFilter)],
  ['× empty module', ({ timesEmptyModule }) => (timesEmptyModule === null ? '–' : micros(timesEmptyModule))],
  ['Envoy, µs CPU (least)', ({ envoyCpu }) => `${micros(envoyCpu.median)} (${micros(envoyCpu.minimum)})`],
  ['Others, µs CPU', ({ servicesCpu }) => programs(servicesCpu)],
  ['Requests/s', ({ requestsPerSecond }) => Math.round(requestsPerSecond).toLocaleString('en-US')],
  ['p50 µs', ({ fixed }) => whole(fixed?.p50Microseconds)],
  ['p99 µs', ({ fixed }) => whole(fixed?.p99Microseconds)],
  ['p99.9 µs', ({ fixed }) => whole(fixed?.p999Microseconds)],
];

/** Figures in columns, for a terminal. */
export function textTable(result: Result): string {
  const rows = [
    COLUMNS.map(([head]) => head),
    ...result.variants.map((figures) => COLUMNS.map(([, cell]) => cell(figures))),
  ];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
  return (
    [
      ...lines,
      '',
      ...textTargets(result),
      ...result.skipped.map(({ name, reason }) => `skipped ${name}: ${reason}`),
    ].join('\n') + '\n'
  );
}

function textTargets({ targets, quick }: Result): string[] {
  const sign = ({ met }: Target): string => (met === null ? '?' : met ? '✓' : '✗');
  const head = quick ? ['targets (a quick run does not judge them)'] : ['targets'];
  return [
    ...head,
    ...targets.map(
      (target) =>
        `  ${sign(target)} ${target.name}: ${amount(target, target.value)} (at most ${amount(target, target.target)})`,
    ),
  ];
}

export function markdownTable(result: Result): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = COLUMNS.map((_, column) => (column === 0 ? '---' : '--:'));
  return [
    row(COLUMNS.map(([head]) => head)),
    row(rule),
    ...result.variants.map((figures) => row(COLUMNS.map(([, cell]) => cell(figures)))),
  ].join('\n');
}

export function markdownTargets({ targets }: Result): string {
  const verdict = ({ met }: Target): string => (met === null ? 'not measured' : met ? 'yes' : '**no**');
  const rows = targets.map(
    (target) =>
      `| ${target.name} | ${amount(target, target.value)} | ${amount(target, target.target)} | ${verdict(target)} |`,
  );
  return ['| Target | Measured | At most | Met |', '| --- | --: | --: | --- |', ...rows].join('\n');
}

/** A target's value or bound with its unit. */
export function amount({ unit }: Target, value: number | null): string {
  if (value === null) return '–';
  if (unit === 'bytes') return `${(value / 1024).toLocaleString('en-US', { maximumFractionDigits: 1 })} KB`;
  if (unit === '×') return `${value.toFixed(value < 1 ? 3 : 2)} ×`;
  return `${value.toFixed(1)} ${unit}`;
}

function programs(services: Readonly<Record<string, number>>): string {
  const entries = Object.entries(services);
  return entries.length === 0 ? '–' : entries.map(([program, value]) => `${program} ${micros(value)}`).join(', ');
}

function micros(value: number): string {
  return value.toFixed(1).replace(/^-0\.0$/, '0.0');
}

function whole(value: number | undefined): string {
  return value !== undefined && Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : '–';
}
