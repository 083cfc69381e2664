import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { FlightUpstream, fly, roomOf } from '../../harness/envoy/flightLoad.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { waitFor } from '../../harness/mesh/wait.ts';
import { seriesIn, totalOf } from '../../harness/prometheus.ts';
import { Random } from '../../harness/random.ts';
import { LocalEnvoy } from '../../scripts/envoy/localEnvoy.ts';
import { snapshotOf, type Snapshot } from '../../scripts/envoy/snapshot.ts';
import { compilePolicy, validPolicy } from '../../scripts/policy/index.ts';

const found = await available();
const LIMIT = 10;
const KEYS = ['first-secret-key', 'second-secret-key', 'third-secret-key'];

function policy(limit: number, route = 'a'): string {
  const consumer = (key: string, i: number): string =>
    `  c${i}: { plan: free, keys: [{ id: k${i}, digest: "${digestOf(key)}" }] }\n`;
  return `policy: petstore
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  petstore: { paths: [/v1], plans: [free], upstream: v1, routes: [{ name: ${route}, when: { headers: { x-take: ${route} } }, upstream: v1 }] }
plans: { free: { concurrency: ${limit} } }
consumers:
${KEYS.map(consumer).join('')}`;
}

async function withEnvoy(
  concurrency: number,
  upstream: FlightUpstream,
  run: (envoy: LocalEnvoy, snapshot: (text: string) => Snapshot) => Promise<void>,
): Promise<void> {
  if (found.skip !== false) throw new Error(found.skip);
  const snapshot = (text: string): Snapshot => {
    const { policy } = validPolicy(text, 'flights.policy.yaml');
    return snapshotOf(policy, compilePolicy(policy), new Map([['v1', upstream.url]]));
  };
  const envoy = await LocalEnvoy.start(snapshot(policy(LIMIT)), {
    envoy: found.envoy,
    module: found.module,
    concurrency,
    port: 0,
    adminPort: 0,
  });
  try {
    await run(envoy, snapshot);
    assert.deepEqual(
      envoy.logged.filter((line) => /^(error|critical) |wasm.*trap/i.test(line)),
      [],
    );
  } catch (error) {
    throw new Error(`${String(error)}\n${envoy.logged.slice(-12).join('\n')}`, { cause: error });
  } finally {
    await envoy.stop();
  }
}

describe('requests in flight on a real Envoy', { skip: found.skip }, () => {
  for (const [concurrency, count] of [
    [1, 25_000],
    [4, 25_000],
  ] as const) {
    it(`stay within their limit and do not drift over ${count} requests of which a third is reset, with ${concurrency} workers and edits`, async (t) => {
      const random = new Random(concurrency);
      const upstream = await FlightUpstream.start(random);
      try {
        await withEnvoy(concurrency, upstream, async (envoy, snapshot) => {
          let left = count;
          const goesOn = (): boolean => left-- > 0;
          const editing = async (): Promise<void> => {
            for (let edit = 0; left > 0; edit++) await envoy.apply(snapshot(policy(LIMIT, `r${edit % 7}`)));
          };
          const load = { port: envoy.port, upstream, random, keys: KEYS, streams: 12, connections: 3, goesOn };
          const [tally] = await Promise.all([fly(load), editing()]);
          t.diagnostic(JSON.stringify(tally));
          assert.equal(tally.others, 0);
          assert.ok(tally.reset > count / 8, `${tally.reset} reset`);
          assert.ok(tally.refused > count / 50, `${tally.refused} refused`);
          for (const key of KEYS) {
            assert.ok(upstream.mostOf(key) <= LIMIT, `${upstream.mostOf(key)} in flight of ${LIMIT}`);
            assert.equal(await roomOf(envoy.port, upstream, key, LIMIT + 4), LIMIT);
          }
          await waitFor('the gauge', async () => {
            const page = await envoy.admin.page('/stats/prometheus');
            return totalOf(seriesIn(page), 'tollgate_requests_in_flight') === 0;
          });
        });
      } finally {
        await upstream.close();
      }
    });
  }

  it('are held by an upgrade until its connection is closed, over an edit and the end of the old config', async () => {
    const upstream = await FlightUpstream.start(new Random(3));
    const [key = ''] = KEYS;
    try {
      await withEnvoy(2, upstream, async (envoy, snapshot) => {
        const tunnels = await Promise.all(Array.from({ length: 3 }, () => tunnel(envoy.port, key)));
        assert.equal(await roomOf(envoy.port, upstream, key, LIMIT + 2), LIMIT - 3);
        await envoy.apply(snapshot(policy(LIMIT, 'other')));
        assert.equal(await roomOf(envoy.port, upstream, key, LIMIT + 2), LIMIT - 3);
        for (const socket of tunnels) socket.destroy();
        await waitFor(
          'the end of the upgraded streams',
          async () => (await roomOf(envoy.port, upstream, key, LIMIT + 2)) === LIMIT,
        );
      });
    } finally {
      await upstream.close();
    }
  });
});

/** A WebSocket that the upstream has taken. */
function tunnel(port: number, key: string): Promise<{ destroy(): void }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(
        `GET /v1/pets HTTP/1.1\r\nhost: a.test\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nx-api-key: ${key}\r\n\r\n`,
      ),
    );
    socket.once('data', (bytes) =>
      bytes.toString().startsWith('HTTP/1.1 101') ? resolve(socket) : reject(new Error(bytes.toString().slice(0, 80))),
    );
    socket.on('error', reject);
  });
}
