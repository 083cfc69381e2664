import { Refusal } from '../scripts/cli/command.ts';
import { cpuTime, type CpuTime } from './cpu.ts';
import { fixedRate } from './fixedRate.ts';
import { probe, targetOf } from './request.ts';
import { saturate } from './saturation.ts';
import type { Variant } from './variant.ts';

/** CPU time per request, in microseconds. */
export interface Cost {
  /** All threads of Envoy. */
  readonly envoy: number;
  /** Envoy's worker thread alone. */
  readonly worker: number;
  /** Other processes, by program. */
  readonly services: Readonly<Record<string, number>>;
}

/** The measurements of one turn of a variant. */
export interface Sample {
  readonly requestsPerSecond: number;
  readonly saturated: Cost;
  /** Null for a variant that refuses: fortio opens a new connection after each refusal, and would measure that. */
  readonly fixed: Fixed | null;
}

export interface Fixed {
  readonly cost: Cost;
  readonly p50Microseconds: number;
  readonly p99Microseconds: number;
  readonly p999Microseconds: number;
}

export interface Setting {
  readonly wrk: string;
  readonly fortio: string;
  readonly seconds: number;
  readonly envoyPid: number;
  readonly signal: AbortSignal;
}

/** One turn: a saturated load, then a fixed rate, each with its CPU time. */
export async function turn(
  variant: Variant,
  port: number,
  services: ReadonlyMap<string, number>,
  setting: Setting,
): Promise<Sample> {
  const { wrk, fortio, seconds, envoyPid, signal } = setting;
  const target = targetOf(variant, port);
  const status = await probe(variant, port);
  const measure = <T extends { readonly requests: number }>(load: () => Promise<T>): Promise<{ load: T; cost: Cost }> =>
    measured(envoyPid, services, load);
  const saturated = await measure(() => saturate(wrk, target, seconds, signal));
  const { requests, refusals } = saturated.load;
  const wrong = status < 400 ? refusals : requests - refusals;
  if (wrong > 0)
    throw new Refusal(`${variant.name}: ${wrong} of ${requests} answers had another status than ${status}`);
  const sample = { requestsPerSecond: saturated.load.requestsPerSecond, saturated: saturated.cost };
  if (status >= 400) return { ...sample, fixed: null };
  const { load, cost } = await measure(() => fixedRate(fortio, target, status, seconds, signal));
  const { p50Microseconds, p99Microseconds, p999Microseconds } = load;
  return { ...sample, fixed: { cost, p50Microseconds, p99Microseconds, p999Microseconds } };
}

async function measured<T extends { readonly requests: number }>(
  envoyPid: number,
  services: ReadonlyMap<string, number>,
  run: () => Promise<T>,
): Promise<{ load: T; cost: Cost }> {
  const all = new Map([['envoy', envoyPid], ...services]);
  const before = await times(all);
  const load = await run();
  const after = await times(all);
  const perRequest = (name: string, of: keyof CpuTime): number =>
    (after.get(name)![of] - before.get(name)![of]) / load.requests / 1000;
  return {
    load,
    cost: {
      envoy: perRequest('envoy', 'allNanoseconds'),
      worker: perRequest('envoy', 'workerNanoseconds'),
      services: Object.fromEntries([...services.keys()].map((name) => [name, perRequest(name, 'allNanoseconds')])),
    },
  };
}

async function times(pids: ReadonlyMap<string, number>): Promise<Map<string, CpuTime>> {
  return new Map(await Promise.all([...pids].map(async ([name, pid]) => [name, await cpuTime(pid)] as const)));
}
