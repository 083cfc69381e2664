import { AssertionError } from 'node:assert';
import type { Available } from '../harness/envoy/available.ts';
import { Random } from '../harness/random.ts';
import { FakeService } from '../harness/rateLimitService/fakeService.ts';
import { Fault, hold, type Attack, type Context } from './form.ts';
import { POLICY } from './policy.ts';
import { Target } from './target.ts';
import { Upstream } from './upstream.ts';

export interface Outcome {
  readonly attack: Attack;
  readonly seconds: number;
  readonly counts: ReadonlyMap<string, number>;
  /** What did not hold, or null. */
  readonly fault: string | null;
}

export interface TrialOptions {
  readonly seed: number;
  readonly ms: number;
  readonly found: Available;
  readonly signal?: AbortSignal;
}

/** What an attack leaves behind. */
interface Traces {
  readonly counts: Map<string, number>;
  readonly closing: (() => Promise<unknown>)[];
  readonly targets: Target[];
}

/** How long an attack may take beyond its time: to end what it has begun, on a busy machine. */
const GRACE_MS = 60_000;

/** One attack for its time; an attack that hangs is a fault too. */
export async function runAttack(attack: Attack, options: TrialOptions): Promise<Outcome> {
  await attack.prepare?.();
  const started = Date.now();
  const counts = new Map<string, number>();
  const closing: (() => Promise<unknown>)[] = [];
  const targets: Target[] = [];
  let fault: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>(
      (_, reject) =>
        (timer = setTimeout(
          () => reject(new Fault(`not over ${GRACE_MS / 1000} s after its time`)),
          options.ms + GRACE_MS,
        )),
    );
    await Promise.race([attack.run(contextOf(attack, options, { counts, closing, targets })), late]);
    // an attack that is never reached must not look like one that held
    hold(counts.size > 0 || options.signal?.aborted === true, 'it tried nothing');
  } catch (error) {
    fault = [faultText(error), ...targets.flatMap((target) => target.complaints())].join('\n');
  } finally {
    clearTimeout(timer);
    for (const close of closing.reverse()) await close().catch(() => undefined);
  }
  return { attack, seconds: (Date.now() - started) / 1000, counts, fault };
}

function contextOf(
  attack: Attack,
  { seed, ms, found, signal }: TrialOptions,
  { counts, closing, targets }: Traces,
): Context {
  const deadline = Date.now() + ms;
  let upstream: Upstream | null = null;
  const leftMs = (): number => (signal?.aborted ? 0 : Math.max(0, deadline - Date.now()));
  return {
    random: new Random(seedFor(seed, attack.name)),
    leftMs,
    isTimeLeft: () => leftMs() > 0,
    count: (what, by = 1) => void counts.set(what, (counts.get(what) ?? 0) + by),
    cleanUp: (close) => void closing.push(close),
    async open(setting) {
      if (upstream === null) {
        upstream = await Upstream.start();
        closing.push(() => upstream!.close());
      }
      const target = await Target.open({ upstream: upstream.url, ...setting }, found);
      targets.push(target);
      closing.push(() => target.stop());
      counts.set('Envoys', (counts.get('Envoys') ?? 0) + 1);
      return target;
    },
    async service(rules) {
      const service = await FakeService.start(POLICY, rules);
      closing.push(() => service.stop());
      return service;
    },
  };
}

/** An attack tries the same alone as it does among others. */
function seedFor(seed: number, name: string): number {
  return [...name].reduce((sum, char) => Math.imul(sum ^ char.charCodeAt(0), 0x01000193), seed ^ 0x811c9dc5);
}

/** What did not hold in its own words; the place as well when it is the attack itself that failed. */
function faultText(error: unknown): string {
  if (error instanceof Fault || error instanceof AssertionError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
