import { parseArgs } from 'node:util';
import { decode, readBounded, Unreadable } from '../../file/read.ts';
import { inputName } from '../../file/openPolicy.ts';
import {
  MAX_OBJECT_BYTES,
  compilePolicy,
  epochSeconds,
  MAX_POLICY_BYTES,
  NAME,
  NAME_RULE,
  PolicyProblems,
} from '../../policy/index.ts';
import { visibleName } from '../../policy/secret.ts';
import { RowProblems } from '../../policyFile/error.ts';
import { type Imported, importKeys } from '../../policyFile/importKeys.ts';
import { type Row, RowFindings, readRows } from '../../policyFile/rows.ts';
import { type Io, Refusal } from '../command.ts';
import { megabytes, StepLine } from './stepLine.ts';
import { changeableFile, must } from './argument.ts';
import { MISTYPED } from './digest.ts';

/** Rows are about as long as the YAML that is written for them, and a policy is bounded. */
const MAX_INPUT_BYTES = 2 * MAX_POLICY_BYTES;
/** More warnings than this are only counted. */
const MAX_NAMED = 10;

export async function runImport(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      from: { type: 'string' },
      plan: { type: 'string' },
      file: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const { from = '-', plan, json } = values;
  const file = changeableFile(positionals);
  must(epochSeconds(from) === null, '--from is the file with the rows; times of keys stand in its columns');
  must(plan === undefined || NAME.test(plan), `--plan ${NAME_RULE}`);
  const isTrial = values['dry-run'];
  const source = inputName(from);
  const progress = new StepLine(io);
  try {
    const rows = await rowsOf(from, io, progress);
    const request = { source, rows, plan, file: values.file, isTrial };
    const imported = await importKeys(file, request, progress.guidance(file));
    const warnings = warningsOf(file, source, imported);
    progress.end();
    if (json) io.out(asJson({ isTrial, rows: rows.length, imported, warnings }));
    else {
      for (const warning of warnings) io.err(`${warning}\n`);
      io.err(`${visibleName(file)}: ${summary(imported, isTrial)}\n`);
    }
    return 0;
  } catch (error) {
    progress.end();
    if (!json || !(error instanceof RowProblems || error instanceof PolicyProblems)) throw error;
    io.out(
      `${JSON.stringify({ ok: false, dryRun: isTrial, problems: error.problems, moreProblems: error.more }, null, 2)}\n`,
    );
    return 1;
  }
}

async function rowsOf(from: string, io: Io, progress: StepLine): Promise<Row[]> {
  if (from === '-' && process.stdin.isTTY) io.err('reading rows from the terminal, where keys show. Ctrl-D ends it\n');
  const source = inputName(from);
  const bytes = await bytesOf(from, io);
  progress.say(`${source}: reads rows (${megabytes(bytes.length)})`, bytes.length);
  const decoded = decode(bytes);
  if ('rule' in decoded) throw new Refusal(`${source}${decoded.line > 0 ? `:${decoded.line}` : ''}: ${decoded.rule}`);
  const findings = new RowFindings(source);
  const rows = readRows(decoded.text, findings, (count) => progress.say(`${source}: ${grouped(count)} rows`));
  findings.throwIfAny();
  return rows;
}

async function bytesOf(from: string, io: Io): Promise<Uint8Array> {
  if (from === '-') return io.stdin(MAX_INPUT_BYTES);
  try {
    return await readBounded(from, MAX_INPUT_BYTES);
  } catch (error) {
    if (error instanceof Unreadable) throw new Refusal(`${from}: ${error.message}`);
    throw error;
  }
}

/** What is valid but probably not intended. */
function warningsOf(file: string, source: string, { mistyped, expired, policy, added }: Imported): string[] {
  const bytes = added === 0 ? 0 : Buffer.byteLength(JSON.stringify(compilePolicy(policy)));
  return [
    ...mistyped.slice(0, MAX_NAMED).map((line) => `${source}:${line}: warning: ${MISTYPED}`),
    ...(mistyped.length > MAX_NAMED
      ? [`${source}: and ${grouped(mistyped.length - MAX_NAMED)} more such warnings`]
      : []),
    ...(expired > 0
      ? [`${source}: warning: ${plural(expired, 'key')} ${expired === 1 ? 'has' : 'have'} already expired`]
      : []),
    ...(bytes > MAX_OBJECT_BYTES
      ? [
          `${file}: warning: compiles to ${grouped(bytes)} bytes, but a WasmPlugin holds at most ${grouped(MAX_OBJECT_BYTES)}, so "tollgate emit" will refuse the policy; only an Envoy that you configure yourself can serve it`,
        ]
      : []),
  ];
}

function summary({ added, consumers, created, unchanged }: Imported, isTrial: boolean): string {
  const known =
    unchanged === 0 ? '' : `; ${plural(unchanged, 'row')} ${unchanged === 1 ? 'was' : 'were'} already in the policy`;
  const keys = added === 0 ? 'no keys' : plural(added, 'key');
  const whose =
    added === 0 ? '' : ` to ${plural(consumers, 'consumer')}${created === 0 ? '' : ` (${grouped(created)} new)`}`;
  return isTrial ? `would add ${keys}${whose}${known}; nothing was written` : `${keys} added${whose}${known}`;
}

interface Outcome {
  readonly isTrial: boolean;
  readonly rows: number;
  readonly imported: Imported;
  readonly warnings: readonly string[];
}

function asJson({ isTrial, rows, imported, warnings }: Outcome): string {
  const { added, unchanged, consumers, created, expired } = imported;
  const result = {
    ok: true,
    dryRun: isTrial,
    rows,
    added,
    unchanged,
    consumers,
    created,
    expired,
    warnings,
    problems: [],
  };
  return `${JSON.stringify({ ...result, moreProblems: 0 }, null, 2)}\n`;
}

function grouped(number: number): string {
  return String(number).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

function plural(number: number, noun: string): string {
  return `${grouped(number)} ${noun}${number === 1 ? '' : 's'}`;
}
