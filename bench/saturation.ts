import { Refusal } from '../scripts/cli/command.ts';
import { runToEnd } from '../scripts/program/run.ts';
import { headersOf, type Target } from './request.ts';

export interface Saturation {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Answers other than 2xx and 3xx. */
  readonly refusals: number;
}

/** Few enough for the load generator on the other core, and enough to keep Envoy's worker busy all the time. */
const CONNECTIONS = 8;

/** As many requests as one worker can answer, on persistent connections. */
export async function saturate(wrk: string, target: Target, seconds: number, signal: AbortSignal): Promise<Saturation> {
  // wrk accepts whole seconds only
  const args = [
    '-t',
    '1',
    '-c',
    String(CONNECTIONS),
    '-d',
    `${Math.max(1, Math.round(seconds))}s`,
    ...headersOf(target).flatMap((header) => ['-H', header]),
    target.url,
  ];
  const { code, stdout, stderr } = await runToEnd(wrk, args, { signal });
  signal.throwIfAborted();
  if (code !== 0) throw new Refusal(`wrk: ${stderr.trim() || `exit code ${code}`}`);
  return readWrk(stdout);
}

/** Reads wrk's report; throws when connections failed, because the figures are then meaningless. */
export function readWrk(report: string): Saturation {
  const number = (pattern: RegExp): number | null => {
    const found = pattern.exec(report);
    return found === null ? null : Number(found[1]);
  };
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(report);
  if (errors !== null) throw new Refusal(`wrk: ${errors[0].toLowerCase()}`);
  const requests = number(/^\s*(\d+) requests in /m);
  const requestsPerSecond = number(/^Requests\/sec:\s*([\d.]+)/m);
  if (requests === null || requestsPerSecond === null) throw new Refusal('wrk: its report is not understood');
  return { requests, requestsPerSecond, refusals: number(/Non-2xx or 3xx responses: (\d+)/) ?? 0 };
}
