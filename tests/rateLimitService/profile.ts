import type { Random } from '../../harness/random.ts';

/** How load lies on Envoys and in time. */
export interface Profile {
  readonly name: string;
  readonly what: string;
  /** Which Envoy gets the next request. */
  envoy(random: Random, envoys: number): number;
  /** Requests a second at a time, as a multiple of the mean, at most `BUSIEST`. */
  intensity(seconds: number): number;
}

export const BUSIEST = 5;
const steady = (): number => 1;

export const PROFILES: readonly Profile[] = [
  { name: 'uniform', what: 'every Envoy alike', envoy: (random, envoys) => random.below(envoys), intensity: steady },
  {
    name: 'skewed',
    what: 'nine tenths on one Envoy in a hundred',
    intensity: steady,
    envoy: (random, envoys) => random.below(random.chance(0.9) ? Math.max(1, Math.floor(envoys / 100)) : envoys),
  },
  {
    name: 'bursty',
    what: 'every Envoy alike, all within two seconds of ten',
    envoy: (random, envoys) => random.below(envoys),
    intensity: (seconds) => (seconds % 10 < 2 ? BUSIEST : 0),
  },
];
