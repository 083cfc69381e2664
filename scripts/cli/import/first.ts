import { firstPolicy } from '../../openapi/firstPolicy.ts';
import { readPolicy, printProblems } from '../../policy/index.ts';
import { type Io, Refusal } from '../command.ts';
import { type DocumentOptions, lossLines, openDocument, refuseLosses } from './document.ts';
import { importedApi } from './openapi.ts';

const USUAL_PLAN = 'free';

/** The first policy for a document, checked. What it cannot say goes to standard error. */
export async function policyOf(
  document: string,
  options: DocumentOptions,
  { file, name, schema }: { readonly file: string; readonly name: string | null; readonly schema: string },
  io: Io,
): Promise<string> {
  const open = await openDocument(document, options, ({ plans }) => plans ?? [USUAL_PLAN], io);
  refuseLosses(open, options.strict);
  const { described, api: fitted } = open;
  const imported = importedApi(document, described, fitted, { api: described.name, plans: null });
  const text = firstPolicy({
    name: name ?? described.name,
    schema,
    described,
    fitted,
    record: {
      source: imported.source,
      api: described.name,
      fields: { ...imported.fields, ...(imported.plans && { plans: imported.plans }) },
      operations: imported.operations,
      keySources: imported.keySources,
    },
  });
  const result = readPolicy(text, file === '-' ? 'the policy' : file);
  if (result.policy === null)
    throw new Refusal(`${printProblems(result)}\n(as the policy would be; nothing was written)`);
  for (const line of lossLines(open)) io.err(`${line}\n`);
  return text;
}
