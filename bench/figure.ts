import { median, paired, spread, type Spread } from './statistic.ts';
import type { Fixed, Sample } from './turn.ts';
import type { Family } from './variant.ts';
import { EMPTY_MODULE, NO_FILTER } from './variant.ts';

/** The figures of a variant. CPU is in microseconds per request under a saturated load, unless noted otherwise. */
export interface Figures {
  readonly name: string;
  readonly title: string;
  readonly family: Family;
  readonly rounds: number;
  readonly envoyCpu: Spread;
  readonly workerCpu: Spread;
  /** Envoy's CPU over no filter: the difference in each round, then the median. */
  readonly overNoFilter: number;
  /** That overhead as a multiple of the empty module's; null when either is within the noise. */
  readonly timesEmptyModule: number | null;
  /** CPU of other processes, by program: medians. */
  readonly servicesCpu: Readonly<Record<string, number>>;
  /** Overhead in Envoy and CPU of all other processes. */
  readonly overNoFilterWithServices: number;
  readonly requestsPerSecond: number;
  readonly fixed: FixedFigures | null;
}

/** At the fixed rate: medians over the rounds, and differences from no filter in the same round. */
export interface FixedFigures {
  readonly envoyCpu: number;
  readonly overNoFilter: number;
  readonly servicesCpu: number;
  readonly p50Microseconds: number;
  readonly p99Microseconds: number;
  readonly p999Microseconds: number;
  readonly p50OverNoFilter: number;
  readonly p99OverNoFilter: number;
}

/** A variant's name, and its samples in the order of the rounds. */
export interface Sampled {
  readonly name: string;
  readonly title: string;
  readonly family: Family;
  readonly samples: readonly Sample[];
}

const minus = (a: number, b: number): number => a - b;
const envoyCpu = ({ saturated }: Sample): number => saturated.envoy;
const servicesCpu = (services: Readonly<Record<string, number>>): number =>
  Object.values(services).reduce((sum, value) => sum + value, 0);

/** Figures of every variant; they need those of no filter and of the empty module. */
export function figuresOf(all: readonly Sampled[]): Figures[] {
  const samplesOf = (name: string): readonly Sample[] => {
    const found = all.find((sampled) => sampled.name === name);
    if (found === undefined) throw new Error(`no samples of ${name}`);
    return found.samples;
  };
  return all.map((sampled) => figures(sampled, samplesOf(NO_FILTER), samplesOf(EMPTY_MODULE)));
}

function figures(
  { name, title, family, samples }: Sampled,
  none: readonly Sample[],
  empty: readonly Sample[],
): Figures {
  const each = (value: (sample: Sample) => number): number[] => samples.map(value);
  const middle = (value: (sample: Sample) => number): number => spread(each(value)).median;
  const over = (value: (sample: Sample) => number): number => overhead(samples, none, value);
  const overNoFilter = over(envoyCpu);
  const programs = Object.keys(samples[0]?.saturated.services ?? {});
  return {
    name,
    title,
    family,
    rounds: samples.length,
    envoyCpu: spread(each(envoyCpu)),
    workerCpu: spread(each(({ saturated }) => saturated.worker)),
    overNoFilter,
    timesEmptyModule: samples === none ? null : ratioOf(overNoFilter, overhead(empty, none, envoyCpu)),
    servicesCpu: Object.fromEntries(
      programs.map((program) => [program, middle(({ saturated }) => saturated.services[program] ?? 0)]),
    ),
    overNoFilterWithServices: over(({ saturated }) => saturated.envoy + servicesCpu(saturated.services)),
    requestsPerSecond: middle(({ requestsPerSecond }) => requestsPerSecond),
    fixed: fixedFigures(fixedOf(samples), fixedOf(none)),
  };
}

/** A variant refuses in every round or in none. */
function fixedOf(samples: readonly Sample[]): Fixed[] {
  return samples.flatMap(({ fixed }) => (fixed === null ? [] : [fixed]));
}

function fixedFigures(samples: readonly Fixed[], none: readonly Fixed[]): FixedFigures | null {
  if (samples.length === 0) return null;
  const middle = (value: (sample: Fixed) => number): number => median(samples.map(value));
  const over = (value: (sample: Fixed) => number): number => paired(samples.map(value), none.map(value), minus);
  return {
    envoyCpu: middle(({ cost }) => cost.envoy),
    overNoFilter: over(({ cost }) => cost.envoy),
    servicesCpu: middle(({ cost }) => servicesCpu(cost.services)),
    p50Microseconds: middle(({ p50Microseconds }) => p50Microseconds),
    p99Microseconds: middle(({ p99Microseconds }) => p99Microseconds),
    p999Microseconds: middle(({ p999Microseconds }) => p999Microseconds),
    p50OverNoFilter: over(({ p50Microseconds }) => p50Microseconds),
    p99OverNoFilter: over(({ p99Microseconds }) => p99Microseconds),
  };
}

/** The overhead of `first` as a multiple of that of `second`; null when one was not measured or is within the noise. */
export function overheadRatio(
  all: readonly Sampled[],
  first: string,
  second: string,
  cpu: (sample: Sample) => number = envoyCpu,
): number | null {
  const [none, a, b] = [NO_FILTER, first, second].map((name) => all.find((sampled) => sampled.name === name)?.samples);
  if (none === undefined || a === undefined || b === undefined) return null;
  return ratioOf(overhead(a, none, cpu), overhead(b, none, cpu));
}

/** The median of the differences from no filter in the same round. */
function overhead(samples: readonly Sample[], none: readonly Sample[], cpu: (sample: Sample) => number): number {
  return paired(samples.map(cpu), none.map(cpu), minus);
}

/**
 * Differences are taken round by round, but the ratio only of their medians: in a single round a small difference can be near zero
 * or negative, and a ratio to it would be meaningless, even if it looked good.
 */
function ratioOf(first: number, second: number): number | null {
  return first > 0 && second > 0 ? first / second : null;
}

/** CPU of Envoy and of the services that it called. */
export function cpuWithServices({ saturated }: Sample): number {
  return saturated.envoy + servicesCpu(saturated.services);
}
