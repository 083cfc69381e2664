import { Random } from '../../harness/random.ts';
import type { MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import { BUSIEST, type Profile } from './profile.ts';
import { logNormal } from './virtualRateLimitService.ts';
import { VirtualMesh } from './virtualMesh.ts';

export interface Scenario {
  readonly envoys: number;
  readonly limit: number;
  readonly window: 'minute' | 'hour';
  readonly profile: Profile;
  /** Requests a second over all Envoys, in the mean. */
  readonly perSecond: number;
  /** How long the load lasts, in the first window. */
  readonly seconds: number;
  /** How long it goes on in the next one. */
  readonly nextSeconds: number;
  readonly seed: number;
}

export interface Outcome {
  readonly scenario: Scenario;
  /** Requests in the first window, and what became of them. */
  readonly requests: number;
  readonly allowed: number;
  readonly refused: number;
  readonly unavailable: number;
  /** Units allowed beyond the limit, and units that nobody could use although there was demand. */
  readonly overshoot: number;
  readonly undershoot: number;
  readonly calls: number;
  readonly callsPerSecond: number[];
  readonly requestsPerSecond: number[];
  readonly waited: number;
  readonly waitMs: number[];
  readonly peakInFlight: number;
  readonly faults: string[];
}

const MS = { minute: 60_000, hour: 3_600_000 } as const;
/** How much later than the simulation the first window begins. */
const LEAD_MS = 500;
const IDLE_MS = 1000;

/** Many Envoys, each the compiled module in one worker, and one service, in virtual time. */
export function simulate(scenario: Scenario): Outcome {
  const random = new Random(scenario.seed);
  const quotas: MeshQuota[] = [{ name: 'q', limit: scenario.limit, window: scenario.window }];
  const begin = Date.UTC(2026, 0, 15, 12);
  const mesh = new VirtualMesh({
    envoys: scenario.envoys,
    workers: 1,
    mainThread: false,
    quotas,
    startMs: begin - LEAD_MS,
    staggerMs: 250 / scenario.envoys,
    latencyMs: logNormal(new Random(scenario.seed + 1), 3, 0.7, 200),
  });
  mesh.pass(begin - mesh.timeline.clock.wallMs);
  const count = new Count(mesh, begin, scenario);
  load(mesh, scenario, random, scenario.seconds, count);
  const first = count.first();
  // Nothing happens until the window ends, so that time is left out.
  mesh.timeline.clock.jump(begin + MS[scenario.window] - IDLE_MS);
  mesh.pass(IDLE_MS);
  load(mesh, scenario, random, scenario.nextSeconds, count);
  mesh.pass(1000);
  return { ...first, ...count.seconds(), peakInFlight: mesh.rateLimitService.peakInFlight, faults: mesh.faults };
}

/** Requests at random moments (a Poisson process of the profile's intensity). */
function load(
  mesh: VirtualMesh,
  { profile, perSecond, envoys }: Scenario,
  random: Random,
  seconds: number,
  count: Count,
): void {
  const started = mesh.timeline.clock.elapsed;
  const most = perSecond * BUSIEST;
  for (;;) {
    mesh.pass((-Math.log(1 - random.next()) * 1000) / most);
    const at = (mesh.timeline.clock.elapsed - started) / 1000;
    if (at >= seconds) return;
    if (random.next() * most < perSecond * profile.intensity(at)) count.send(profile.envoy(random, envoys));
  }
}

/** What is counted of a run, by the window in which a request began. */
class Count {
  private readonly requestTimes: number[] = [];
  private readonly waitMs: number[] = [];
  private readonly outcomes: Record<string, number> = {};
  private readonly beganMs: number;

  constructor(
    private readonly mesh: VirtualMesh,
    private readonly begin: number,
    private readonly scenario: Scenario,
  ) {
    this.beganMs = mesh.timeline.clock.elapsed;
  }

  send(envoy: number): void {
    const { clock } = this.mesh.timeline;
    this.requestTimes.push(clock.elapsed - this.beganMs);
    const inFirst = clock.wallMs < this.begin + MS[this.scenario.window];
    const request = this.mesh.ask(envoy, 0, 'acme', (reason) => {
      if (inFirst) this.outcomes[reason] = (this.outcomes[reason] ?? 0) + 1;
    });
    if (inFirst && request.paused) this.waiting.push(request);
  }

  private readonly waiting: { waitedMs: number }[] = [];

  first(): Omit<Outcome, 'callsPerSecond' | 'requestsPerSecond' | 'peakInFlight' | 'faults'> {
    // Those who wait still are decided before the window is over.
    this.mesh.pass(100);
    for (const { waitedMs } of this.waiting) this.waitMs.push(waitedMs);
    const allowed = this.outcomes['allowed'] ?? 0;
    const { limit } = this.scenario;
    return {
      scenario: this.scenario,
      requests: this.requestTimes.length,
      allowed,
      refused: this.outcomes['quota_exceeded'] ?? 0,
      unavailable: this.outcomes['quota_unavailable'] ?? 0,
      overshoot: Math.max(0, allowed - limit),
      undershoot: Math.max(0, Math.min(limit, this.requestTimes.length) - allowed),
      calls: this.mesh.rateLimitService.calls.length,
      waited: this.waitMs.length,
      waitMs: this.waitMs.sort((a, b) => a - b),
    };
  }

  seconds(): Pick<Outcome, 'callsPerSecond' | 'requestsPerSecond'> {
    return {
      callsPerSecond: perSecond(this.mesh.rateLimitService.calls.map((at) => at - this.beganMs)),
      requestsPerSecond: perSecond(this.requestTimes),
    };
  }
}

function perSecond(timesMs: readonly number[]): number[] {
  const counts: number[] = [];
  for (const time of timesMs) {
    const second = Math.max(0, Math.floor(time / 1000));
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return Array.from(counts, (count) => count ?? 0);
}
