import { cpuWithServices, overheadRatio, type Figures, type Sampled } from './figure.ts';
import type { ModuleFacts } from './moduleFacts.ts';

/** A promise about cost, with its bound. */
export interface Target {
  readonly name: string;
  readonly unit: '×' | 'µs' | 'ms' | 'bytes';
  /** Null when a variant that it needs was not measured. */
  readonly value: number | null;
  /** Upper bound. */
  readonly target: number;
  readonly met: boolean | null;
}

const FULL = 'tollgate-full-1000';
const MESH = 'tollgate-mesh';
const TEN_THOUSAND = 10_000;

/** Everything that Tollgate promises about its cost, compared with what was measured. */
export function targetsOf(
  samples: readonly Sampled[],
  figures: readonly Figures[],
  facts: ModuleFacts | null,
): Target[] {
  const ratio = (first: string, second: string): number | null => overheadRatio(samples, first, second);
  const full = figures.find(({ name }) => name === FULL);
  const mesh = figures.find(({ name }) => name === MESH);
  const vm = facts?.perVm.find(({ consumers }) => consumers === TEN_THOUSAND);
  return [
    target(
      'a key, nothing told: CPU over no filter, against a module that only reads the headers',
      '×',
      ratio('tollgate-lean-key', 'floor-read'),
      1.3,
    ),
    target(
      'key, 3 quotas, only the route told: against Lua with key table and bucket',
      '×',
      ratio('tollgate-lean-full', 'lua-full'),
      1.4,
    ),
    target(
      'key, 3 quotas, route, headers: against a module that makes the same calls',
      '×',
      ratio(FULL, 'floor-calls'),
      1.15,
    ),
    target('key, 3 quotas, route, headers: against Lua with key table and bucket', '×', ratio(FULL, 'lua-full'), 2),
    target(
      'the same against api_key_auth and the rate limit service, Envoy’s CPU alone',
      '×',
      ratio(FULL, 'key-ratelimit'),
      1 / 8,
    ),
    target(
      'the same with the CPU of the service and of Redis',
      '×',
      overheadRatio(samples, FULL, 'key-ratelimit', cpuWithServices),
      1 / 20,
    ),
    target('p50 over no filter at 1,000 requests/s', 'µs', full?.fixed?.p50OverNoFilter ?? null, 60),
    target('p99 over no filter at 1,000 requests/s', 'µs', full?.fixed?.p99OverNoFilter ?? null, 150),
    target('p50 over no filter with a mesh-wide quota', 'µs', mesh?.fixed?.p50OverNoFilter ?? null, 50),
    target('a wrong key against a right one', '×', ratio('tollgate-wrong-key', FULL), 1),
    target('first of 10,000 consumers against 10 consumers', '×', ratio('tollgate-first', 'tollgate-full-10'), 1.2),
    target('last of 10,000 consumers against 10 consumers', '×', ratio('tollgate-last', 'tollgate-full-10'), 1.2),
    target('time to configure 10,000 consumers, per VM', 'ms', vm?.configureMilliseconds ?? null, 50),
    target('memory for 10,000 consumers, per VM', 'bytes', vm?.memoryBytes ?? null, 4 * 1024 * 1024),
    // it grows with what a policy can say
    target('size of the module', 'bytes', facts?.moduleBytes ?? null, 160 * 1024),
  ];
}

function target(name: string, unit: Target['unit'], value: number | null, most: number): Target {
  const known = value !== null && Number.isFinite(value);
  // a wait far shorter than without a filter is noise of the machine and says nothing about the module
  const noise = known && unit === 'µs' && value < -most;
  return { name, unit, value: known ? value : null, target: most, met: known && !noise ? value <= most : null };
}
