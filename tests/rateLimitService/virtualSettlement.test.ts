import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { meshConfig, POLICY, type MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import type { OpenRequest } from '../../scripts/host/openRequest.ts';
import { logNormal } from './virtualRateLimitService.ts';
import { requestOf, VirtualMesh, type VirtualMeshOptions } from './virtualMesh.ts';

type Mode = NonNullable<MeshQuota['onUnavailable']>;

const RESERVE = 3;
const MOST = 40;
const SHARE = 20;
const PLAIN = '/plain/x';
const SEEDS = [1, 2, 3];
/** Ticks in this much time bring every idle lease back to its Envoy's stock. */
const QUIET_MS = 4000;
const STOCK_BYTES = 144;

interface Flight {
  readonly opened: OpenRequest;
  readonly envoy: number;
  readonly usage: number;
  /** When it passed, and so in which window it was charged. */
  atMs: number;
}

/** Requests of one API settle by `x-usage`; those of the other cost a unit each. */
function config(quotas: readonly MeshQuota[], most = MOST): PluginConfig {
  const base = meshConfig(quotas);
  const metered = { ...base.apis[0]!, cost: RESERVE, settlement: { header: 'x-usage', most } };
  return { ...base, apis: [metered, { name: 'plain', paths: ['/plain'], plans: ['gold'] }] };
}

/** Envoys with a service, and what all requests have come to by the rules, for each minute. */
class SettledMesh {
  readonly mesh: VirtualMesh;
  readonly flights: Flight[] = [];
  readonly settled = new Map<number, number>();
  refused = 0;
  failed = 0;

  constructor(
    private readonly quota: MeshQuota,
    { most = MOST, ...options }: Partial<VirtualMeshOptions> & { most?: number } = {},
  ) {
    this.mesh = new VirtualMesh({
      envoys: 3,
      quotas: [quota],
      upstream: (asked) => [
        [':status', '200'],
        ['x-usage', asked.first('x-answer-usage') ?? ''],
      ],
      ...options,
    });
    this.mesh.load(config([quota], most));
  }

  get nowMs(): number {
    return this.mesh.timeline.clock.wallMs;
  }

  in(ms = this.nowMs): number {
    return this.settled.get(this.windowOf(ms)) ?? 0;
  }

  /** Opens a request that its upstream does not answer yet; it may wait for the service before. */
  open(envoy: number, worker: number, usage: number): void {
    const flight: { -readonly [Name in keyof Flight]?: Flight[Name] } = { envoy, usage };
    const headers = [...requestOf('acme'), ['x-answer-usage', String(usage)] as const];
    const opened = this.mesh.hosts[envoy]!.open(headers as never, {
      worker,
      lasts: true,
      onEnd: ({ exchange }) => {
        const status = exchange?.response.first(':status');
        if (status === '429') this.refused++;
        else if (status === '503') this.failed++;
      },
    });
    this.flights.push(Object.assign(flight, { opened, atMs: NaN }) as Flight);
    this.note();
  }

  /** Notes who has passed since the last look. */
  note(): void {
    for (let i = this.flights.length - 1; i >= 0; i--) {
      const flight = this.flights[i]!;
      if (!Number.isNaN(flight.atMs)) continue;
      if (flight.opened.isUnderWay) {
        flight.atMs = this.nowMs;
        this.add(RESERVE);
      } else if (!flight.opened.paused) this.flights.splice(i, 1);
    }
  }

  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 2) {
      this.mesh.pass(Math.min(2, left));
      this.note();
    }
  }

  get underWay(): Flight[] {
    return this.flights.filter(({ atMs }) => !Number.isNaN(atMs));
  }

  /** The upstream answers, or the client goes. */
  end(flight: Flight, isReset = false): void {
    this.flights.splice(this.flights.indexOf(flight), 1);
    if (isReset) return flight.opened.reset();
    const more = flight.usage - RESERVE;
    if (more > 0 || this.windowOf(flight.atMs) === this.windowOf(this.nowMs)) this.add(more);
    flight.opened.answer();
  }

  endAll(): void {
    for (const flight of this.underWay) this.end(flight);
  }

  /** A request of the other API; true when it has passed. */
  async plain(envoy: number, worker: number): Promise<boolean> {
    let reason = '';
    this.mesh.ask(envoy, worker, 'acme', (is) => (reason = is), PLAIN);
    for (let i = 0; i < 100 && reason === ''; i++) this.pass(2);
    if (reason === 'allowed') this.add(1);
    else assert.equal(reason, 'quota_exceeded');
    return reason === 'allowed';
  }

  /** Lets every Envoy that owes units tell the service, and returns how many can still be spent over all. */
  async rest(): Promise<number> {
    this.pass(QUIET_MS);
    let passed = 0;
    for (let quiet = 0; quiet < 20;) {
      let some = 0;
      for (let envoy = 0; envoy < this.mesh.hosts.length; envoy++)
        for (const worker of [0, 1]) if (await this.plain(envoy, worker)) some++;
      passed += some;
      quiet = some > 0 ? 0 : quiet + 1;
      if (some === 0) this.pass(2500);
    }
    return passed;
  }

  /** What the Envoys' stocks hold, less what they owe. */
  held(): number {
    let sum = 0;
    for (const host of this.mesh.hosts)
      for (let shard = 0; shard < 256; shard++) {
        const value = host.process.sharedData.get(`tollgate/1/${POLICY}/stocks/${shard}`)?.value;
        if (value === undefined) continue;
        for (let at = 24; at + STOCK_BYTES <= value.length; at += STOCK_BYTES)
          if (value.readBigInt64LE(at + 16) > BigInt(this.nowMs) * 1_000_000n)
            sum += Number(value.readBigInt64LE(at + 24));
      }
    return sum;
  }

  /** Hits that the service has counted, in all windows. */
  get told(): number {
    return this.mesh.rateLimitService.model.counted('quota=q');
  }

  private windowOf(ms: number): number {
    return Math.floor(ms / (this.quota.window === 'minute' ? 60_000 : 3_600_000));
  }

  private add(units: number): void {
    const window = this.windowOf(this.nowMs);
    this.settled.set(window, (this.settled.get(window) ?? 0) + units);
  }
}

