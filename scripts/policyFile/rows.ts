import { CsvError, parse } from 'csv-parse/sync';
import type { Problem } from '../policy/index.ts';
import { isSafeName } from '../policy/secret.ts';
import { RowProblems } from './error.ts';

/** The columns that rows may have. */
export const COLUMNS = ['consumer', 'key', 'digest', 'id', 'plan', 'from', 'until', 'apis', 'scopes'] as const;
export type Column = (typeof COLUMNS)[number];
/** Columns of several words, with spaces between them; in JSON they may be lists. */
const LISTS: ReadonlySet<Column> = new Set(['apis', 'scopes']);

/** One key to import, not validated yet. Empty columns are absent. */
export interface Row {
  readonly line: number;
  readonly cells: Readonly<Partial<Record<Column, string>>>;
}

/** More than any valid row has: a key has at most 4096 characters, everything else far fewer. */
export const MAX_ROW_CHARACTERS = 16_384;
/** More than fit into the largest policy. */
const MAX_ROWS = 1_000_000;
const MAX_LISTED = 100;

/** Collects problems of rows: keeps the first ones and counts the others. */
export class RowFindings {
  readonly #problems: Problem[] = [];
  #more = 0;

  constructor(private readonly file: string) {}

  add(line: number, column: Column | null, rule: string, found?: string): void {
    if (this.#problems.length === MAX_LISTED) this.#more++;
    else
      this.#problems.push({
        file: this.file,
        line,
        column: 0,
        path: column ?? '',
        rule,
        ...(found !== undefined && { found }),
      });
  }

  get count(): number {
    return this.#problems.length + this.#more;
  }

  throwIfAny(): void {
    if (this.count === 0) return;
    const problems = [...this.#problems].sort((a, b) => a.line - b.line);
    throw new RowProblems({ problems, more: this.#more, isCounted: true });
  }
}

/** Called now and then with the number of rows read so far. */
export type OnRows = (rows: number) => void;

const ROWS_A_REPORT = 10_000;

/** Reads CSV with a header, or one JSON object per line; the first character tells which. */
export function readRows(text: string, findings: RowFindings, onRows: OnRows = () => undefined): Row[] {
  const plain = text.replace(/^\ufeff/, '');
  const first = /\S/.exec(plain)?.[0];
  if (first === '{') return rowsOfJson(plain, findings, onRows);
  if (first === '[')
    findings.add(1, null, 'must be CSV with a header, or one JSON object per line; "jq -c .[]" converts a list');
  else if (first === undefined) findings.add(1, null, 'must hold rows; the input is empty');
  else return rowsOfCsv(plain, findings, onRows);
  return [];
}

function rowsOfJson(text: string, findings: RowFindings, onRows: OnRows): Row[] {
  const rows: Row[] = [];
  let line = 0;
  for (const one of text.split('\n')) {
    line++;
    if (one.length > MAX_ROW_CHARACTERS) findings.add(line, null, LENGTH_RULE);
    else if (one.trim() !== '') {
      const cells = cellsOfJson(one, line, findings);
      if (cells !== null && !push(rows, { line, cells }, findings, onRows)) break;
    }
  }
  return rows;
}

const LENGTH_RULE = `must have at most ${MAX_ROW_CHARACTERS} characters`;

/** False when there are too many rows. */
function push(rows: Row[], row: Row, findings: RowFindings, onRows: OnRows): boolean {
  if (rows.length === MAX_ROWS) findings.add(row.line, null, `must be one of at most ${MAX_ROWS} rows`);
  else rows.push(row);
  if (rows.length % ROWS_A_REPORT === 0) onRows(rows.length);
  return rows.length < MAX_ROWS || rows.at(-1) === row;
}

/** Null for an invalid row, after reporting it. Messages of JSON.parse are not used, because they quote the input. */
function cellsOfJson(text: string, line: number, findings: RowFindings): Row['cells'] | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    findings.add(line, null, 'must be a JSON object');
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    findings.add(line, null, 'must be a JSON object');
    return null;
  }
  const cells: Partial<Record<Column, string>> = {};
  const before = findings.count;
  for (const [name, cell] of Object.entries(value) as [string, unknown][]) {
    const column = COLUMNS.find((known) => known === name);
    if (column === undefined) findings.add(line, null, `must have no other fields than ${COLUMNS.join(', ')}`);
    else if (LISTS.has(column) && isListOfWords(cell)) cells[column] = cell.join(' ');
    else if (typeof cell !== 'string' && cell !== null)
      findings.add(line, column, LISTS.has(column) ? 'must be a string, or a list of strings' : 'must be a string');
    else if (cell !== null && cell.trim() !== '') cells[column] = cell.trim();
  }
  return findings.count === before ? cells : null;
}

