import type { Expectation } from './case.ts';
import type { Outcome } from './runner.ts';
import { REASONS } from './reason.ts';
import type { WireRequest } from './wire.ts';

export interface Strictness {
  /** False: what other workers hold in leases is not visible, so `r=` may be lower than expected. */
  readonly exactRemaining: boolean;
}

/** The differences between expected and actual, one line each. */
export function compare(expect: Expectation, request: WireRequest, outcome: Outcome, strictness: Strictness): string[] {
  if (outcome.reason !== expect.reason) {
    return [
      `reason: expected ${expect.reason}, got ${outcome.reason} (status ${outcome.status}) ${outcome.body}`.trim(),
    ];
  }
  const observed = isObserved(outcome);
  if (observed !== expect.observed)
    return [
      `mode: expected ${expect.observed ? 'a refusal that is only observed' : 'one in force'}, got "${outcome.log}"`,
    ];
  const passes = isGrpcRequest(request) || observed;
  const status =
    expect.status ??
    (outcome.upstream === null ? undefined : request.answer?.status) ??
    (passes ? 200 : REASONS[expect.reason].status);
  const problems = outcome.status === status ? [] : [`status: expected ${status}, got ${outcome.status}`];
  const response = loosened(expect.response ?? {}, strictness);
  problems.push(...compareHeaders('response', response, expect.responseAbsent ?? [], outcome.headers));
  problems.push(...compareBody(expect.body, outcome.body));
  if (expect.text !== undefined && expect.text !== outcome.body)
    problems.push(`text: expected ${show([expect.text])}, got ${show([outcome.body])}`);
  problems.push(...compareLog(expect.log, outcome.log));
  problems.push(...compareFields(expect.fields, outcome.fields, strictness));
  problems.push(...compareUpstream(expect.upstream, outcome));
  return problems;
}

/** True for a request that passes although its reason is one of a refusal. */
export function isObserved({ log }: Outcome): boolean {
  return log?.split(' ').includes('mode=observe') ?? false;
}

/** Envoy's own rule for what counts as gRPC, which decides whether it answers in gRPC's form. */
export function isGrpcRequest(request: WireRequest): boolean {
  return request.headers.some(
    ([name, value]) => name.toLowerCase() === 'content-type' && /^application\/grpc($|\+)/.test(value),
  );
}

type Values = Record<string, string | string[]>;

function compareHeaders(where: string, expected: Values, absent: string[], actual: [string, string][]): string[] {
  const problems: string[] = [];
  for (const [name, value] of Object.entries(expected)) {
    const wanted = Array.isArray(value) ? value : [value];
    const found = valuesOf(actual, name);
    const same = wanted.length === found.length && wanted.every((pattern, i) => matches(pattern, found[i]!));
    if (!same) problems.push(`${where} ${name}: expected ${show(wanted)}, got ${show(found)}`);
  }
  for (const name of absent) {
    const found = valuesOf(actual, name);
    if (found.length > 0) problems.push(`${where} ${name}: expected none, got ${show(found)}`);
  }
  return problems;
}

function compareBody(expected: Record<string, unknown> | undefined, body: string): string[] {
  if (expected === undefined) return [];
  let actual: Record<string, unknown>;
  try {
    actual = JSON.parse(body) as Record<string, unknown>;
  } catch {
    return [`body: expected JSON, got ${show([body])}`];
  }
  return Object.entries(expected)
    .filter(([name, value]) => JSON.stringify(actual[name]) !== JSON.stringify(value))
    .map(([name, value]) => `body ${name}: expected ${JSON.stringify(value)}, got ${JSON.stringify(actual[name])}`);
}

function compareLog(expected: Record<string, string | null> | undefined, log: string | undefined): string[] {
  if (expected === undefined || log === undefined) return [];
  const fields = new Map(log.split(' ').map((field) => field.split(/=(.*)/s, 2) as [string, string]));
  return Object.entries(expected)
    .filter(([name, value]) => (fields.get(name) ?? null) !== value)
    .map(([name, value]) => `log ${name}: expected ${value ?? 'none'}, got ${fields.get(name) ?? 'none'} in "${log}"`);
}

function compareFields(
  expected: Expectation['fields'],
  actual: Outcome['fields'],
  { exactRemaining }: Strictness,
): string[] {
  if (expected === undefined) return [];
  const shown = (fields: Outcome['fields']): string =>
    JSON.stringify(
      Object.entries(fields)
        .map(([name, value]) => [name, name === 'remaining' && !exactRemaining ? '*' : value])
        .sort(),
    );
  const [wanted, found] = [shown(expected), shown(actual)];
  return wanted === found ? [] : [`log fields: expected ${wanted}, got ${found}`];
}

function compareUpstream(expected: Expectation['upstream'], { upstream }: Outcome): string[] {
  if (expected === undefined) return [];
  if (upstream === null) return ['upstream: expected a request, got none'];
  const problems: string[] = [];
  // A filter sees the host as :authority, an upstream over HTTP/1.1 as host.
  const [host = ''] = [...valuesOf(upstream.headers, ':authority'), ...valuesOf(upstream.headers, 'host')];
  const parts = { method: upstream.method, path: upstream.path, host };
  for (const part of ['method', 'path', 'host'] as const) {
    const wanted = expected[part];
    if (wanted !== undefined && !matches(wanted, parts[part])) {
      problems.push(`upstream ${part}: expected ${show([wanted])}, got ${show([parts[part]])}`);
    }
  }
  problems.push(...compareHeaders('upstream', expected.headers ?? {}, expected.absent ?? [], upstream.headers));
  return problems;
}

function loosened(expected: Values, { exactRemaining }: Strictness): Values {
  const policy = expected.ratelimit;
  if (exactRemaining || typeof policy !== 'string') return expected;
  return { ...expected, ratelimit: policy.replace(/;r=\d+/g, ';r=*') };
}

export function valuesOf(headers: [string, string][], name: string): string[] {
  return headers.filter(([candidate]) => candidate === name).map(([, value]) => value);
}

function matches(pattern: string, text: string): boolean {
  const escaped = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`, 's').test(text);
}

function show(values: string[]): string {
  const short = values.map((value) => (value.length > 200 ? `${value.slice(0, 200)}… (${value.length} bytes)` : value));
  return short.length === 1 ? JSON.stringify(short[0]) : JSON.stringify(short);
}
