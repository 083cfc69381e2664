import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { inputName } from '../../file/openPolicy.ts';
import { schemaUrl, packageJson } from '../../file/packageJson.ts';
import { decode, readBounded, Unreadable } from '../../file/read.ts';
import { nameMadeOf } from '../../kong/entity.ts';
import { type DescribedKong, describeKong, type KongDescription } from '../../kong/describeKong.ts';
import { KIND } from '../../kong/document.ts';
import { kongPolicy } from '../../kong/kongPolicy.ts';
import type { Loss, Losses } from '../../openapi/loss.ts';
import { valueOf } from '../../openapi/text.ts';
import { NAME, NAME_RULE, printProblems, readPolicy } from '../../policy/index.ts';
import { importParts, type PartsImport } from '../../policyFile/importParts.ts';
import { SECTIONS } from '../../policyFile/partsRecord.ts';
import { type Io, Refusal, UsageError } from '../command.ts';
import { must } from '../keys/argument.ts';
import { megabytes, StepLine } from '../keys/stepLine.ts';

const MAX_BYTES = 64 * 1024 * 1024;
/** Of losses that are the same, so many are named. */
const MAX_ALIKE = 3;
const MAX_LINES = 100;
const MAX_NAMED = 20;

export async function runKong(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      into: { type: 'string' },
      name: { type: 'string' },
      strict: { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError(`takes one FILE; found ${positionals.length}`);
  const { into, name, strict, json } = values;
  const isTrial = values['dry-run'];
  must(into !== '-', '--into names a file, which is changed in its place; - is standard input');
  must(name === undefined || NAME.test(name), `--name ${NAME_RULE}`);
  must(name === undefined || into === undefined, '--name is the name of a new policy; --into has one already');
  must(into !== undefined || !isTrial, '--dry-run goes with --into; without it nothing is written anyway');
  const progress = new StepLine(io);
  try {
    const open = await openKong(file, progress, io);
    const { losses } = open;
    if (strict && losses.all.length > 0)
      throw new Refusal(
        [...lossLines(open), `${inputName(file)}: nothing was written, because of --strict`].join('\n'),
      );
    const source = basename(file).replace(/[\p{C}\p{Z}]+/gu, ' ');
    if (into === undefined)
      return await printFirst(open, { name: name ?? policyName(file), source, json }, progress, io);
    const { described } = open;
    const { keySources, upstreams, plans, apis, consumers } = described;
    const imported = { source, parts: { upstreams, plans, apis, consumers }, keySources };
    const result = await importParts(into, imported, isTrial, progress.guidance(into));
    progress.end();
    if (json) io.out(asJson(result, isTrial, open));
    else for (const line of [...lossLines(open), ...report(into, result, isTrial)]) io.err(`${line}\n`);
    return 0;
  } finally {
    progress.end();
  }
}

async function openKong(file: string, progress: StepLine, io: Io): Promise<KongDescription> {
  const name = inputName(file);
  progress.say(`${name}: reads it`);
  const bytes = await bytesOf(file, name, io);
  const decoded = decode(bytes);
  if ('rule' in decoded) throw new Refusal(`${name}${decoded.line > 0 ? `:${decoded.line}` : ''}: ${decoded.rule}`);
  progress.say(`${name}: reads it (${megabytes(bytes.length)})`, bytes.length);
  const value = valueOf(decoded.text, name, KIND);
  return describeKong(value, name, (step) => progress.say(`${name}: ${step}`));
}

async function bytesOf(file: string, name: string, io: Io): Promise<Uint8Array> {
  try {
    return file === '-' ? await io.stdin(MAX_BYTES) : await readBounded(file, MAX_BYTES);
  } catch (error) {
    if (error instanceof Unreadable) throw new Refusal(`${name}: ${error.message}`);
    throw error;
  }
}

/** `shop` for shop.kong.yaml, `kong` for kong.yaml. */
function policyName(file: string): string {
  const bare = basename(file).replace(/\.(?:ya?ml|json)$/i, '');
  return nameMadeOf(bare.replace(/\.kong$/i, '')) ?? 'kong';
}

/** Prints a policy for the document, after checking it. */
async function printFirst(
  open: KongDescription,
  { name, source, json }: { readonly name: string; readonly source: string; readonly json: boolean },
  progress: StepLine,
  io: Io,
): Promise<number> {
  const text = kongPolicy(name, schemaUrl(await packageJson()), source, open.described);
  progress.say(`${open.described.file}: checks the policy (${megabytes(text.length)})`, text.length);
  const result = readPolicy(text, 'the policy');
  progress.end();
  if (result.policy === null)
    throw new Refusal(
      [...lossLines(open), `${printProblems(result)}\n(as the policy would be; nothing was written)`].join('\n'),
    );
  if (json) io.out(`${JSON.stringify({ ok: true, policy: text, ...lostOf(open) }, null, 2)}\n`);
  else {
    for (const line of [...lossLines(open), summary(open.described)]) io.err(`${line}\n`);
    io.out(text);
  }
  return 0;
}

function summary({ file, version, apis, plans, consumers, keyCount }: DescribedKong): string {
  const counts = [
    plural(Object.keys(apis).length, 'API'),
    plural(Object.keys(plans).length, 'plan'),
    plural(Object.keys(consumers).length, 'consumer'),
    plural(keyCount, 'key'),
  ];
  return `${file}: Kong's format ${version}: ${counts.join(', ')}`;
}

/** What a policy cannot say, and what is only different, a line each; of those that are alike the first few. */
function lossLines({ losses, notes, described: { file } }: KongDescription): string[] {
  const lines = [...linesOf(losses, ''), ...linesOf(notes, 'note: ')];
  const more = losses.more + notes.more;
  const shown = lines.slice(0, MAX_LINES);
  const left = lines.length - shown.length + more;
  return left > 0 ? [...shown, `${file}: and ${left} more; --json lists them`] : shown;
}

function linesOf(losses: Losses, mark: string): string[] {
  const alike = new Map<string, Loss[]>();
  for (const loss of losses.all) {
    const list = alike.get(loss.rule);
    if (list === undefined) alike.set(loss.rule, [loss]);
    else list.push(loss);
  }
  return [...alike].flatMap(([rule, all]) => [
    ...all.slice(0, MAX_ALIKE).map(({ file, pointer }) => `${file}: ${pointer}: ${mark}${rule}`),
    ...(all.length > MAX_ALIKE ? [`${all[0]!.file}: ${mark}and ${all.length - MAX_ALIKE} more of these`] : []),
  ]);
}

function report(file: string, { sections, notes, isChanged }: PartsImport, isTrial: boolean): string[] {
  const lines: string[] = [];
  for (const section of SECTIONS) {
    const { added, changed, removed, kept } = sections[section];
    for (const [what, names] of Object.entries({ added, changed, removed })) {
      for (const name of names.slice(0, MAX_NAMED)) lines.push(`${file}: ${section}: ${name}: ${what}`);
      if (names.length > MAX_NAMED) lines.push(`${file}: ${section}: and ${names.length - MAX_NAMED} more ${what}`);
    }
    for (const { name, rule } of kept.slice(0, MAX_NAMED)) lines.push(`${file}: ${section}: ${name}: ${rule}`);
    if (kept.length > MAX_NAMED)
      lines.push(`${file}: ${section}: and ${kept.length - MAX_NAMED} more that stay as they are`);
  }
  for (const note of notes) lines.push(`${file}: ${note}`);
  if (!isChanged) return [...lines, `${file}: nothing changed`];
  const sums = (['added', 'changed', 'removed'] as const).map(
    (what) => `${SECTIONS.reduce((sum, section) => sum + sections[section][what].length, 0)} ${what}`,
  );
  return [...lines, `${file}: ${sums.join(', ')}${isTrial ? '; nothing was written' : ''}`];
}

function plural(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function asJson({ sections, notes, isChanged }: PartsImport, dryRun: boolean, open: KongDescription): string {
  return `${JSON.stringify({ ok: true, dryRun, isChanged, ...sections, notes, ...lostOf(open) }, null, 2)}\n`;
}

function lostOf({ losses, notes }: KongDescription): object {
  return { losses: losses.all, moreLosses: losses.more, details: notes.all, moreDetails: notes.more };
}
