import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { realPrograms } from '../../harness/rateLimitService/available.ts';
import { hangUpHttp1, hangUpHttp2 } from './hangUp.ts';
import type { MeshEnvoy } from '../../harness/rateLimitService/meshEnvoy.ts';
import { meshConfig, type MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import { onFake, onReal, withService } from './proving.ts';
import { pause, steadyUnit } from './steady.ts';
import { allowedIn, hammerAll, pace, tallyOf, whenOver, whenQuiet } from './traffic.ts';

const found = await available();
const programs = await realPrograms();
const noService = found.skip !== false ? found.skip : typeof programs === 'string' ? programs : false;

const EDITS = 8;
/** Connections for an even load. */
const EVEN = 6;

function evenly(envoys: readonly MeshEnvoy[]): { envoy: MeshEnvoy; connections: number }[] {
  return envoys.map((envoy) => ({ envoy, connections: EVEN }));
}

describe('clients that hang up while they wait for the rate limit service', { skip: found.skip }, () => {
  it('cause no trap, and leave what was granted to others', { timeout: 300_000 }, async (t) => {
    const limit = 300;
    await withService(
      onFake,
      found,
      { quotas: [{ name: 'q', limit, window: steadyUnit() }], envoys: 2, timeoutMs: 1000 },
      async (envoys, fake) => {
        fake.delayMs = 60;
        for (let round = 0; round < 12; round++) {
          await Promise.all(
            envoys.flatMap(({ port }) => [
              ...Array.from({ length: 15 }, (_, i) => hangUpHttp1(port, 5 + i * 4)),
              hangUpHttp2(port, 25, 5 + round * 5),
            ]),
          );
        }
        const before = fake.calls.length;
        const gone = envoys.flatMap(({ entries }) => entries).filter(({ flags }) => flags?.includes('DC')).length;
        const answered = envoys.flatMap(({ entries }) => entries).filter(({ status }) => status === 200).length;
        fake.delayMs = 0;
        const tallies = await hammerAll(evenly(envoys), whenQuiet(2500));
        const asked = fake.calls.reduce((sum, { ask }) => sum + ask.hits, 0);
        const served = envoys
          .flatMap(({ entries }) => entries)
          .filter(({ tollgate }) => tollgate?.startsWith('reason=allowed')).length;
        t.diagnostic(
          `${gone} clients gone of ${12 * 80}, ${answered} answered before; ${before} calls then, ${fake.calls.length} in all, ${asked} units asked; ${allowedIn(tallies)} allowed after`,
        );
        assert.ok(gone >= 100, `only ${gone} clients were gone in time`);
        // Whoever was let through had its unit, whether or not its client was there to hear of it.
        assert.ok(served <= limit, `${served} let through of ${limit}`);
        assert.ok(served >= limit * 0.95, `only ${served} let through of ${limit}`);
      },
    );
  });
});

describe('an edit of the policy while calls are under way', { skip: found.skip }, () => {
  it('fails no request, keeps counts and lets the old root drain', { timeout: 300_000 }, async (t) => {
    const limit = 3000;
    const quotas: MeshQuota[] = [{ name: 'q', limit, window: steadyUnit() }];
    await withService(onFake, found, { quotas, envoys: 2, timeoutMs: 1000 }, async (envoys, fake) => {
      fake.delayMs = 40;
      let edited = false;
      const running = hammerAll(evenly(envoys), () => edited);
      for (let edit = 0; edit < EDITS; edit++) {
        await pause(60);
        await Promise.all(
          envoys.map((envoy) => envoy.edit(meshConfig(quotas, { timeoutMs: 1000, routes: [`r${edit}`] }))),
        );
      }
      await pause(300);
      edited = true;
      const during = await running;
      fake.delayMs = 0;
      const after = await hammerAll(evenly(envoys), whenQuiet(2500));
      const allowed = allowedIn(during) + allowedIn(after);
      const asked = fake.calls.reduce((sum, { ask }) => sum + ask.hits, 0);
      t.diagnostic(
        `${allowedIn(during)} allowed during the edits, ${allowed} of ${limit} in all; ${asked} units asked in ${fake.calls.length} calls`,
      );
      assert.deepEqual(
        [...new Set([...during, ...after].flatMap((tally) => [...tally.keys()]))].filter(
          (status) => status !== 200 && status !== 429,
        ),
        [],
      );
      assert.ok(allowed <= limit, `${allowed} allowed of ${limit}`);
      // The answer to a call goes with the root that made it; one call is under way in each Envoy.
      const largest = Math.max(...fake.calls.map(({ ask }) => ask.hits));
      assert.ok(
        limit - allowed <= EDITS * envoys.length * largest,
        `only ${allowed} allowed of ${limit}, with calls for ${largest} at most`,
      );
    });
  });
});

describe('an Envoy that is killed while it holds units', { skip: noService }, () => {
  it('loses no more of the limit than it held', { timeout: 300_000 }, async (t) => {
    const limit = 5000;
    await withService(
      onReal(programs),
      found,
      { quotas: [{ name: 'q', limit, window: steadyUnit() }], envoys: 4, timeoutMs: 1000 },
      async (envoys, service) => {
        const before = await pace(envoys, 800, 1500);
        const last = envoys.pop()!;
        await last.kill();
        const rest = await hammerAll(evenly(envoys), whenQuiet(2500));
        const allowed = (tallyOf(before)[200] ?? 0) + allowedIn(rest);
        const charged = await service.charged('quota_q_consumer_acme');
        t.diagnostic(`${allowed} of ${limit} allowed: ${limit - allowed} stranded; ${charged} charged`);
        assert.ok(allowed <= limit, `${allowed} allowed of ${limit}`);
        // At most an eighth of its share of what remained, twice: one grant in hand and one under way.
        assert.ok(limit - allowed <= (2 * (limit - before.length)) / 8, `${limit - allowed} stranded`);
      },
    );
  });
});

describe('windows of a second', { skip: noService }, () => {
  it('begin again for every Envoy, and no lease outlives its second', { timeout: 300_000 }, async (t) => {
    const limit = 100;
    await withService(
      onReal(programs),
      found,
      { quotas: [{ name: 'q', limit, window: 'second' }], envoys: 4, timeoutMs: 1000 },
      async (envoys) => {
        const started = Date.now();
        await hammerAll(evenly(envoys), whenOver(6000));
        await pause(300);
        const passed = envoys.flatMap(({ entries }) => entries).filter(({ status }) => status === 200);
        const first = Math.ceil(started / 1000) + 1;
        const counts = [0, 1, 2, 3].map((i) => {
          const [from, to] = [(first + i) * 1000, (first + i + 1) * 1000];
          // A request that waited was decided when it ended; one that touches a border may belong to either side.
          const times = passed.map(
            ({ time, durationMs }) => [Date.parse(time), Date.parse(time) + durationMs] as const,
          );
          const surely = times.filter(([begin, end]) => begin >= from + 2 && end < to - 2).length;
          const possibly = times.filter(([begin, end]) => end >= from - 2 && begin < to + 2).length;
          return [surely, possibly] as const;
        });
        t.diagnostic(
          `allowed in four whole seconds, surely and possibly: ${counts.map((pair) => pair.join('–')).join(', ')} of ${limit}`,
        );
        for (const [surely, possibly] of counts) {
          assert.ok(surely <= limit, `${surely} in a second`);
          assert.ok(possibly >= limit * 0.8, `only ${possibly} in a second`);
        }
        const seconds = Math.floor(Date.now() / 1000) - Math.floor(started / 1000) + 1;
        assert.ok(passed.length <= seconds * limit, `${passed.length} in ${seconds} windows`);
      },
    );
  });
});
