import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { CORE_SCHEMA, load } from 'js-yaml';
import { inPackage, packageRoot } from '../../scripts/file/packageRoot.ts';

export interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly shell?: string;
}

export interface Job {
  readonly permissions?: unknown;
  readonly uses?: string;
  readonly 'timeout-minutes'?: number;
  readonly steps?: readonly Step[];
}

export interface Workflow {
  readonly permissions?: unknown;
  readonly jobs?: Readonly<Record<string, Job>>;
  /** Of an action instead of a workflow. */
  readonly runs?: { readonly steps: readonly Step[] };
}

function below(...folder: string[]): string[] {
  return readdirSync(inPackage(...folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => relative(packageRoot, join(inPackage(...folder), name)));
}

/** Our own, and the one that others are to copy. */
export const workflowFiles = [...below('.github', 'workflows'), ...below('examples', 'github')];
export const actionFiles = below('.github', 'actions');

export function text(file: string): string {
  return readFileSync(inPackage(file), 'utf8');
}

export function read(file: string): Workflow {
  return load(text(file), { schema: CORE_SCHEMA }) as Workflow;
}

export function stepsOf({ jobs = {}, runs }: Workflow): Step[] {
  return [...Object.values(jobs).flatMap(({ steps = [] }) => steps), ...(runs?.steps ?? [])];
}

/** The script of a step, by its name. */
export function scriptOf(file: string, name: string): string {
  const script = stepsOf(read(file)).find((step) => step.name === name)?.run;
  if (script === undefined) throw new Error(`${file}: no step "${name}"`);
  return script;
}
