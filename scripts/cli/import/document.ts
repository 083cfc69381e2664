import { inputName } from '../../file/openPolicy.ts';
import { type Described, describeApi } from '../../openapi/describeApi.ts';
import { fitted, type Fitted } from '../../openapi/fit.ts';
import type { Loss, Losses } from '../../openapi/loss.ts';
import type { Invalid } from '../../openapi/valid.ts';
import { type Io, Refusal } from '../command.ts';
import { StepLine } from '../keys/stepLine.ts';

/** Options that every command takes which reads an OpenAPI document. */
export const DOCUMENT_OPTIONS = {
  root: { type: 'string' },
  'allow-net': { type: 'boolean', default: false },
  strict: { type: 'boolean', default: false },
} as const;

export interface DocumentOptions {
  readonly root?: string | undefined;
  readonly 'allow-net': boolean;
  readonly strict: boolean;
}

/** A document that was read, ready to become part of a policy. */
export interface OpenDocument {
  readonly described: Described;
  readonly api: Fitted;
  readonly losses: Losses;
  readonly invalid: readonly Invalid[];
}

/** More of them are only counted. */
const MAX_PRINTED = 100;

/** Reads a document; `plansOf` says which plans offer the API. */
export async function openDocument(
  file: string,
  options: DocumentOptions,
  plansOf: (described: Described) => readonly string[],
  io: Io,
): Promise<OpenDocument> {
  const progress = new StepLine(io);
  const name = inputName(file);
  try {
    const reach = {
      root: options.root,
      net: options['allow-net'],
      stdin: io.stdin,
      signal: io.signal,
      onFile: (path: string) => progress.say(`${name}: reads ${path === file ? 'it' : path}`),
    };
    const { described, losses, invalid } = await describeApi(file, reach, (step) => progress.say(`${name}: ${step}`));
    progress.say(`${name}: checks operations`);
    return { described, api: fitted(described, plansOf(described), losses), losses, invalid };
  } finally {
    progress.end();
  }
}

/** What the document's own specification has against it, and what a policy cannot say, a line each. */
export function lossLines({ described: { file, version }, losses, invalid }: OpenDocument): string[] {
  const title = version === '2.0' ? 'Swagger 2.0' : `OpenAPI ${version}`;
  const lines = [
    ...invalid.map(({ pointer, rule }) => `${file}: ${pointer}: warning: ${rule}; the document is not valid ${title}`),
    ...losses.all.map((loss) => `${loss.file}: ${loss.pointer}: ${loss.rule}`),
  ];
  const more = lines.length - MAX_PRINTED + losses.more;
  return more > 0 ? [...lines.slice(0, MAX_PRINTED), `${file}: and ${more} more; --json lists them`] : lines;
}

/** With --strict nothing may be lost. */
export function refuseLosses(document: OpenDocument, isStrict: boolean): void {
  const { losses, invalid, described } = document;
  if (!isStrict || losses.all.length + invalid.length === 0) return;
  throw new Refusal([...lossLines(document), `${described.file}: nothing was written, because of --strict`].join('\n'));
}

/** Everything that was lost, for --json. */
export function lossesOf({ losses, invalid }: OpenDocument): {
  readonly losses: readonly Loss[];
  readonly moreLosses: number;
  readonly invalid: readonly Invalid[];
} {
  return { losses: losses.all, moreLosses: losses.more, invalid };
}
