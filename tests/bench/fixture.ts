import { figuresOf, type Sampled } from '../../bench/figure.ts';
import type { ModuleFacts } from '../../bench/moduleFacts.ts';
import { RESULT_VERSION, type Result } from '../../bench/result.ts';
import { targetsOf } from '../../bench/target.ts';
import type { Sample } from '../../bench/turn.ts';
import { EMPTY_MODULE, NO_FILTER, type Family } from '../../bench/variant.ts';

/** A sample whose figures are told by Envoy's CPU and that of services. */
export function sample(envoy: number, services: Record<string, number> = {}, latency: number | null = 100): Sample {
  const cost = { envoy, worker: envoy - 1, services };
  const fixed =
    latency === null
      ? null
      : { cost, p50Microseconds: latency, p99Microseconds: 2 * latency, p999Microseconds: 10 * latency };
  return { requestsPerSecond: 1e6 / envoy, saturated: cost, fixed };
}

function sampled(name: string, title: string, family: Family, samples: Sample[]): Sampled {
  return { name, title, family, samples };
}

/** Two rounds, the second on a machine twice as slow. */
export const SAMPLES: readonly Sampled[] = [
  sampled(NO_FILTER, 'no filter', 'floor', [sample(10), sample(20, {}, 200)]),
  sampled(EMPTY_MODULE, 'wasm: empty module', 'floor', [sample(12), sample(24)]),
  sampled('floor-read', 'wasm: reads the headers', 'floor', [sample(14), sample(28)]),
  sampled('floor-calls', 'wasm: all calls', 'floor', [sample(17), sample(34)]),
  sampled('tollgate-key', 'Tollgate: key', 'tollgate', [sample(15), sample(30)]),
  sampled('tollgate-lean-key', 'Tollgate: key, nothing told', 'tollgate', [sample(15.2), sample(30.4)]),
  sampled('tollgate-lean-full', 'Tollgate: all, only the route told', 'tollgate', [sample(17.5), sample(35)]),
  sampled('tollgate-full-10', 'Tollgate: all, 10', 'tollgate', [sample(18), sample(36)]),
  sampled('tollgate-full-1000', 'Tollgate: all, <1,000> & more', 'tollgate', [
    sample(18, {}, 140),
    sample(36, {}, 260),
  ]),
  sampled('tollgate-mesh', 'Tollgate: mesh', 'tollgate', [sample(19, {}, 141), sample(38, {}, 261)]),
  sampled('tollgate-first', 'Tollgate: first', 'tollgate', [sample(19), sample(38)]),
  sampled('tollgate-last', 'Tollgate: last', 'tollgate', [sample(20), sample(40)]),
  sampled('tollgate-wrong-key', 'Tollgate: wrong key (401)', 'tollgate', [sample(17, {}, null), sample(34, {}, null)]),
  sampled('native', 'Envoy: api_key_auth', 'native', [sample(9.5), sample(19)]),
  sampled('lua-key', 'Lua: one key', 'lua', [sample(14), sample(28)]),
  sampled('lua-full', 'Lua: table', 'lua', [sample(15), sample(30)]),
  sampled('key-ratelimit', 'rate limit service', 'service', [
    sample(90, { redis: 10, ratelimit: 120 }, 800),
    sample(180, { redis: 20, ratelimit: 240 }, 900),
  ]),
];

export const FACTS: ModuleFacts = {
  moduleBytes: 60_000,
  perVm: [
    { consumers: 10, configBytes: 2000, configureMilliseconds: 0.5, memoryBytes: 262_144 },
    { consumers: 10_000, configBytes: 1_400_000, configureMilliseconds: 51.25, memoryBytes: 2_752_512 },
  ],
};

export const RESULT: Result = {
  version: RESULT_VERSION,
  date: '2026-01-15',
  quick: false,
  rounds: 2,
  seconds: 3,
  seed: 1,
  ratePerSecond: 1000,
  machine: { cores: 2, cpu: 'A processor', kernel: 'linux 6.1.0', envoy: '1.40.0' },
  variants: figuresOf(SAMPLES),
  module: FACTS,
  targets: targetsOf(SAMPLES, figuresOf(SAMPLES), FACTS),
  skipped: [{ name: 'extauthz', reason: 'not here: extauthz' }],
};
