import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal } from '../cli/command.ts';

export interface RetryPolicy {
  /** How often something is tried in all. */
  readonly attempts: number;
  /** The first wait is about this long, each further one twice as long. */
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
  /** A registry that asks for more patience than this is not waited for. */
  readonly longestRetryAfterMs: number;
}

export const RETRY: RetryPolicy = {
  attempts: 5,
  firstWaitMs: 500,
  longestWaitMs: 10_000,
  longestRetryAfterMs: 120_000,
};

/** What may pass: a lost connection, a registry that is busy or broken at the moment. */
export class Transient extends Error {
  constructor(
    message: string,
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }
}

export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal;
  /** Told before each wait. */
  readonly note: (text: string) => void;
}

/** Runs `attempt` until it succeeds, fails for good, or has failed as often as the policy allows. */
export async function retrying<T>(attempt: () => Promise<T>, { policy, signal, note }: RetryOptions): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      if (tried >= policy.attempts) throw new Refusal(`${error.message}; gave up after ${tried} attempts`);
      if ((error.retryAfterMs ?? 0) > policy.longestRetryAfterMs)
        throw new Refusal(`${error.message}; it asks to come back in ${Math.ceil((error.retryAfterMs ?? 0) / 1000)} s`);
      const waitMs = error.retryAfterMs ?? backOffMs(tried, policy);
      note(`${error.message}; trying again in ${(waitMs / 1000).toFixed(1)} s`);
      await sleep(waitMs, undefined, { signal });
    }
  }
}

/** Twice as long each time, less up to half of it: pushes that failed together do not come back together. */
export function backOffMs(tried: number, policy: RetryPolicy, random: () => number = Math.random): number {
  return Math.min(policy.longestWaitMs, policy.firstWaitMs * 2 ** (tried - 1)) * (1 - random() / 2);
}

/** `Retry-After`: seconds or a date. Null when it is missing or makes no sense. */
export function retryAfterMs(header: string | null, nowMs: number = Date.now()): number | null {
  if (header === null) return null;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}
