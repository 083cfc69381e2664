import { readdirSync, readFileSync } from 'node:fs';
import { CORE_SCHEMA, load } from 'js-yaml';
import { z } from 'zod';
import { caseSchema, type CaseText, type Expectation } from './case.ts';
import { isMapping, keysOf, mergePatch, policyText, type Mapping } from './policyText.ts';
import { wireRequest, wireTexts, type WireRequest } from './wire.ts';

export interface Step {
  readonly atMs: number | null;
  readonly jump: boolean;
  /** The policy file from here on, or null where it stays. */
  readonly policy: string | null;
  readonly times: number;
  readonly exchange: { readonly request: WireRequest; readonly expect: Expectation } | null;
  /** A request that is under way between two steps. */
  readonly lasting: Lasting | null;
}

export type Lasting =
  | { readonly opens: string; readonly request: WireRequest }
  | { readonly ends: string; readonly expect: Expectation }
  | { readonly resets: string };

export interface Case {
  readonly name: string;
  readonly file: string;
  readonly policy: string;
  /** null: whatever the runner's clock reads. */
  readonly startMs: number | null;
  readonly virtualTime: boolean;
  readonly wireRefused: boolean;
  readonly oneWorker: boolean;
  /** Secret strings of all its policies. */
  readonly keys: string[];
  readonly steps: Step[];
}

const FOLDER = new URL('./', import.meta.url);

/** Every case of the folder, in file order; names are unique over all files. */
export function loadCases(): Case[] {
  const files = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.yaml'))
    .sort();
  const cases = files.flatMap((file) => readCases(readFileSync(new URL(file, FOLDER), 'utf8'), file));
  const seen = new Map<string, string>();
  for (const { name, file } of cases) {
    if (seen.has(name)) throw new Error(`${file}: name "${name}" is taken by a case of ${seen.get(name)}`);
    seen.set(name, file);
  }
  return cases;
}

export function readCases(text: string, file: string): Case[] {
  const parsed = z.array(caseSchema).safeParse(load(text, { schema: CORE_SCHEMA }));
  if (!parsed.success) throw new Error(`${file}: ${z.prettifyError(parsed.error)}`);
  return parsed.data.map((text) => resolveCase(text, file));
}

/** A policy of the folder `policies`, as the mapping a case may patch. */
export function namedPolicy(name: string): Mapping {
  const policy = load(readFileSync(new URL(`policies/${name}.yaml`, FOLDER), 'utf8'), { schema: CORE_SCHEMA });
  if (!isMapping(policy)) throw new Error(`policies/${name}.yaml: not a mapping`);
  return policy;
}

function resolveCase(text: CaseText, file: string): Case {
  let policy = patched(resolvePolicy(text.policy), text.patch);
  const first = policy;
  const keys = new Set(keysOf(policy));
  const steps = text.steps.map((step): Step => {
    const changed = step.policy !== undefined || step.patch !== undefined;
    if (changed) policy = patched(step.policy === undefined ? policy : resolvePolicy(step.policy), step.patch);
    for (const key of keysOf(policy)) keys.add(key);
    return {
      atMs: step.at === undefined ? null : milliseconds(step.at),
      jump: step.jump,
      policy: changed ? policyText(policy) : null,
      times: step.times,
      lasting: lastingOf(step),
      exchange:
        step.request && step.expect
          ? { request: wireRequest(step.request), expect: wireExpectation(step.expect) }
          : null,
    };
  });
  return {
    name: text.name,
    file,
    policy: policyText(first),
    startMs: text.start === undefined ? null : startOf(text.start, text.name),
    virtualTime: text.time === 'virtual',
    wireRefused: text.wire === 'refused',
    oneWorker: text.workers === 1,
    keys: [...keys],
    steps,
  };
}

function lastingOf({ request, expect, opens, ends, resets }: CaseText['steps'][number]): Lasting | null {
  if (opens !== undefined) return { opens, request: wireRequest(request!) };
  if (ends !== undefined) return { ends, expect: wireExpectation(expect!) };
  return resets === undefined ? null : { resets };
}

/** Expected strings use the notation of requests. */
function wireExpectation(expect: Expectation): Expectation {
  return {
    ...expect,
    upstream: wireTexts(expect.upstream),
    response: wireTexts(expect.response),
    ...(expect.fields && { fields: wireTexts(expect.fields) }),
  };
}

function resolvePolicy(policy: string | Mapping): Mapping {
  return typeof policy === 'string' ? namedPolicy(policy) : policy;
}

function patched(policy: Mapping, patch: Mapping | undefined): Mapping {
  return patch === undefined ? policy : (mergePatch(policy, patch) as Mapping);
}

function startOf(text: string, name: string): number {
  const startMs = Date.parse(text);
  if (Number.isNaN(startMs)) throw new Error(`case "${name}": start is no time; found "${text}"`);
  return startMs;
}

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function milliseconds(text: string): number {
  const [, amount, unit] = /^(-?[\d.]+)(ms|s|m|h|d)$/.exec(text)!;
  return Number(amount) * UNIT_MS[unit!]!;
}
