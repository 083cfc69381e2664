import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { count, drain, send } from '../../harness/envoy/load.ts';
import { MeteredUpstream, someUsage, spend, type Price, type Wanted } from '../../harness/settledLoad.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { Random } from '../../harness/random.ts';
import { LocalEnvoy } from '../../scripts/envoy/localEnvoy.ts';
import { snapshotOf, type Snapshot } from '../../scripts/envoy/snapshot.ts';
import { compilePolicy, validPolicy } from '../../scripts/policy/index.ts';

const found = await available();
const KEY = 'acme-secret-key';
const RESERVE = 3;
const MOST = 40;

function policy(limit: number, counts: 'all' | 'success', route = 'a'): string {
  return `policy: settled
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  metered:
    paths: [/metered]
    plans: [free]
    upstream: v1
    cost: { reserve: ${RESERVE}, header: x-usage, most: ${MOST}, counts: ${counts} }
    routes: [{ name: ${route}, when: { headers: { x-take: ${route} } }, upstream: v1 }]
  plain: { paths: [/plain], plans: [free], upstream: v1 }
plans: { free: { quotas: { yearly: { limit: ${limit}, window: year } } } }
consumers:
  acme: { plan: free, keys: [{ id: k, digest: "${digestOf(KEY)}" }] }
`;
}

interface Running {
  readonly envoy: LocalEnvoy;
  readonly upstream: MeteredUpstream;
  apply(text: string): Promise<void>;
}

async function withEnvoy(workers: number, text: string, run: (running: Running) => Promise<void>): Promise<void> {
  if (found.skip !== false) throw new Error(found.skip);
  const upstream = await MeteredUpstream.start(new Random(workers));
  const snapshot = (written: string): Snapshot => {
    const { policy } = validPolicy(written, 'settled.policy.yaml');
    return snapshotOf(policy, compilePolicy(policy), new Map([['v1', upstream.url]]));
  };
  const envoy = await LocalEnvoy.start(snapshot(text), {
    envoy: found.envoy,
    module: found.module,
    concurrency: workers,
    port: 0,
    adminPort: 0,
  });
  try {
    await run({ envoy, upstream, apply: (written) => envoy.apply(snapshot(written)) });
    assert.deepEqual(
      envoy.logged.filter((line) => /^(error|critical) |wasm.*trap/i.test(line)),
      [],
    );
  } finally {
    await envoy.stop();
    await upstream.close();
  }
}

/** Longer than workers take to give back what they have leased under a higher limit. */
const RETURNED_MS = 1500;

/** How many units are left of the quota, by spending them one by one. */
async function left({ envoy }: Running, expected: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, RETURNED_MS));
  const load = { port: envoy.port, path: '/plain', headers: { 'x-api-key': KEY }, connections: 8 };
  const reached = await drain(load, 0, expected);
  return reached + count(await send(load, 50), 200);
}

describe('settled requests on a real Envoy', { skip: found.skip }, () => {
  for (const workers of [1, 4]) {
    for (const counts of ['all', 'success'] as const) {
      it(`come to the sum of what their answers say, with resets and edits, ${workers} workers, ${counts}`, async () => {
        const limit = 1_000_000;
        await withEnvoy(workers, policy(limit, counts), async (running) => {
          const random = new Random(workers + counts.length);
          const price: Price = { reserve: RESERVE, most: MOST, successOnly: counts === 'success' };
          let requests = 1500;
          let edit: Promise<void> = Promise.resolve();
          const next = (): Wanted | null => {
            if (--requests < 0) return null;
            if (requests % 300 === 0)
              edit = edit.then(() => running.apply(policy(limit + requests, counts, `r${requests}`)));
            return {
              status: random.pick([200, 200, 201, 404, 503]),
              usage: someUsage(random, MOST),
              never: random.chance(0.2),
            };
          };
          const { port } = running.envoy;
          const { upstream } = running;
          const tally = await spend({ port, path: '/metered', key: KEY, upstream, price, connections: 24, next });
          await edit;
          assert.equal(tally.unknown, 0);
          assert.equal(tally.refused, 0);
          assert.ok(tally.reset > 200, `${tally.reset} resets`);
          await running.apply(policy(tally.units + 100, counts, 'end'));
          assert.equal(await left(running, 100), 100, `of ${tally.units} units`);
        });
      });
    }
  }

  it('pass the limit by no more than what is in flight can cost, and are refused from then on', async () => {
    await withEnvoy(2, policy(50, 'all'), async (running) => {
      let requests = 400;
      const next = (): Wanted | null => (--requests < 0 ? null : { status: 200, usage: [String(MOST)], never: false });
      const { port } = running.envoy;
      const { upstream } = running;
      const price: Price = { reserve: RESERVE, most: MOST, successOnly: false };
      const tally = await spend({ port, path: '/metered', key: KEY, upstream, price, connections: 40, next });
      assert.ok(tally.passed <= Math.floor(50 / RESERVE), `${tally.passed} passed`);
      assert.ok(tally.refused > 300);
      assert.ok(tally.units > 50 && tally.units <= 50 + tally.passed * (MOST - RESERVE), `${tally.units} units`);
      await running.apply(policy(tally.units, 'all', 'end'));
      assert.equal(await left(running, 1), 0);
      await running.apply(policy(tally.units + 7, 'all', 'more'));
      assert.equal(await left(running, 7), 7);
    });
  });
});