function someUsage(random: Random, most = MOST): number {
  return random.chance(0.5) ? random.below(RESERVE + 1) : random.below(most + 1);
}

/** Requests at all Envoys, of which most are in flight for a while. */
function run(settled: SettledMesh, random: Random, steps: number, most = MOST): void {
  for (let i = 0; i < steps; i++) {
    settled.open(random.below(settled.mesh.hosts.length), random.below(2), someUsage(random, most));
    if (random.chance(0.6)) settled.pass(random.pick([2, 2, 6, 40]));
    const { underWay } = settled;
    while (underWay.length > 0 && random.chance(underWay.length > 30 ? 0.8 : 0.45))
      settled.end(underWay.splice(random.below(underWay.length), 1)[0]!, random.chance(0.15));
  }
}

describe('settled requests of a mesh-wide quota', () => {
  for (const seed of SEEDS) {
    it(`come to what the service is told, less what Envoys hold, more or less (seed ${seed})`, () => {
      const random = new Random(seed * 7);
      const latencyMs = logNormal(random, 3, 0.7, 40);
      const settled = new SettledMesh({ name: 'q', limit: 1_000_000, window: 'hour' }, { latencyMs });
      for (let round = 0; round < 4; round++) {
        run(settled, random, 400);
        settled.endAll();
        settled.pass(QUIET_MS);
        assert.equal(settled.told, settled.in() + settled.held(), `round ${round}`);
      }
      assert.equal(settled.refused + settled.failed, 0);
      settled.mesh.assertSound();
    });

    it(`are told of by the next call, where an answer costs more than its Envoy holds (seed ${seed})`, async () => {
      const random = new Random(seed * 11);
      const settled = new SettledMesh({ name: 'q', limit: 100_000, window: 'hour' });
      let owed = 0;
      for (let round = 0; round < 12; round++) {
        for (let i = 0; i < 6; i++) settled.open(random.below(3), random.below(2), MOST);
        settled.pass(200);
        settled.endAll();
        settled.pass(QUIET_MS);
        owed = Math.min(owed, settled.held());
        for (const envoy of [0, 1, 2]) assert.ok(await settled.plain(envoy, 0));
        settled.pass(QUIET_MS);
        assert.ok(settled.held() >= 0, `${settled.held()} held after a call of each`);
        assert.equal(settled.told, settled.in() + settled.held(), `round ${round}`);
      }
      assert.ok(owed < 0, 'nothing was ever owed');
      settled.mesh.assertSound();
    });

    it(`leave the rest of the limit to others, to the unit (seed ${seed})`, async () => {
      for (const limit of [400, 3000]) {
        const random = new Random(seed * 13 + limit);
        const settled = new SettledMesh({ name: 'q', limit, window: 'hour' });
        run(settled, random, limit / 10);
        settled.endAll();
        // every Envoy tells what it owes before the others use up the rest
        settled.pass(QUIET_MS);
        for (const envoy of [0, 1, 2]) await settled.plain(envoy, 0);
        const before = settled.in();
        const passed = await settled.rest();
        assert.equal(passed, Math.max(0, limit - before), `${before} of ${limit} were used`);
        settled.mesh.assertSound();
      }
    });

    it(`never raise a limit by what they give back, while minutes turn (seed ${seed})`, () => {
      const random = new Random(seed * 17);
      const limit = 90;
      const settled = new SettledMesh({ name: 'q', limit, window: 'minute' }, { most: RESERVE });
      for (let i = 0; i < 2500; i++) {
        settled.open(random.below(3), random.below(2), random.below(RESERVE + 1));
        settled.pass(random.pick([2, 20, 100, 400]));
        assert.ok(settled.in() <= limit, `${settled.in()} of ${limit}`);
        const { underWay } = settled;
        if (underWay.length > 12 || (underWay.length > 0 && random.chance(0.3)))
          settled.end(random.pick(underWay), random.chance(0.1));
      }
      assert.ok(settled.refused > 100, `${settled.refused} refused`);
      settled.mesh.assertSound();
    });

    it(`are counted in the minute of the answer, where it costs more and the minute has turned (seed ${seed})`, async () => {
      const random = new Random(seed * 19);
      const settled = new SettledMesh({ name: 'q', limit: 100_000, window: 'minute' });
      let before = 0;
      for (let minute = 0; minute < 6; minute++) {
        // all Envoys know the minute before anything settles in it
        for (const envoy of [0, 1, 2]) await settled.plain(envoy, 0);
        run(settled, random, 120);
        settled.pass(QUIET_MS);
        // what is in flight has been charged, and settles in the next minute
        assert.equal(settled.told - before, settled.in() + settled.held(), `minute ${minute}`);
        before = settled.told;
        settled.mesh.pass(60_000 - (settled.nowMs % 60_000) + 5);
      }
      settled.mesh.assertSound();
    });

    for (const mode of ['allow', 'deny', 'local-share'] as const) {
      it(`are told of once the service is back, under ${mode} (seed ${seed})`, () => {
        const random = new Random(seed * 23);
        const settled = new SettledMesh(quotaOf(mode));
        run(settled, random, 150);
        const known = new Set(settled.underWay);
        settled.mesh.rateLimitService.fault = () => 14;
        settled.pass(500);
        const during = settled.in();
        // those of before settle while it is away, among others that a failure mode decides
        for (const flight of known) {
          if (random.chance(0.5)) settled.open(random.below(3), random.below(2), MOST);
          settled.end(flight);
        }
        settled.endAll();
        assert.notEqual(settled.in(), during);
        settled.mesh.rateLimitService.fault = null;
        settled.pass(15_000);
        if (mode === 'deny') {
          run(settled, random, 100);
          settled.endAll();
          settled.pass(QUIET_MS);
          assert.equal(settled.told, settled.in() + settled.held());
        }
        settled.mesh.assertSound();
      });
    }
  }

  it('settle nothing where the service has never answered and all may pass, and keep to their share where that is the rule', async () => {
    for (const mode of ['allow', 'deny', 'local-share'] as const) {
      const settled = new SettledMesh(quotaOf(mode), { envoys: 1 });
      settled.mesh.rateLimitService.fault = () => 14;
      const passed = (): number => settled.underWay.length;
      settled.open(0, 0, 10);
      settled.pass(200);
      assert.equal(passed(), mode === 'deny' ? 0 : 1, mode);
      settled.endAll();
      settled.open(0, 0, 0);
      settled.pass(200);
      settled.endAll();
      for (let i = 0; i < 10; i++) settled.open(0, 0, MOST);
      settled.pass(200);
      // of the share, 10 units are spent, and each takes 3
      assert.equal(passed(), { allow: 10, deny: 0, 'local-share': Math.floor((SHARE - 10) / RESERVE) }[mode], mode);
      settled.endAll();
      settled.mesh.rateLimitService.fault = null;
      settled.pass(15_000);
      assert.ok(await settled.plain(0, 0), 'the service is back, and what the share counted is not told');
      settled.pass(QUIET_MS);
      assert.equal(settled.told, 1 + settled.held(), mode);
      settled.mesh.assertSound();
    }
  });

  it('are not told twice, where they pass the limit and it is raised', async () => {
    const settled = new SettledMesh({ name: 'q', limit: 50, window: 'hour' }, { envoys: 1 });
    for (let i = 0; i < 8; i++) settled.open(0, i % 2, MOST);
    settled.pass(200);
    settled.endAll();
    settled.pass(QUIET_MS);
    await settled.plain(0, 0);
    settled.pass(QUIET_MS);
    const used = settled.in();
    assert.ok(used > 200, `${used} used of 50`);
    settled.mesh.load(config([{ name: 'q', limit: 1000, window: 'hour' }]));
    settled.mesh.hosts[0]!.retireAllButNewest();
    settled.pass(60_000);
    const passed = await settled.rest();
    // the call that told of them asked for a unit that was past the limit
    assert.ok(1000 - used - passed <= 8, `${passed} passed of 1000, with ${used} used`);
    assert.ok(used + passed <= 1000);
    settled.mesh.assertSound();
  });

  it('are told of to the last unit, where Envoys owe more than one call can say', async () => {
    const most = 1_000_000;
    const settled = new SettledMesh({ name: 'q', limit: 2 ** 40, window: 'hour' }, { envoys: 1, most });
    for (let i = 0; i < 5000; i++) {
      settled.open(0, i % 2, most);
      if (i % 50 === 0) settled.mesh.pass(10);
    }
    settled.pass(100);
    assert.equal(settled.underWay.length, 5000);
    settled.endAll();
    settled.pass(QUIET_MS);
    const owed = -settled.held();
    assert.ok(owed > 2 ** 32, `${owed} owed`);
    for (let i = 0; i < 6; i++) settled.mesh.ask(0, 0, 'acme', () => undefined, PLAIN);
    settled.pass(QUIET_MS);
    // a number of 32 bits is what the service reads, and the most that it has a limit for
    const { asks } = settled.mesh.rateLimitService;
    assert.ok(asks.every(({ hits }) => hits < 2 ** 32));
    assert.ok(settled.told >= 2 ** 32 - 1, `told of ${settled.told} of ${owed}`);
    settled.mesh.assertSound();
  });
});

