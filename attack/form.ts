import type { FakeService } from '../harness/rateLimitService/fakeService.ts';
import type { Rule } from '../harness/rateLimitService/rateLimitServiceModel.ts';
import type { Random } from '../harness/random.ts';
import type { Setting, Target } from './target.ts';

/** Something hostile, clumsy or unlucky that is done to a real Envoy, again and again until its time is up. */
export interface Attack {
  /** One word, for `--only` and for the line of its outcome. */
  readonly name: string;
  /** What is tried, in half a sentence. */
  readonly tries: string;
  /** Its part of the whole time, beside the others'; default 1. */
  readonly weight?: number;
  /** What is done before its time begins: to compile something, for example. */
  prepare?(): Promise<unknown>;
  /** Throws a Fault, or fails an assertion, when something does not hold. */
  run(context: Context): Promise<void>;
}

/** What an attack is given. Everything that it opens is closed after it. */
export interface Context {
  /** All that is left to chance comes from here: the same seed tries the same things. */
  readonly random: Random;
  /** False when the time is up, or when somebody wants to stop. */
  readonly isTimeLeft: () => boolean;
  /** Milliseconds until the time is up, 0 at least. */
  readonly leftMs: () => number;
  /** Adds to the figures of the outcome: `count('resets', 45)`. */
  readonly count: (what: string, by?: number) => void;
  /** An Envoy with the module, a policy and an upstream. */
  readonly open: (setting: Setting) => Promise<Target>;
  /** A model of a rate limit service; `fault`, `delayMs` and `stop` make it misbehave. */
  readonly service: (rules: readonly Rule[]) => Promise<FakeService>;
  /** Runs when the attack is over, the last given first. */
  readonly cleanUp: (close: () => Promise<unknown>) => void;
}

/** Something that must hold did not. */
export class Fault extends Error {}

/** Throws a Fault with that text unless the condition holds. */
export function hold(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Fault(otherwise);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
