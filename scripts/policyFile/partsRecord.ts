import { createHash } from 'node:crypto';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import type { Fields } from './record.ts';

/** Parts of a policy that an import of a whole configuration makes, in the order in which they are written. */
export const SECTIONS = ['upstreams', 'plans', 'apis', 'consumers'] as const;
export type Section = (typeof SECTIONS)[number];

export type Named = Readonly<Record<string, Fields>>;
export type Parts = Readonly<Record<Section, Named>>;

/** What an import read, as marks of each field: they tell whether something is as it was imported, without repeating it. */
export interface PartsRecord {
  /** The document's file, without its folder. */
  readonly source: string;
  readonly keySources: readonly unknown[];
  readonly marks: Readonly<Record<Section, Readonly<Record<string, Marks>>>>;
}

/** A mark by field; of `keys` one for each. */
export type Marks = Readonly<Record<string, string | readonly string[]>>;

/** The comments that hold a record. */
export interface PartsComment {
  readonly offset: number;
  readonly length: number;
  /** Null: somebody changed it. */
  readonly record: PartsRecord | null;
}

const MAX_RECORD_BYTES = 32 * 1024 * 1024;
const COLUMNS = 116;
const MARK_DIGITS = 8;
const COMMENT = /^# What "tollgate import kong" last read[^\r\n]*(?:\r?\n#= [^\r\n]*)*/gm;

/** Eight characters that stand for a value, in whatever order its fields are. */
export function markOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('base64url')
    .slice(0, MARK_DIGITS);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, field]) => [name, sorted(field)]),
  );
}

/** A key as a record knows it: by the beginning of its digest, which the policy holds in full. */
export function keyMark(key: unknown): string {
  const digest = typeof key === 'object' && key !== null ? (key as Record<string, unknown>)['digest'] : undefined;
  return String(digest).replace('sha256:', '').slice(0, MARK_DIGITS);
}

export function marksOf(fields: Fields): Marks {
  return Object.fromEntries(
    Object.entries(fields).map(([field, value]) => [
      field,
      field === 'keys' && Array.isArray(value) ? value.map(keyMark) : markOf(value),
    ]),
  );
}

export function recordOf(source: string, keySources: readonly unknown[], parts: Parts): PartsRecord {
  const marks = Object.fromEntries(
    SECTIONS.map((section) => [
      section,
      Object.fromEntries(Object.entries(parts[section]).map(([name, fields]) => [name, marksOf(fields)])),
    ]),
  ) as PartsRecord['marks'];
  return { source, keySources, marks };
}

/** The comment of a record, with its line breaks as `\n` and none at the end. */
export function partsComment(record: PartsRecord): string {
  const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };
  const data = brotliCompressSync(JSON.stringify(record), options).toString('base64url');
  const lines = data.match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? [];
  return [
    '# What "tollgate import kong" last read; it tells by this what changed there. Leave it as it is.',
    ...lines.map((line) => `#= ${line}`),
  ].join('\n');
}

/** All records of a policy file. */
export function partsComments(text: string): PartsComment[] {
  return [...text.matchAll(COMMENT)].map((match) => ({
    offset: match.index,
    length: match[0].length,
    record: decoded(match[0]),
  }));
}

function decoded(comment: string): PartsRecord | null {
  const data = [...comment.matchAll(/^#= ([A-Za-z0-9_-]+)\r?$/gm)].map(([, line]) => line).join('');
  try {
    const bytes = brotliDecompressSync(Buffer.from(data, 'base64url'), { maxOutputLength: MAX_RECORD_BYTES });
    const record: unknown = JSON.parse(bytes.toString('utf8'));
    return isRecord(record) ? record : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is PartsRecord {
  if (!isMapping(value) || typeof value['source'] !== 'string' || !Array.isArray(value['keySources'])) return false;
  const { marks } = value;
  return (
    isMapping(marks) &&
    SECTIONS.every((section) => isMapping(marks[section]) && Object.values(marks[section]).every(isMapping))
  );
}

function isMapping(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