describe('requests that cost several units of a mesh-wide quota', () => {
  for (const seed of SEEDS)
    it(`are let through from the first on, and use the limit up to the last that fits (seed ${seed})`, () => {
      for (const limit of [30, 300, 30_000]) {
        const random = new Random(seed * 29 + limit);
        const settled = new SettledMesh({ name: 'q', limit, window: 'hour' }, { envoys: 1 });
        for (let i = 0; i < 400; i++) {
          settled.open(0, random.below(2), RESERVE);
          if (random.chance(0.5)) settled.pass(random.pick([2, 10, 60]));
          assert.ok(settled.in() <= limit, `${settled.in()} of ${limit}`);
        }
        settled.pass(QUIET_MS);
        for (let i = 0; i < 20; i++) {
          settled.open(0, i % 2, RESERVE);
          settled.pass(QUIET_MS);
        }
        assert.equal(settled.failed, 0, `limit ${limit}`);
        const fit = Math.floor(limit / RESERVE);
        assert.equal(settled.underWay.length, Math.min(420, fit), `limit ${limit}, ${settled.refused} refused`);
        settled.mesh.assertSound();
      }
    });
});

function quotaOf(mode: Mode): MeshQuota {
  const share = mode === 'local-share' ? { localShare: SHARE } : {};
  return { name: 'q', limit: 1_000_000, window: 'hour', onUnavailable: mode, ...share };
}
