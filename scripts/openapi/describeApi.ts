import { NAME } from '../policy/schema/value.ts';
import { Documents, type FileReach, type Spot } from './documents.ts';
import { OpenApiError } from './error.ts';
import { PLAN, plansAt, innermost, QUOTAS, quotasAt } from './extension.ts';
import { Losses, plainLine, quoted } from './loss.ts';
import { isOpen, type WrittenOperation, Operations, written } from './operation.ts';
import { type KeySource, NOTHING, Schemes } from './security.ts';
import { mountsOfHost, mountsOfServers } from './server.ts';
import { below, isPlainFields, type Reading, stringAt } from './spot.ts';
import { invalidIn, type Invalid, type Version } from './valid.ts';

/** What a document says, in the words of a policy. */
export interface Described {
  /** What messages call the document. */
  readonly file: string;
  readonly title: string;
  readonly version: Version;
  /** A name for the API. */
  readonly name: string;
  readonly hosts: readonly string[] | null;
  readonly paths: readonly string[];
  readonly anonymous: boolean;
  readonly keySources: readonly KeySource[];
  /** Plans that offer the API, where the document names them. */
  readonly plans: readonly string[] | null;
  /** Quotas of these plans, where they are new. */
  readonly quotas: Readonly<Record<string, unknown>> | null;
  readonly operations: ReadonlyMap<string, WrittenOperation>;
  /** Where each operation stands in the document. */
  readonly spots: ReadonlyMap<string, Spot>;
}

export interface Description {
  readonly described: Described;
  readonly losses: Losses;
  /** What the document's own specification has against it. */
  readonly invalid: readonly Invalid[];
}

/** Documents up to here are looked through for every fault, larger ones for the first. */
const SMALL_VALUES = 50_000;

/** Reads a document and the files that it refers to. Rejects with OpenApiError when it is no OpenAPI document or has nothing to import. */
export async function describeApi(
  file: string,
  reach: FileReach,
  onStep: (step: string) => void,
): Promise<Description> {
  const losses = new Losses();
  const documents = new Documents(reach, losses);
  const reading: Reading = { documents, losses };
  const root = await documents.open(file);
  const { name: source } = root.source;
  const version = versionOf(root);
  onStep('checks');
  const invalid = judged(root, version);
  onStep('reads operations');
  const isSwagger = version === '2.0';
  const mounts = isSwagger ? mountsOfHost(reading, root) : mountsOfServers(reading, root);
  const schemes = await Schemes.of(reading, root, isSwagger);
  const security = below(root, 'security');
  const usual = security.value === undefined ? NOTHING : schemes.requirementOf(security);
  const operations = new Operations(reading, root, schemes, usual);
  await operations.read();
  if (operations.found.size === 0)
    throw new OpenApiError(`${source}: has no operation that could be imported${first(losses)}`);
  // what is added by hand later needs a key, unless nothing does
  const anonymous = [...operations.found.values()].every(({ fields, requirement }) => isOpen(fields, requirement));
  const plan = innermost(PLAN, root);
  const quotas = innermost(QUOTAS, root);
  const title = plainLine(stringAt(reading, below(below(root, 'info'), 'title')) ?? '', 80);
  return {
    losses,
    invalid,
    described: {
      file: source,
      title,
      version,
      name: nameOf(title),
      ...mounts,
      anonymous,
      keySources: schemes.keySources(),
      plans: plan === null ? null : plansAt(reading, plan),
      quotas: quotas === null ? null : (quotasAt(reading, quotas) ?? null),
      operations: new Map([...operations.found].map(([key, found]) => [key, written(found, anonymous)])),
      spots: new Map([...operations.found].map(([key, { spot }]) => [key, spot])),
    },
  };
}

function versionOf({ value, source: { name } }: Spot): Version {
  if (!isPlainFields(value)) throw new OpenApiError(`${name}: must be an OpenAPI document; found ${quoted(value)}`);
  const given = value['openapi'] ?? value['swagger'];
  const version = /^(2\.0|3\.[0-9]+)(?:\.|$)/.exec(typeof given === 'number' ? given.toFixed(1) : String(given))?.[1];
  if (version === '2.0' || version === '3.0' || version === '3.1' || version === '3.2') return version;
  if (given === undefined)
    throw new OpenApiError(
      `${name}: must be an OpenAPI document, with a field "openapi" or "swagger" that says its version`,
    );
  throw new OpenApiError(`${name}: must be OpenAPI 3.0, 3.1, 3.2 or Swagger 2.0; found ${quoted(given)}`);
}

function judged({ value, source: { name } }: Spot, version: Version): readonly Invalid[] {
  try {
    return invalidIn(value, version, isSmall(value));
  } catch (error) {
    if (error instanceof RangeError) throw new OpenApiError(`${name}: is nested too deeply to be checked`);
    throw error;
  }
}

/** Counts no further than it must. */
function isSmall(root: unknown): boolean {
  const stack: unknown[] = [root];
  let values = 0;
  while (stack.length > 0) {
    const value = stack.pop();
    if (++values > SMALL_VALUES) return false;
    if (typeof value !== 'object' || value === null) continue;
    for (const member of Object.values(value)) stack.push(member);
  }
  return true;
}

/** The first loss often says why there is nothing. */
function first(losses: Losses): string {
  const [loss] = losses.all;
  return loss === undefined ? '' : `; ${loss.pointer}: ${loss.rule}`;
}

/** A name made of the title: `Swagger Petstore - OpenAPI 3.0` is `swagger-petstore`. */
function nameOf(title: string): string {
  const name = title
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\b(?:open ?api|rest api|api|v?\d+(?:\.\d+)+)\b/g, ' ')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-+$/, '');
  return NAME.test(name) ? name : 'api';
}
