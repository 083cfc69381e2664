import type { Replayed } from '../../explain/log/replay.ts';
import type { TallyRow } from '../../explain/log/tally.ts';
import { counted, grouped } from '../../diff/difference.ts';
import { timeSpan, visible } from './visible.ts';

interface Printed extends Replayed {
  readonly log: string;
  /** The last line that was read, where the user stopped the replay. */
  readonly stoppedAt: number | null;
}

/** More callers than this are only counted; `--json` has all. */
const MOST_CALLERS = 25;
const MOST_REASONS = 40;

/** What became of a log: in figures, by caller and API, and by reason with the first line of each. */
export function printReplay(printed: Printed): string {
  const { requests, allowed, refused, observed, newlyRefused, newlyAllowed, rows } = printed;
  const part = (count: number): string => (requests === 0 ? '' : `  ${((100 * count) / requests).toFixed(1)} %`);
  const width = grouped(requests).length;
  const sum = (name: string, count: number, more: string): string =>
    `  ${name.padEnd(8)} ${grouped(count).padStart(width)}${part(count)}${more}`;
  return [
    headline(printed),
    ...(requests === 0
      ? []
      : [
          sum('allowed', allowed, newlyAllowed === 0 ? '' : `, ${grouped(newlyAllowed)} of them refused then`),
          sum(
            'refused',
            refused,
            (newlyRefused === 0 ? '' : `, ${grouped(newlyRefused)} of them passed then`) +
              (observed === 0 ? '' : `, ${grouped(observed)} only observed`),
          ),
        ]),
    ...(refused === 0 ? [] : ['', ...callerTable(rows), '', ...reasonTable(rows)]),
    ...notesOf(printed),
  ]
    .map((line) => `${visible(line).trimEnd()}\n`)
    .join('');
}

function headline({ log, requests, from, until, formats, stoppedAt }: Printed): string {
  const stopped = stoppedAt === null ? '' : `, stopped after line ${grouped(stoppedAt)}`;
  if (from === null || until === null) return `${log}: no requests${stopped}`;
  const long = (Date.parse(until) - Date.parse(from)) / 1000;
  return `${log}: ${counted(requests, 'request')} from ${from} to ${until} (${timeSpan(long)}), as ${formats.join(' and ')}${stopped}`;
}

interface Caller {
  readonly consumer: string;
  readonly api: string;
  requests: number;
  refused: number;
  newly: number;
}

function callerTable(rows: readonly TallyRow[]): string[] {
  const callers = new Map<string, Caller>();
  for (const row of rows) {
    const [consumer, api] = [row.consumer ?? '-', row.api ?? '-'];
    const caller = callers.get(`${consumer} ${api}`) ?? { consumer, api, requests: 0, refused: 0, newly: 0 };
    callers.set(`${consumer} ${api}`, caller);
    caller.requests += row.requests;
    caller.refused += row.isRefused ? row.requests : 0;
    caller.newly += row.newlyRefused;
  }
  const refused = [...callers.values()].filter((caller) => caller.refused > 0).sort((a, b) => b.refused - a.refused);
  const cells = refused
    .slice(0, MOST_CALLERS)
    .map(({ consumer, api, requests, refused, newly }) => [consumer, api, ...[requests, refused, newly].map(grouped)]);
  return [
    ...tableOf([['consumer', 'API', 'requests', 'refused', 'passed then'], ...cells], 2),
    ...restOf(refused.length - MOST_CALLERS, 'pair of consumer and API'),
  ];
}

function reasonTable(rows: readonly TallyRow[]): string[] {
  const reasons = new Map<string, { requests: number; row: TallyRow; callers: Set<string> }>();
  for (const row of rows.filter(({ isRefused }) => isRefused)) {
    const why = [row.reason, row.operation, row.quota].filter(Boolean).join(' ');
    const known = reasons.get(why) ?? { requests: 0, row, callers: new Set() };
    known.requests += row.requests;
    known.callers.add(row.consumer ?? '-');
    reasons.set(why, known.row.first.line <= row.first.line ? known : { ...known, row });
  }
  const sorted = [...reasons].sort(([, a], [, b]) => b.requests - a.requests);
  const cells = sorted.slice(0, MOST_REASONS).map(([why, { requests, row, callers }]) => {
    const { line, at, method, host, path } = row.first;
    return [why, grouped(callers.size), grouped(requests), `line ${line}: ${at} ${method} ${host ?? ''}${path}`];
  });
  return [
    ...tableOf([['refused because', 'consumers', 'requests', 'first'], ...cells], 1, 3),
    ...restOf(sorted.length - MOST_REASONS, 'reason'),
  ];
}

function restOf(more: number, noun: string): string[] {
  return more > 0 ? [`  and ${counted(more, noun)} more; --json has all`] : [];
}

/** Columns in the width of their widest cell; those from `from` up to `until` are numbers, on the right. */
function tableOf(rows: readonly (readonly string[])[], from: number, until = Infinity): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const cell = (text: string, column: number): string =>
    column >= from && column < until ? text.padStart(widths[column]!) : text.padEnd(widths[column]!);
  return rows.map((row) => `  ${row.map(cell).join('  ')}`);
}

function notesOf({ log, skipped, unknown }: Printed): string[] {
  const { callers, gone, hosts, late } = unknown;
  const notes = [
    ...skipped.map(
      ({ rule, lines: count, first }) =>
        `${log}:${first[0]}: ${rule}${count === 1 ? '' : `, and so ${counted(count - 1, 'other line')}${first.length > 1 ? ` (${first.slice(1).join(', ')}${count > first.length ? ', …' : ''})` : ''}`}; skipped`,
    ),
    ...(callers === 0
      ? []
      : [
          `the log does not say who sent ${counted(callers, 'request')}: judged without a key, or as --as CONSUMER says`,
        ]),
    ...(gone === 0 ? [] : [`${counted(gone, 'request')} came with a consumer or a key that the policy does not have`]),
    ...(hosts === 0 ? [] : [`the log names no host for ${counted(hosts, 'request')}: --host HOST does`]),
    ...(late === 0
      ? []
      : [`${counted(late, 'request')} stood so far out of order that counters of later ones had begun`]),
  ];
  return notes.length === 0 ? [] : ['', ...notes];
}
