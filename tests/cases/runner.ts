import type { Case, Lasting, Step } from './load.ts';
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

/** A request that its upstream has and has not answered yet. */
export interface UnderWay {
  /** The upstream answers when the clock reads `atMs`. */
  end(atMs: number): Promise<Outcome>;
  /** The client goes; returns once its end has been noticed. */
  reset(atMs: number): Promise<void>;
}

/** One policy in force somewhere, from open to close. */
export interface Session {
  /** Sends one request when the clock reads `atMs` after the start; `jump`: the clock is set, no time passes. */
  send(request: WireRequest, atMs: number, jump?: boolean): Promise<Outcome>;
  /** Sends one that its upstream answers later; returns once the upstream has it. */
  begin(request: WireRequest, atMs: number): Promise<UnderWay>;
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
  return test.steps.some(({ exchange, lasting }) => {
    const request = exchange?.request ?? (lasting !== null && 'request' in lasting ? lasting.request : null);
    return request !== null && request.peer !== null;
  });
}

/** Runs the steps; returns a line for every difference, none when all is as expected. */
export async function runCase(test: Case, runner: Runner): Promise<string[]> {
  const session = await runner.open(test.policy, test.startMs, hasPeers(test));
  const problems: string[] = [];
  const underWay = new Map<string, Begun>();
  try {
    let atMs = 0;
    for (const [index, step] of test.steps.entries()) {
      atMs = step.atMs ?? atMs;
      if (step.policy !== null) await session.edit(step.policy);
      if (step.lasting !== null)
        problems.push(...(await runLasting(test, step.lasting, index, atMs, session, runner, underWay)));
      problems.push(...(await runStep(test, step, index, atMs, session, runner)));
    }
    for (const { stream } of underWay.values()) await stream.reset(atMs);
  } finally {
    await session.close();
  }
  return problems;
}

interface Begun {
  readonly request: WireRequest;
  readonly stream: UnderWay;
}

async function runLasting(
  test: Case,
  lasting: Lasting,
  index: number,
  atMs: number,
  session: Session,
  runner: Runner,
  underWay: Map<string, Begun>,
): Promise<string[]> {
  if ('opens' in lasting) {
    const { opens, request } = lasting;
    underWay.set(opens, { request, stream: await session.begin(request, atMs) });
    return [];
  }
  const name = 'ends' in lasting ? lasting.ends : lasting.resets;
  const begun = underWay.get(name);
  if (begun === undefined) throw new Error(`step ${index + 1}: no request "${name}" is under way`);
  underWay.delete(name);
  if (!('ends' in lasting)) {
    await begun.stream.reset(atMs);
    return [];
  }
  const outcome = await begun.stream.end(atMs);
  return [
    ...compare(lasting.expect, begun.request, outcome, { exactRemaining: runner.workers === 1 }),
    ...brokenPromises(test, begun.request, outcome),
  ].map((problem) => `step ${index + 1}: ${problem}`);
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
