import { arch, cpus } from 'node:os';
import type { Line } from './fit.ts';

export interface Row {
  readonly consumers: number;
  readonly quotas: number;
  /** Nanoseconds per decision with few active consumers, whose records stay in the CPU's caches; the median of the rounds. */
  readonly nanoseconds: number;
  /** The quartile distance as a fraction of the median. */
  readonly spread: number;
  /** The same with keys drawn uniformly from all consumers, so that cache misses count. */
  readonly nanosecondsOverAll: number;
  readonly instructions: number;
  readonly bulkBytes: number;
  readonly hostCalls: number;
  readonly memoryBytes: number;
  readonly configBytes: number;
  readonly configureMilliseconds: number;
  /** True when the config exceeds the module's limit, and was measured with the limit lifted. */
  readonly beyondLimit: boolean;
}

/** A decision that needs one in the middle of `count` of something. */
export interface ScaleRow {
  readonly what: string;
  readonly count: number;
  readonly nanoseconds: number;
  readonly instructions: number;
  readonly hostCalls: number;
  readonly memoryBytes: number;
  readonly configBytes: number;
  readonly configureMilliseconds: number;
}

export interface Report {
  readonly machine: string;
  readonly node: string;
  readonly moduleBytes: number;
  readonly rounds: number;
  readonly requestsPerRound: number;
  readonly consumers: readonly Row[];
  readonly quotas: readonly Row[];
  readonly scales: readonly ScaleRow[];
  readonly perQuota: { readonly nanoseconds: Line; readonly instructions: Line };
}

export function machine(): string {
  const all = cpus();
  return `${all.length} × ${all[0]?.model ?? arch()}`;
}

export function print(report: Report): string {
  const { perQuota } = report;
  return [
    `module ${report.moduleBytes} bytes, Node.js ${report.node}, ${report.machine}`,
    `medians of ${report.rounds} rounds of ${report.requestsPerRound} requests, all situations in turn in every round`,
    '',
    'consumers, one key each, no quota; ns with ten busy consumers, and with all of them at random:',
    '',
    ...table(report.consumers, 'consumers'),
    ...(report.consumers.some((row) => row.beyondLimit)
      ? ['', '* more than the 16 MiB that a config may have: measured with that limit lifted']
      : []),
    '',
    flatness(report.consumers),
    '',
    'quotas of the plan (a policy may have 8), 1000 consumers, one of them busy:',
    '',
    ...table(report.quotas, 'quotas'),
    '',
    `a quota more: ${perQuota.nanoseconds.slope.toFixed(0)} ns (R² ${perQuota.nanoseconds.fit.toFixed(3)}), ` +
      `${perQuota.instructions.slope.toFixed(0)} instructions (R² ${perQuota.instructions.fit.toFixed(4)})`,
    '',
    'one consumer, no quota; the request needs one in the middle of them:',
    '',
    ...scaleTable(report.scales),
    '',
  ].join('\n');
}

function flatness(rows: readonly Row[]): string {
  const range = (values: number[]): string => `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}`;
  return (
    `from ${rows[0]!.consumers} to ${rows.at(-1)!.consumers} consumers: ${range(rows.map((row) => row.nanoseconds))} ns, ` +
    `${range(rows.map((row) => row.instructions))} instructions, ${range(rows.map((row) => row.hostCalls))} host calls`
  );
}

function table(rows: readonly Row[], first: 'consumers' | 'quotas'): string[] {
  const lines = [
    [
      first,
      'ns',
      '±',
      ...(first === 'consumers' ? ['ns, all'] : []),
      'instructions',
      'bytes moved',
      'host calls',
      'memory',
      'config',
      'configure',
    ],
    ...rows.map((row) => [
      `${row[first]}${row.beyondLimit ? '*' : ''}`,
      row.nanoseconds.toFixed(0),
      `${(row.spread * 50).toFixed(0)} %`,
      ...(first === 'consumers' ? [row.nanosecondsOverAll.toFixed(0)] : []),
      `${row.instructions}`,
      `${row.bulkBytes}`,
      `${row.hostCalls}`,
      megabytes(row.memoryBytes),
      megabytes(row.configBytes),
      `${row.configureMilliseconds.toFixed(1)} ms`,
    ]),
  ];
  return aligned(lines);
}

function scaleTable(rows: readonly ScaleRow[]): string[] {
  return aligned([
    ['of', 'there are', 'ns', 'instructions', 'host calls', 'memory', 'config', 'configure'],
    ...rows.map((row) => [
      row.what,
      `${row.count}`,
      row.nanoseconds.toFixed(0),
      `${row.instructions}`,
      `${row.hostCalls}`,
      megabytes(row.memoryBytes),
      megabytes(row.configBytes),
      `${row.configureMilliseconds.toFixed(1)} ms`,
    ]),
  ]);
}

function aligned(lines: readonly (readonly string[])[]): string[] {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((cells) => cells[column]!.length)));
  return lines.map((cells) => cells.map((cell, column) => cell.padStart(widths[column]!)).join('  '));
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e6 ? 2 : 1)} MB`;
}
