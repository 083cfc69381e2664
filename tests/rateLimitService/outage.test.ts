import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { waitFor } from '../../harness/mesh/wait.ts';
import { realPrograms } from '../../harness/rateLimitService/available.ts';
import { MeshEnvoy } from '../../harness/rateLimitService/meshEnvoy.ts';
import { meshConfig, POLICY, rulesOf, type MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import { onFake, withService } from './proving.ts';
import { RealService } from '../../harness/rateLimitService/realService.ts';
import { pause, steadyUnit } from './steady.ts';
import { ask, pace, tallyOf, type Answer } from './traffic.ts';

const found = await available();
const programs = await realPrograms();
const skip = found.skip !== false ? found.skip : typeof programs === 'string' ? programs : false;

const SHARE = 25;
const LIMIT = 100_000;
const MODES = ['allow', 'deny', 'local-share'] as const;
type Mode = (typeof MODES)[number];
/** No request may hang with the service. That it waits 50 ms and not one more is proven in virtual time: a machine can be busy. */
const PATIENCE_MS = 10_000;
/** Long enough for the answer of a service that is there, whatever else the machine does: a call that takes longer is a failure too. */
const PRESENT_MS = 1000;
/** Backoff goes up to ten seconds, and every connection of the service to a Redis that was gone fails once more. */
const RECOVERY_MS = 40_000;

/** One Envoy for each failure mode, each with a counter of its own, and one real service behind them. */
class Modes {
  private constructor(
    readonly service: RealService,
    private readonly envoys: Map<Mode, MeshEnvoy>,
  ) {}

  static async start(options: { serviceDomain?: string; limit?: number; timeoutMs?: number } = {}): Promise<Modes> {
    if (typeof programs === 'string') throw new Error(programs);
    const quotas = MODES.map((mode) => quotaOf(mode, options.limit ?? LIMIT));
    const service = await RealService.start(programs, {
      domain: options.serviceDomain ?? POLICY,
      rules: rulesOf(quotas),
    });
    const envoys = new Map<Mode, MeshEnvoy>();
    try {
      await Promise.all(
        MODES.map(async (mode, i) =>
          envoys.set(mode, await MeshEnvoy.start(found, meshConfig([quotas[i]!], options), service.port)),
        ),
      );
      return new Modes(service, envoys);
    } catch (error) {
      await new Modes(service, envoys).stop();
      throw error;
    }
  }

  envoy(mode: Mode): MeshEnvoy {
    return this.envoys.get(mode)!;
  }

  /** The same to every Envoy at once. */
  async each<T>(run: (envoy: MeshEnvoy, mode: Mode) => Promise<T>): Promise<Record<Mode, T>> {
    const results = await Promise.all(MODES.map(async (mode) => [mode, await run(this.envoy(mode), mode)] as const));
    return Object.fromEntries(results) as Record<Mode, T>;
  }

  load(perSecond: number, forMs: number): Promise<Record<Mode, Answer[]>> {
    return this.each((envoy) => pace([envoy], perSecond, forMs));
  }

  assertNoComplaint(): void {
    assert.deepEqual(
      MODES.flatMap((mode) => this.envoy(mode).complaints),
      [],
    );
  }

  async stop(): Promise<void> {
    await Promise.all([...this.envoys.values()].map((envoy) => envoy.stop()));
    await this.service.stop();
  }
}

function quotaOf(mode: Mode, limit: number): MeshQuota {
  return {
    name: `q-${mode}`,
    limit,
    window: steadyUnit(),
    onUnavailable: mode,
    ...(mode === 'local-share' ? { localShare: SHARE } : {}),
  };
}

async function withModes(
  run: (modes: Modes) => Promise<void>,
  options: Parameters<typeof Modes.start>[0] = {},
): Promise<void> {
  const modes = await Modes.start(options);
  try {
    await run(modes);
    modes.assertNoComplaint();
  } finally {
    await modes.stop();
  }
}

/** What every mode answers to requests that find the rate limit service gone, with nothing left in hand. */
function assertModes(answers: Record<Mode, Answer[]>, what: string): void {
  assert.deepEqual(tallyOf(answers.allow), { 200: answers.allow.length }, what);
  assert.deepEqual(tallyOf(answers.deny), { 503: answers.deny.length }, what);
  const share = tallyOf(answers['local-share']);
  assert.deepEqual(share, { 200: SHARE, 429: answers['local-share'].length - SHARE }, what);
  for (const mode of MODES) {
    const slowest = Math.max(...answers[mode].map(({ ms }) => ms));
    assert.ok(slowest < PATIENCE_MS, `${what}, ${mode}: one took ${slowest} ms`);
  }
}

/** Sends until what was leased before is spent: the failure mode shows. */
async function spendHeld(modes: Modes): Promise<void> {
  await modes.each(async (envoy, mode) => {
    await waitFor(`${mode} to decide every request`, async () => {
      // An idle worker's lease is back in the stock after half a second, and a counter is shown after a quarter, or later.
      await pause(2000);
      const before = await envoy.metric('tollgate_quota_unavailable_total', { mode });
      await ask(envoy, 20);
      await pause(1000);
      return (await envoy.metric('tollgate_quota_unavailable_total', { mode })) - before === 20;
    });
  });
}

/** Resolves to how long the rate limit service took to be found, and then the last worker to know. */
async function recovers(modes: Modes): Promise<string> {
  const started = Date.now();
  await modes.each(async (envoy) => {
    const before = await envoy.metric('tollgate_rate_limit_service_granted_units_total');
    return waitFor(
      'the rate limit service to be found again',
      async () => {
        const answers = await ask(envoy, 40);
        return (
          answers.every(({ status }) => status === 200) &&
          (await envoy.metric('tollgate_rate_limit_service_granted_units_total')) > before
        );
      },
      RECOVERY_MS,
      100,
    );
  });
  const found = Date.now();
  await modes.each((envoy) =>
    waitFor(
      'no worker to believe that it is down',
      async () => {
        await pace([envoy], 400, 300);
        return (await envoy.metric('tollgate_rate_limit_service_unavailable_vms')) === 0;
      },
      RECOVERY_MS,
      0,
    ),
  );
  return `rate limit service found again within ${found - started} ms, the last worker knew ${Date.now() - found} ms later`;
}

describe('a service that goes', { skip }, () => {
  it('leaves requests to each failure mode while it is killed, and is found again', { timeout: 300_000 }, async (t) => {
    await withModes(
      async (modes) => {
        for (const answers of Object.values(await modes.load(100, 500)))
          assert.deepEqual(tallyOf(answers), { 200: answers.length });
        await modes.service.killService();
        await spendHeld(modes);
        const shareUsed = await modes
          .envoy('local-share')
          .metric('tollgate_quota_unavailable_total', { mode: 'local-share' });
        const gone = await modes.load(200, 2000);
        t.diagnostic(
          Object.entries(gone)
            .map(([mode, answers]) => `${mode}: ${JSON.stringify(tallyOf(answers))}`)
            .join(' '),
        );
        assert.deepEqual(tallyOf(gone.allow), { 200: gone.allow.length });
        assert.deepEqual(tallyOf(gone.deny), { 503: gone.deny.length });
        const allowed = tallyOf(gone['local-share'])[200] ?? 0;
        assert.ok(
          allowed <= SHARE && allowed >= SHARE - shareUsed,
          `${allowed} of a share of ${SHARE}, ${shareUsed} asked for before`,
        );
        assert.equal(allowed + (tallyOf(gone['local-share'])[429] ?? 0), gone['local-share'].length);
        await modes.service.startService();
        t.diagnostic(await recovers(modes));
      },
      { timeoutMs: PRESENT_MS },
    );
  });

  it(
    'leaves them to it as well while it hangs on a Redis that is gone, and recovers with it',
    { timeout: 300_000 },
    async (t) => {
      await withModes(async (modes) => {
        await modes.service.killRedis();
        assertModes(await modes.load(200, 1500), 'Redis gone');
        await modes.service.startRedis();
        t.diagnostic(await recovers(modes));
      });
    },
  );

  // A call may take up to ten timeouts, 500 ms; both delays are far from it.
  for (const delayMs of [200, 1500]) {
    it(`is never unlimited with a Redis that takes ${delayMs} ms`, { timeout: 300_000 }, async (t) => {
      const limit = 60;
      await withModes(
        async (modes) => {
          modes.service.redisDelayMs = delayMs;
          const slow = await modes.load(200, 3000);
          t.diagnostic(
            Object.entries(slow)
              .map(([mode, answers]) => `${mode}: ${JSON.stringify(tallyOf(answers))}`)
              .join(' '),
          );
          // What an answer grants that comes later than a call may take is lost.
          assert.ok((tallyOf(slow.deny)[200] ?? 0) <= (delayMs < 500 ? limit : 0), 'deny');
          assert.ok((tallyOf(slow['local-share'])[200] ?? 0) <= SHARE + (delayMs < 500 ? limit : 0), 'local share');
          for (const mode of MODES)
            assert.ok(Math.max(...slow[mode].map(({ ms }) => ms)) < PATIENCE_MS, `${mode} waits for no call`);
          const envoy = modes.envoy('deny');
          assert.ok((await envoy.metric('tollgate_quota_unavailable_total', { mode: 'deny' })) > 0);
          assert.ok((await envoy.metric('tollgate_wait_timeouts_total')) > 0);
        },
        { limit },
      );
    });
  }

  it('grants nothing when it knows only another domain', { timeout: 300_000 }, async () => {
    await withModes(
      async (modes) => {
        assertModes(await modes.load(200, 1000), 'unknown domain');
        assert.ok(
          (await modes.envoy('deny').metric('tollgate_rate_limit_service_unlimited_total')) > 0,
          'counted as unlimited',
        );
      },
      { serviceDomain: 'elsewhere' },
    );
  });
});

describe('a service that fails', { skip: found.skip }, () => {
  it('is not called in a stampede, and over one connection per worker', { timeout: 300_000 }, async (t) => {
    await withService(
      onFake,
      found,
      { quotas: [{ name: 'q', limit: 1_000_000, window: steadyUnit() }], envoys: 4, timeoutMs: PRESENT_MS },
      async (envoys, fake) => {
        await pace(envoys, 400, 1000);
        fake.fault = { kind: 'status', status: 14 };
        const failing = fake.calls.length;
        const started = Date.now();
        await pace(envoys, 400, 4000);
        const calls = fake.calls.slice(failing);
        const late = calls.filter(({ atMs }) => atMs > started + 2000);
        t.diagnostic(
          `${calls.length} calls of 4 Envoys with 2 workers in 4 s of failure, ${late.length} in the last 2 s; ${fake.connections} connections`,
        );
        // A worker tries at 0.1, 0.2, 0.4, 0.8, 1.6 s, each less up to a half.
        assert.ok(calls.length <= 8 * 10, `${calls.length} calls`);
        assert.ok(late.length <= 8 * 4, `${late.length} calls in the last two seconds`);
        assert.ok(fake.connections <= 8, `${fake.connections} connections`);
        fake.fault = null;
        await waitFor('the rate limit service to be found again', async () =>
          (await pace(envoys, 400, 300)).every(({ status }) => status === 200),
        );
        await fake.stop();
        await pace(envoys, 400, 1500);
        await fake.listen();
        const back = fake.calls.length;
        await waitFor('the rate limit service to be found again', async () =>
          (await pace(envoys, 400, 300)).every(({ status }) => status === 200),
        );
        assert.ok(fake.connections <= 8 + 8 + 8, `${fake.connections} connections`);
        assert.ok(fake.calls.length - back <= 400, `${fake.calls.length - back} calls to come back`);
        await pause(10);
      },
    );
  });
});