function isListOfWords(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string' && item !== '');
}

const DELIMITERS = [',', ';', '\t'];

/** Taken from the header, which holds known names only. Spreadsheets in much of Europe write semicolons. */
function delimiterOf(text: string): string {
  const header = /^.*\S.*$/m.exec(text.slice(0, MAX_ROW_CHARACTERS))?.[0] ?? '';
  const count = (delimiter: string): number => header.split(delimiter).length;
  return DELIMITERS.reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best));
}

const QUOTE_RULE = 'must not have a quote inside a value; put the whole value in quotes and double the quotes in it';
const CSV_RULES: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'must close the quote that it opens',
  INVALID_OPENING_QUOTE: QUOTE_RULE,
  CSV_INVALID_CLOSING_QUOTE: QUOTE_RULE,
  CSV_MAX_RECORD_SIZE: LENGTH_RULE,
};

function rowsOfCsv(text: string, findings: RowFindings, onRows: OnRows): Row[] {
  const rows: Row[] = [];
  let header: Header | null = null;
  let line = 0;
  try {
    parse(text, {
      delimiter: delimiterOf(text),
      record_delimiter: ['\r\n', '\n', '\r'],
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
      max_record_size: MAX_ROW_CHARACTERS,
      on_record: (values: string[], { lines }) => {
        line = lines;
        if (header === null) header = headerOf(values, line, findings);
        else if (!values.every((value) => value === '')) {
          const cells = cellsOfCsv(header, values, line, findings);
          if (cells !== null && !push(rows, { line, cells }, findings, onRows)) throw new Enough();
        }
        return null;
      },
    });
  } catch (error) {
    // The rest cannot be read reliably. The library's messages are not used, because they quote values.
    if (error instanceof CsvError) findings.add(line + 1, null, CSV_RULES[error.code] ?? 'must be valid CSV');
    else if (!(error instanceof Enough)) throw error;
  }
  if (line > 0 && rows.length === 0 && findings.count === 0)
    findings.add(line, null, 'must be followed by at least one row');
  return rows;
}

/** Ends the reading. */
class Enough extends Error {}

/** The columns in order; null for an unknown one. */
type Header = readonly (Column | null)[];

function headerOf(values: readonly string[], line: number, findings: RowFindings): Header {
  const header = values.map((value) => COLUMNS.find((column) => column === value.toLowerCase()) ?? null);
  if (header.every((column) => column === null)) {
    findings.add(
      line,
      null,
      `must be a header with column names: consumer, key or digest, and optionally ${COLUMNS.slice(3).join(', ')}`,
    );
    throw new Enough();
  }
  for (const [index, column] of header.entries()) {
    const name = values[index]!;
    if (column === null)
      findings.add(
        line,
        null,
        `column ${index + 1} of the header must be one of ${COLUMNS.join(', ')}`,
        isSafeName(name) ? JSON.stringify(name) : undefined,
      );
    else if (header.indexOf(column) < index) findings.add(line, column, 'must be named only once');
  }
  if (!header.includes('consumer')) findings.add(line, null, 'the header must name the column "consumer"');
  if (!header.includes('key') && !header.includes('digest'))
    findings.add(line, null, 'the header must name the column "key" or the column "digest"');
  if (findings.count > 0) throw new Enough();
  return header;
}

function cellsOfCsv(
  header: Header,
  values: readonly string[],
  line: number,
  findings: RowFindings,
): Row['cells'] | null {
  if (values.length !== header.length) {
    findings.add(
      line,
      null,
      `must have ${header.length} values, one per column; a value that contains the delimiter needs quotes`,
      String(values.length),
    );
    return null;
  }
  const cells: Partial<Record<Column, string>> = {};
  for (const [index, column] of header.entries()) {
    const value = values[index]!.trim();
    if (column !== null && value !== '') cells[column] = value;
  }
  return cells;
}
