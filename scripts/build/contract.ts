import { readFileSync } from 'node:fs';
import * as metrics from '../contract/metrics.ts';
import * as table from '../contract/table.ts';
import { inPackage } from '../file/packageRoot.ts';

/** Bounds that the module counts with in 64 bits. */
const WIDE: ReadonlySet<string> = new Set([
  'MAX_EXACT',
  'MAX_BURST',
  'MAX_BUCKET_RATE_PER_SECOND',
  'MAX_REFILL_DAYS',
  'MAX_TIMEOUT_MILLISECONDS',
]);
const NOTE =
  '/* Generated from scripts/contract/table.ts; do not edit. `UPDATE_GOLDEN=1 npm test scripts` writes it. */';
const MAX_LINE = 120;

const FIELDS = Object.values(table.OBJECTS).flatMap((fields) => Object.entries<table.Field>(fields));
const FIELD_WORDS: ReadonlySet<string> = new Set([
  ...FIELDS.map(([name]) => name),
  ...FIELDS.flatMap(([, { kind }]) =>
    kind.type === 'word' && kind.words.length === 2 && kind.words !== table.SCHEMES ? kind.words : [],
  ),
]);

/** What the guest's folder has of the table, by path: sources in AssemblyScript. */
export function guestSources(): Readonly<Record<string, string>> {
  return {
    'filter/config/contract.ts': contractSource(),
    'filter/config/field.ts': fieldSource(),
    'assembly/metricName.ts': metricSource(),
  };
}

/** Bounds and words. */
function contractSource(): string {
  const bounds = Object.entries<unknown>(table).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  );
  return `${NOTE}
import { View, literal } from "../bytes/view";
import * as Field from "./field";

export const SHOWN_DIGEST_DIGITS = ${metrics.SHOWN_DIGEST_DIGITS};
${bounds.map(([name, value]) => `export const ${name}${WIDE.has(name) ? ': i64' : ''} = ${value};`).join('\n')}

export const OWN_PREFIX = literal("${table.OWN_PREFIX}");
export const DEFAULT_ROUTE = literal("${table.DEFAULT_ROUTE}");
export const CONSUMER_CLAIM = literal("${table.CONSUMER_CLAIM}");
${listOf('WINDOWS', table.WINDOWS)}
export const UNIT_LETTERS = literal("${Object.keys(table.WINDOW_UNITS).join('')}");
export const UNIT_SECONDS: StaticArray<i32> = [${Object.values(table.WINDOW_UNITS).join(', ')}];
${listOf('FAILURE_MODES', table.FAILURE_MODES)}
${listOf('PERS', table.PERS)}
${listOf('CONCURRENCY_PERS', table.CONCURRENCY_PERS)}
${listOf('LOG_FIELDS', table.LOG_FIELDS)}
${listOf('CREDENTIALS', table.CREDENTIALS)}
${listOf('PATH_DATA', table.PATH_DATA)}
${listOf(
  'LOG_STATES',
  table.LOG_FIELDS.map((name) => `tollgate.${name}`),
)}
${listOf('IDENTITY_HEADERS', Object.values(table.IDENTITY_HEADERS))}
${listOf('RATE_LIMIT_HEADERS', table.RATE_LIMIT_HEADERS)}
${listOf('EXPOSED_HEADERS', table.EXPOSED_HEADERS)}
${listOf('X_RATELIMIT_HEADERS', table.X_RATELIMIT_HEADERS)}
${listOf('FRAMING_HEADERS', table.FRAMING_HEADERS)}
`;
}

function listOf(name: string, words: readonly string[]): string {
  // a string that has one constant is in the module once
  const items = words.map((word) => (FIELD_WORDS.has(word) ? `Field.${constantOf(word)}` : `literal("${word}")`));
  const line = `export const ${name}: StaticArray<View> = [${items.join(', ')}];`;
  if (line.length <= MAX_LINE) return line;
  return `export const ${name}: StaticArray<View> = [\n${items.map((item) => `  ${item},\n`).join('')}];`;
}

/** Names of all fields, and the words of those that are a choice of two. */
function fieldSource(): string {
  return `${NOTE}
import { literal } from "../bytes/view";

${[...FIELD_WORDS].map((name) => `export const ${constantOf(name)} = literal("${name}");`).join('\n')}
`;
}

/** Names of series and labels, what stands between them, and the version that `tollgate_info` tells. */
function metricSource(): string {
  const { version } = JSON.parse(readFileSync(inPackage('package.json'), 'utf8')) as { version: string };
  const names = Object.keys(metrics.METRICS).map((name) => [name.replace(/^tollgate_/, '').toUpperCase(), name]);
  const labels = metrics.LABELS.map((label) => [label.toUpperCase(), label]);
  const strings = [
    ...[...names, ...labels],
    ['LABEL_EQUALS', metrics.LABEL_EQUALS],
    ['LABEL_END', metrics.LABEL_END],
    ['MODULE_VERSION', version],
  ];
  return `${NOTE.replace('table.ts', 'metrics.ts')}
import { literal } from "../filter/index";

${strings.map(([name, value]) => `export const ${name} = literal("${value}");`).join('\n')}
export const MAX_SERIES = ${metrics.MAX_SERIES};
`;
}

/** Fields whose constants have another name: in the module, ABSENT is the missing value. */
const CALLED: Readonly<Record<string, string>> = { absent: 'ABSENT_HEADER', timeoutMilliseconds: 'TIMEOUT' };

/** forwardKey → FORWARD_KEY */
function constantOf(name: string): string {
  return CALLED[name] ?? name.replace(/[A-Z]/g, '_$&').toUpperCase();
}
