import type { Case, Step } from './load.ts';
import { compare } from './compare.ts';
import { brokenPromises } from './promise.ts';
import type { WireRequest } from './wire.ts';

export interface Outcome {
  readonly status: number;
  /** Names in lower case; strings are byte strings. */
  readonly headers: [name: string, value: string][];
  readonly body: string;
  /** What the upstream received, or null when nothing reached one. */
  readonly upstream: {
    readonly method: string;
    readonly path: string;
    readonly headers: [name: string, value: string][];
  } | null;
  readonly reason: string;
  /** The access log text, where the runner can read it. */
  readonly log?: string;
  /** What access logs can show field by field. */
  readonly fields: Readonly<Record<string, string | number>>;
}

/** One policy in force somewhere, from open to close. */
export interface Session {
  /** Sends one request when the clock reads `atMs` after the start; `jump`: the clock is set, no time passes. */
  send(request: WireRequest, atMs: number, jump?: boolean): Promise<Outcome>;
  /** Puts another policy file in force; counters stay. */
  edit(policy: string): Promise<void>;
  close(): Promise<void>;
}

export interface Runner {
  readonly name: string;
  /** The clock can be set. */
  readonly virtualTime: boolean;
  /** Headers reach the filter as written, without an HTTP codec in between. */
  readonly inProcess: boolean;
  readonly workers: number;
  /** Why it cannot make connections with TLS, or false. */
  readonly withoutTls?: string | false;
  /** `hasPeers`: requests tell of a peer at the other end of a connection with TLS. */
  open(policy: string, startMs: number | null, hasPeers?: boolean): Promise<Session>;
}

/** Why a runner does not run a case, or null when it does. */
export function skipReason(test: Case, runner: Runner): string | null {
  if (test.virtualTime && !runner.virtualTime) return 'by design: needs a clock that can be set';
  if (test.wireRefused && !runner.inProcess) return 'by design: a proxy refuses or changes these bytes itself';
  if (test.oneWorker && runner.workers > 1) return 'by design: exact by the step in one worker only';
  return hasPeers(test) ? runner.withoutTls || null : null;
}

function hasPeers(test: Case): boolean {
  return test.steps.some(({ exchange }) => exchange !== null && exchange.request.peer !== null);
}

/** Runs the steps; returns a line for every difference, none when all is as expected. */
export async function runCase(test: Case, runner: Runner): Promise<string[]> {
  const session = await runner.open(test.policy, test.startMs, hasPeers(test));
  const problems: string[] = [];
  try {
    let atMs = 0;
    for (const [index, step] of test.steps.entries()) {
      atMs = step.atMs ?? atMs;
      if (step.policy !== null) await session.edit(step.policy);
      problems.push(...(await runStep(test, step, index, atMs, session, runner)));
    }
  } finally {
    await session.close();
  }
  return problems;
}

async function runStep(
  test: Case,
  step: Step,
  index: number,
  atMs: number,
  session: Session,
  runner: Runner,
): Promise<string[]> {
  if (step.exchange === null) return [];
  const { request, expect } = step.exchange;
  for (let time = 1; time <= step.times; time++) {
    const outcome = await session.send(request, atMs, step.jump && time === 1);
    const problems = [
      ...compare(expect, request, outcome, { exactRemaining: runner.workers === 1 }),
      ...brokenPromises(test, request, outcome),
    ];
    const repeat = step.times === 1 ? '' : `, time ${time} of ${step.times}`;
    // The first repeat that fails is enough.
    if (problems.length > 0) return problems.map((problem) => `step ${index + 1}${repeat}: ${problem}`);
  }
  return [];
}
