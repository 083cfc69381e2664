import type { Replayed } from '../../explain/log/replay.ts';
import type { TallyRow } from '../../explain/log/tally.ts';
import { counted, grouped } from '../../diff/difference.ts';
import { timeSpan, visible } from './visible.ts';

interface Printed extends Replayed {
  readonly log: string;
  /** The last line that was read, where the user stopped the replay. */
  readonly stoppedAt: number | null;
}

/** More callers or operations than this are only counted; `--json` has all. */
const MOST_GROUPS = 25;
const MOST_REASONS = 40;
const MOST_NAMED = 5;

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
    ...(refused === 0 ? [] : [...callerTable(rows), ...operationTable(rows), '', ...reasonTable(rows)]),
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

interface Group {
  readonly names: readonly [string, string];
  requests: number;
  refused: number;
  newly: number;
}

/** Pairs of names by which requests are grouped: those of which some were refused, most refused first. */
function groupTable(
  rows: readonly TallyRow[],
  head: readonly [string, string],
  noun: string,
  namesOf: (row: TallyRow) => readonly [string, string],
): string[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const names = namesOf(row);
    const group = groups.get(names.join(' ')) ?? { names, requests: 0, refused: 0, newly: 0 };
    groups.set(names.join(' '), group);
    group.requests += row.requests;
    group.refused += row.isRefused ? row.requests : 0;
    group.newly += row.newlyRefused;
  }
  const refused = [...groups.values()].filter((group) => group.refused > 0).sort((a, b) => b.refused - a.refused);
  const cells = refused
    .slice(0, MOST_GROUPS)
    .map(({ names, requests, refused, newly }) => [...names, ...[requests, refused, newly].map(grouped)]);
  return [
    '',
    ...tableOf([[...head, 'requests', 'refused', 'passed then'], ...cells], 2),
    ...restOf(refused.length - MOST_GROUPS, noun),
  ];
}

function callerTable(rows: readonly TallyRow[]): string[] {
  return groupTable(rows, ['consumer', 'API'], 'caller', ({ consumer, api }) => [consumer ?? '-', api ?? '-']);
}

/** Of policies that list operations. */
function operationTable(rows: readonly TallyRow[]): string[] {
  if (rows.every(({ operation }) => operation === null)) return [];
  return groupTable(rows, ['operation', 'API'], 'operation', ({ operation, api }) => [operation ?? '-', api ?? '-']);
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

function notesOf({ log, skipped, unknown, meshQuotas }: Printed): string[] {
  const { callers, gone, hosts, addresses, late } = unknown;
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
    ...(addresses === 0
      ? []
      : [
          `the log has no address for ${counted(addresses, 'request')}: judged as from where the consumer may call, and without a key as those of one caller`,
        ]),
    ...(meshQuotas.length === 0
      ? []
      : [
          `mesh-wide quotas (${meshQuotas.slice(0, MOST_NAMED).join(', ')}${meshQuotas.length > MOST_NAMED ? ', and others' : ''}) were counted over the lines of this log, as if it were all traffic of the mesh and the rate limit service had granted every lease`,
        ]),
    ...(late === 0
      ? []
      : [`${counted(late, 'request')} stood so far out of order that counters of later ones had begun`]),
  ];
  return notes.length === 0 ? [] : ['', ...notes];
}
