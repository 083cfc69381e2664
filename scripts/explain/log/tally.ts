import type { LogEntry } from './entry.ts';

/** What became of one request of the log. */
export interface Verdict {
  /** Refused, or only observed and refused once the policy is enforced. */
  readonly isRefused: boolean;
  readonly isObserved: boolean;
  readonly reason: string;
  readonly consumer: string | null;
  readonly api: string | null;
  readonly operation: string | null;
  readonly quota: string | null;
}

/** A request of the log, to be found again; without its query, which may hold a key. */
export interface Example {
  readonly line: number;
  readonly at: string;
  readonly method: string;
  readonly host: string | null;
  readonly path: string;
}

/** Requests of one consumer to one API that were decided alike. */
export interface TallyRow extends Verdict {
  requests: number;
  /** Of the refused ones: those that had passed when they were logged. */
  newlyRefused: number;
  /** Of the others: those that Tollgate had refused then. */
  newlyAllowed: number;
  readonly first: Example;
}

/** More rows than this are added up in one: a policy may have any number of consumers, and a log may invent them. */
const MOST_ROWS = 100_000;
const MAX_SHOWN = 200;
const REST = '(others)';

/** Requests counted by consumer, API, operation and reason. */
export class Tally {
  requests = 0;
  refused = 0;
  observed = 0;
  newlyRefused = 0;
  newlyAllowed = 0;
  private readonly rows = new Map<string, TallyRow>();

  add(entry: LogEntry, line: number, judged: Verdict): void {
    const { isRefused, isObserved } = judged;
    const row = this.rowOf(entry, line, judged);
    const isNewlyRefused = isRefused && !entry.wasRefused;
    const isNewlyAllowed = !isRefused && entry.wasRefused;
    this.requests++;
    row.requests++;
    if (isRefused) this.refused++;
    if (isObserved) this.observed++;
    if (isNewlyRefused) this.newlyRefused++;
    if (isNewlyAllowed) this.newlyAllowed++;
    if (isNewlyRefused) row.newlyRefused++;
    if (isNewlyAllowed) row.newlyAllowed++;
  }

  /** Most requests first. */
  sorted(): TallyRow[] {
    return [...this.rows.values()].sort((a, b) => b.requests - a.requests || a.first.line - b.first.line);
  }

  private rowOf(entry: LogEntry, line: number, judged: Verdict): TallyRow {
    const { consumer, api, operation, reason, quota } = judged;
    const key = `${consumer} ${api} ${operation} ${reason} ${quota} ${judged.isObserved}`;
    const known = this.rows.get(key);
    if (known !== undefined) return known;
    const isFull = this.rows.size >= MOST_ROWS;
    const where = isFull ? `${REST} ${reason}` : key;
    const other = this.rows.get(where);
    if (other !== undefined) return other;
    const question = entry.path.indexOf('?');
    const path = question < 0 ? entry.path : entry.path.slice(0, question);
    const row: TallyRow = {
      ...(isFull ? { ...judged, consumer: REST, api: null, operation: null, quota: null } : judged),
      requests: 0,
      newlyRefused: 0,
      newlyAllowed: 0,
      first: {
        line,
        at: new Date(entry.timeMs).toISOString(),
        method: shortened(entry.method),
        host: entry.host === null ? null : shortened(entry.host),
        path: shortened(path),
      },
    };
    this.rows.set(where, row);
    return row;
  }
}

/** A readable length of it, in a string of its own: a part of another string keeps the whole of it in memory. */
export function shortened(text: string): string {
  const part = Buffer.from(text.slice(0, MAX_SHOWN)).toString();
  return text.length > MAX_SHOWN ? `${part}…` : part;
}
