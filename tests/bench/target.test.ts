import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { figuresOf } from '../../bench/figure.ts';
import { targetsOf, type Target } from '../../bench/target.ts';
import { FACTS, RESULT, sample, SAMPLES } from './fixture.ts';

const verdicts = (targets: readonly Target[]): [number | null, boolean | null][] =>
  targets.map(({ value, met }) => [value === null ? null : Number(value.toFixed(4)), met]);

describe('figures', () => {
  const named = (name: string): (typeof RESULT.variants)[number] =>
    RESULT.variants.find((figures) => figures.name === name)!;

  it('are over no filter of the same round', () => {
    assert.equal(named('tollgate-full-1000').overNoFilter, 12);
    assert.equal(named('tollgate-full-1000').timesEmptyModule, 4);
    assert.equal(named('tollgate-full-1000').fixed?.p50OverNoFilter, 50);
    assert.equal(named('native').overNoFilter, -0.75);
  });

  it('count the CPU of services apart, and together', () => {
    const { overNoFilter, servicesCpu, overNoFilterWithServices } = named('key-ratelimit');
    assert.deepEqual(
      { overNoFilter, servicesCpu, overNoFilterWithServices },
      { overNoFilter: 120, servicesCpu: { redis: 15, ratelimit: 180 }, overNoFilterWithServices: 315 },
    );
  });

  it('have no latency where requests are refused', () => {
    assert.equal(named('tollgate-wrong-key').fixed, null);
  });

  it('need the variant that all are compared with', () => {
    assert.throws(() => figuresOf(SAMPLES.slice(1)), /no samples of no-filter/);
  });
});

describe('targets', () => {
  it('are met up to their bound and not above it', () => {
    assert.deepEqual(verdicts(RESULT.targets), [
      [1.3, true],
      [1.5, false],
      [1.1429, true],
      [1.6, true],
      [0.1, true],
      [0.0381, true],
      [50, true],
      [100, true],
      [51, false],
      [0.875, true],
      [1.125, true],
      [1.25, false],
      [51.25, false],
      [2_752_512, true],
      [60_000, true],
    ]);
  });

  it('are neither met nor missed when what they need was not measured', () => {
    const only = SAMPLES.slice(0, 2);
    assert.ok(targetsOf(only, figuresOf(only), null).every(({ value, met }) => value === null && met === null));
  });

  it('are not measured when the difference that they divide by is lost in noise', () => {
    const none = SAMPLES[0]!;
    const samples = SAMPLES.map((sampled) =>
      sampled.name === 'floor-read' ? { ...sampled, samples: none.samples } : sampled,
    );
    assert.deepEqual(verdicts(targetsOf(samples, figuresOf(samples), FACTS))[0], [null, null]);
  });

  it('are not met by a difference that noise has made negative, on either side', () => {
    for (const name of ['floor-read', 'tollgate-lean-key']) {
      const below = SAMPLES.map((sampled) =>
        sampled.name === name ? { ...sampled, samples: [sample(9), sample(18)] } : sampled,
      );
      assert.deepEqual(verdicts(targetsOf(below, figuresOf(below), FACTS))[0], [null, null], name);
    }
  });

  it('are not met by latencies that are far below those without a filter', () => {
    const fast = SAMPLES.map((sampled) =>
      sampled.name === 'tollgate-full-1000' ? { ...sampled, samples: [sample(18, {}, 1), sample(36, {}, 1)] } : sampled,
    );
    const p50 = targetsOf(fast, figuresOf(fast), FACTS).find(({ name }) => name.startsWith('p50 over'))!;
    assert.deepEqual([p50.value, p50.met], [-149, null]);
  });

  it('are judged by differences, not by the ratios of single rounds', () => {
    // round by round the ratios are 1, 500 and -5: their middle would be a target met
    const rounds = (costs: number[]): { samples: ReturnType<typeof sample>[] } => ({
      samples: costs.map((cost) => sample(cost)),
    });
    const costs: Record<string, number[]> = {
      'no-filter': [10, 10, 10],
      'floor-read': [15, 10.01, 9],
      'tollgate-lean-key': [15, 15, 15],
    };
    const samples = SAMPLES.map((sampled) => ({ ...sampled, ...rounds(costs[sampled.name] ?? [20, 20, 20]) }));
    assert.deepEqual(verdicts(targetsOf(samples, figuresOf(samples), FACTS))[0], [500, false]);
  });
});
