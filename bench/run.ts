import { findEnvoy } from '../scripts/envoy/find.ts';
import { BenchEnvoy } from './benchEnvoy.ts';
import { findComponents } from './component.ts';
import { figuresOf, type Sampled } from './figure.ts';
import { RATE_PER_SECOND } from './fixedRate.ts';
import { machine } from './machine.ts';
import { moduleFacts, type ModuleFacts } from './moduleFacts.ts';
import type { Options } from './option.ts';
import { shuffled } from './order.ts';
import { RESULT_VERSION, type Result } from './result.ts';
import { Services } from './services.ts';
import { targetsOf } from './target.ts';
import { turn, type Sample, type Setting } from './turn.ts';
import type { Variant } from './variant.ts';

/** Numbers of consumers for which configuration time and memory are measured. */
const CONSUMER_COUNTS = [10, 1000, 10_000, 100_000];

type Progress = (line: string) => void;

/** Measures the requested variants. All processes that it starts have ended when it resolves or throws. */
export async function run(options: Options, signal: AbortSignal, progress: Progress): Promise<Result> {
  const found = await findComponents(options.variants);
  for (const { name, reason } of found.skipped) progress(`skipped ${name}: ${reason}`);
  const envoy = await findEnvoy({ progress });
  const facts = found.variants.some(({ family }) => family === 'tollgate') ? await weigh(progress) : null;
  const services = await Services.start(found.variants, found.programs);
  try {
    progress(`starting Envoy ${envoy.version} with ${found.variants.length} variants`);
    const running = await BenchEnvoy.start(envoy, found.variants, services.ports);
    try {
      const setting: Setting = {
        wrk: found.wrk,
        fortio: found.fortio,
        seconds: options.seconds,
        envoyPid: running.pid,
        signal,
      };
      const samples = await rounds(found.variants, options, running, services, setting, progress);
      return resultOf(samples, options, facts, found.skipped, envoy.version);
    } finally {
      await running.stop();
    }
  } finally {
    await services.stop();
  }
}

async function weigh(progress: Progress): Promise<ModuleFacts> {
  progress('configuring the module in Node, for its time and memory');
  return moduleFacts(CONSUMER_COUNTS);
}

/** Round 0 is a warm-up and does not count: V8 compiles hot functions, connections open, caches fill. */
async function rounds(
  variants: readonly Variant[],
  options: Options,
  envoy: BenchEnvoy,
  services: Services,
  setting: Setting,
  progress: Progress,
): Promise<Sampled[]> {
  const samples = new Map<string, Sample[]>(variants.map(({ name }) => [name, []]));
  for (let round = 0; round <= options.rounds; round++) {
    for (const variant of shuffled(variants, options.seed + round)) {
      setting.signal.throwIfAborted();
      const sample = await turn(variant, envoy.portOf(variant), services.pidsOf(variant.services), setting);
      const name = round === 0 ? 'warm-up' : `round ${round}/${options.rounds}`;
      progress(
        `${name}  ${variant.name}: ${sample.saturated.envoy.toFixed(1)} µs CPU, ${Math.round(sample.requestsPerSecond)} requests/s${sample.fixed === null ? '' : `, p50 ${Math.round(sample.fixed.p50Microseconds)} µs`}`,
      );
      // a failing filter may let requests through, which is fast and means nothing
      envoy.assertHealthy();
      if (round > 0) samples.get(variant.name)!.push(sample);
    }
  }
  return variants.map(({ name, title, family }) => ({ name, title, family, samples: samples.get(name)! }));
}

function resultOf(
  samples: readonly Sampled[],
  options: Options,
  facts: ModuleFacts | null,
  skipped: Result['skipped'],
  envoyVersion: string,
): Result {
  const variants = figuresOf(samples);
  return {
    version: RESULT_VERSION,
    date: new Date().toISOString().slice(0, 10),
    quick: options.quick,
    rounds: options.rounds,
    seconds: options.seconds,
    seed: options.seed,
    ratePerSecond: RATE_PER_SECOND,
    machine: machine(envoyVersion),
    variants,
    module: facts,
    targets: targetsOf(samples, variants, facts),
    skipped,
  };
}
