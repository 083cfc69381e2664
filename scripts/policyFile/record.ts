import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';

/** What an import read, kept in comments at the end of the policy: the next one tells by it what changed in the document and what by hand. */
export interface ImportRecord {
  /** The document's file, without its folder. */
  readonly source: string;
  readonly api: string;
  /** Fields of the API and fields of each operation, by operation, as they were written. */
  readonly fields: Fields;
  readonly operations: Readonly<Record<string, Fields>>;
  readonly keySources: readonly unknown[];
}

export type Fields = Readonly<Record<string, unknown>>;

/** The comments that hold a record. */
export interface RecordComment {
  readonly offset: number;
  readonly length: number;
  readonly api: string;
  /** Null: somebody changed it. */
  readonly record: ImportRecord | null;
}

const MAX_RECORD_BYTES = 32 * 1024 * 1024;
const COLUMNS = 116;
const COMMENT = /^# What "tollgate import openapi" last read for the API ([a-z0-9-]+)[^\r\n]*(?:\r?\n#= [^\r\n]*)*/gm;

/** The comment of a record, with its line breaks as `\n` and none at the end. */
export function recordComment(record: ImportRecord): string {
  const data = brotliCompressSync(JSON.stringify(record)).toString('base64url');
  const lines = data.match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? [];
  return [
    `# What "tollgate import openapi" last read for the API ${record.api}; it tells by this what changed there. Leave it as it is.`,
    ...lines.map((line) => `#= ${line}`),
  ].join('\n');
}

/** All records of a policy file. */
export function recordsIn(text: string): RecordComment[] {
  return [...text.matchAll(COMMENT)].map((match) => ({
    offset: match.index,
    length: match[0].length,
    api: match[1]!,
    record: decoded(match[0], match[1]!),
  }));
}

function decoded(comment: string, api: string): ImportRecord | null {
  const data = [...comment.matchAll(/^#= ([A-Za-z0-9_-]+)\r?$/gm)].map(([, line]) => line).join('');
  try {
    const bytes = brotliDecompressSync(Buffer.from(data, 'base64url'), { maxOutputLength: MAX_RECORD_BYTES });
    const record = JSON.parse(bytes.toString('utf8')) as ImportRecord;
    return isRecord(record) && record.api === api ? record : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is ImportRecord {
  if (!isMapping(value)) return false;
  const { source, api, fields, operations, keySources } = value;
  return (
    typeof source === 'string' &&
    typeof api === 'string' &&
    isMapping(fields) &&
    isMapping(operations) &&
    Object.values(operations).every(isMapping) &&
    Array.isArray(keySources)
  );
}

function isMapping(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
