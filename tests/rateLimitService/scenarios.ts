import { PROFILES } from './profile.ts';
import type { Scenario } from './simulation.ts';

export const ENVOYS = 1000;
/** In this time a tenth more than the limit is asked for. */
export const LOAD_SECONDS = 20;
const ASKED = 1.1;

const LIMITS = [
  [10_000, 'minute'],
  [100_000, 'minute'],
  [1_000_000, 'hour'],
] as const;

/** What the simulation of a large mesh is made of, the longest first. */
export const SCENARIOS: readonly Scenario[] = LIMITS.flatMap(([limit, window]) =>
  PROFILES.map((profile): Scenario => ({
    envoys: ENVOYS,
    limit,
    window,
    profile,
    perSecond: (limit * ASKED) / LOAD_SECONDS,
    seconds: LOAD_SECONDS,
    nextSeconds: 3,
    seed: 1,
  })),
).reverse();
