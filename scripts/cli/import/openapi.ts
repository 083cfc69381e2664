import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { NAME, NAME_RULE } from '../../policy/index.ts';
import type { Described } from '../../openapi/describeApi.ts';
import { namedPlans, type Fitted } from '../../openapi/fit.ts';
import { type ApiImport, importApi, type ImportedApi } from '../../policyFile/importApi.ts';
import { type Io, UsageError } from '../command.ts';
import { must, needed } from '../keys/argument.ts';
import { StepLine } from '../keys/stepLine.ts';
import { DOCUMENT_OPTIONS, lossLines, lossesOf, openDocument, refuseLosses } from './document.ts';

export async function runOpenapi(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...DOCUMENT_OPTIONS,
      into: { type: 'string' },
      api: { type: 'string' },
      file: { type: 'string' },
      plan: { type: 'string', multiple: true },
      'dry-run': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError(`takes one FILE; found ${positionals.length}`);
  const policy = needed('--into POLICY', values.into);
  must(policy !== '-', '--into names a file, which is changed in its place; - is standard input');
  must(values.api === undefined || NAME.test(values.api), `--api ${NAME_RULE}`);
  for (const plan of values.plan ?? []) must(NAME.test(plan), `--plan ${NAME_RULE}`);
  const document = await openDocument(file, values, (described) => values.plan ?? described.plans ?? [], io);
  refuseLosses(document, values.strict);
  const progress = new StepLine(io);
  const wanted = { api: values.api, plans: values.plan ?? null, file: values.file };
  const imported = importedApi(file, document.described, document.api, wanted);
  const result = await importApi(policy, imported, values['dry-run'], progress.guidance(policy)).finally(() =>
    progress.end(),
  );
  if (values.json) io.out(asJson(result, values['dry-run'], lossesOf(document)));
  else for (const line of [...lossLines(document), ...report(result, values['dry-run'])]) io.err(`${line}\n`);
  return 0;
}

/** What of a document goes into a policy. */
export function importedApi(
  file: string,
  described: Described,
  { api, quotas }: Fitted,
  wanted: {
    readonly api: string | undefined;
    readonly plans: readonly string[] | null;
    readonly file?: string | undefined;
  },
): ImportedApi {
  const { hosts, paths, anonymous, operations } = api;
  return {
    source: basename(file).replace(/[\p{C}\p{Z}]+/gu, ' '),
    name: wanted.api,
    usualName: described.name,
    fields: { ...(hosts && { hosts }), paths, ...(anonymous && { anonymous }) },
    operations: operations as ImportedApi['operations'],
    keySources: described.keySources,
    plans: described.plans,
    namedPlans: namedPlans(api),
    quotas,
    wantedPlans: wanted.plans,
    file: wanted.file,
  };
}

const MAX_NAMED = 20;

function report(
  { file, api, isNew, added, changed, removed, kept, notes, isChanged }: ApiImport,
  isTrial: boolean,
): string[] {
  const lines: string[] = [];
  for (const [what, keys] of Object.entries({ ...(!isNew && { added }), changed, removed })) {
    for (const key of keys.slice(0, MAX_NAMED)) lines.push(`${file}: ${api}: ${key}: ${what}`);
    if (keys.length > MAX_NAMED) lines.push(`${file}: ${api}: and ${keys.length - MAX_NAMED} more ${what}`);
  }
  for (const { key, rule } of kept.slice(0, 5 * MAX_NAMED))
    lines.push(`${file}: ${key === api ? api : `${api}: ${key}`}: ${rule}`);
  if (kept.length > 5 * MAX_NAMED) lines.push(`${file}: and ${kept.length - 5 * MAX_NAMED} more that stay as they are`);
  for (const note of notes) lines.push(`${file}: ${api}: ${note}`);
  if (!isChanged) return [...lines, `${file}: ${api}: nothing changed`];
  const counts = [`${added.length} added`, `${changed.length} changed`, `${removed.length} removed`].join(', ');
  const what = isNew ? `new, with ${plural(added.length, 'operation')}` : `operations: ${counts}`;
  return [...lines, `${file}: ${api}: ${what}${isTrial ? '; nothing was written' : ''}`];
}

function plural(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function asJson(
  { api, isNew, isChanged, added, changed, removed, kept, notes }: ApiImport,
  dryRun: boolean,
  lost: object,
): string {
  const result = { ok: true, dryRun, api, isNew, isChanged, added, changed, removed, kept, notes, ...lost };
  return `${JSON.stringify(result, null, 2)}\n`;
}
