import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { modulePath } from '../../scripts/build/module.ts';
import { keyOf, pluginConfig } from '../../harness/config.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { Host } from '../../scripts/host/host.ts';
import { decisionOf } from '../../scripts/host/openRequest.ts';
import { addressIn, CELLS, neighbours, network, placeOf } from '../../harness/visitorPlace.ts';

const module = loadModule(modulePath);
const START = Date.UTC(2026, 0, 15, 12);
const LIMIT = 2;
const KNOWN = network('20010db8', 7);

interface Options {
  readonly workers?: number;
  readonly window?: string;
  readonly burst?: number;
  readonly total?: number;
  readonly warnAt?: number[];
}

/** Two consumers whose plan has a quota per address, and one beside it of each consumer. */
function start({ workers = 1, window = 'day', burst, total = 1_000_000, warnAt }: Options = {}): Host {
  const host = new Host(module, { workers, startMs: START });
  const size = burst === undefined ? { limit: LIMIT, window } : { limit: LIMIT, window, burst };
  const config = pluginConfig(
    [
      { name: 'each', per: 'address', ...size, ...(warnAt && { warnAt }) },
      { name: 'total', limit: total, window: 'day' },
    ],
    { consumers: 2 },
  );
  assert.ok(host.load(JSON.stringify({ ...config, clientAddress: { trustedHops: 1 } })), host.logs().join('\n'));
  return host;
}

function call(host: Host, address: string | null, consumer = 0, worker = 0): string {
  const exchange = host.request(
    [
      [':authority', 'api.example.com'],
      [':path', '/v1/pets'],
      [':method', 'GET'],
      [':scheme', 'https'],
      ['x-api-key', keyOf(consumer)],
      ...(address === null ? [] : [['x-forwarded-for', address] as [string, string]]),
    ],
    { worker },
  );
  return decisionOf(exchange)?.reason ?? '';
}

const passes = (host: Host, high: bigint, consumer = 0, worker = 0): boolean =>
  call(host, addressIn(high), consumer, worker) === 'allowed';

describe('a flood of addresses with a right key', () => {
  const place = placeOf(KNOWN);

  for (const burst of [undefined, LIMIT]) {
    const of = burst === undefined ? '' : ', of buckets';
    it(`takes no place from addresses that are counted, and shares one counter${of}`, () => {
      const host = start(burst === undefined ? { workers: 2 } : { workers: 2, burst });
      // Counters of another consumer's addresses may lie in another shard: this one has the flooder's own key.
      assert.ok(passes(host, KNOWN, 0, 1));
      const attackers = neighbours('2a000001', place, CELLS + 40);
      const passed = attackers.map((high) => passes(host, high)).filter((pass) => pass).length;
      assert.equal(passed, CELLS - 1 + LIMIT, 'as many as there are places, and one limit for the others');
      assert.ok(passes(host, KNOWN, 0, 0));
      assert.ok(!passes(host, KNOWN, 0, 1), 'the limit of a known address is neither more nor less');
      assert.ok(passes(host, attackers[0]!, 0, 1));
      assert.ok(!passes(host, attackers[0]!, 0, 0));
      host.pass(1000);
      assert.equal(host.total('tollgate_anonymous_crowded_total'), 41);
      assert.deepEqual(host.faults, []);
    });
  }

  it('crowds out no address of another network, and nobody with another key', () => {
    const host = start();
    for (const high of neighbours('2a000001', place, CELLS + 10)) call(host, addressIn(high));
    const others = ['2a000002', '2a000003', '2a000004'].map((prefix) => neighbours(prefix, place, 1)[0]!);
    assert.deepEqual(
      others.map((high) => [passes(host, high), passes(host, high), passes(host, high)]),
      others.map(() => [true, true, false]),
    );
    // From the very network of the flood, but for another consumer.
    const [late] = neighbours('2a000001', place, CELLS + 11).slice(-1) as [bigint];
    assert.ok(!passes(host, late));
    assert.deepEqual(
      [0, 1, 2].map(() => passes(host, late, 1)),
      [true, true, false],
    );
  });

  it('leaves the quotas of the consumer as they are', () => {
    const host = start({ total: CELLS + 20, workers: 2 });
    const attackers = neighbours('2a000001', place, CELLS + 40);
    // One address after the other, until each of them, and the crowd, has nothing left.
    let passed = 0;
    for (let round = 0; round < LIMIT; round++)
      for (const [index, high] of attackers.entries()) if (passes(host, high, 0, index % 2)) passed++;
    assert.equal(passed, CELLS + 20);
    assert.ok(passes(host, KNOWN, 1));
  });

  it('counts what warns once for each address, and none for a crowd that finds no place for it', () => {
    const host = start({ warnAt: [50] });
    for (const high of neighbours('2a000001', place, 5)) for (let i = 0; i < LIMIT; i++) call(host, addressIn(high));
    host.pass(1000);
    assert.equal(host.total('tollgate_quota_warnings_total'), 5);
    assert.deepEqual(host.faults, []);
  });

  it('counts all requests as one whose address is not known', () => {
    const host = start();
    const texts = [null, 'unknown', '', '/run/envoy.sock', '[::1', '203.0.113.7, _hidden'];
    assert.deepEqual(
      texts.map((text) => call(host, text)),
      ['allowed', 'allowed', ...texts.slice(2).map(() => 'quota_exceeded')],
    );
    assert.equal(call(host, null, 1), 'allowed');
    assert.equal(call(host, '203.0.113.7'), 'allowed');
  });

  it('does not make the VM grow without bound', (t) => {
    const host = start();
    const sizes = [10_000, 100_000, 200_000].map((end, index) => {
      for (let i = [0, 10_000, 100_000][index]!; i < end; i++) call(host, addressIn(network('2a000001', i)));
      return host.workers[0]!.memory.byteLength;
    });
    const { sharedData } = host.process;
    const stored = sharedData.keys().reduce((sum, key) => sum + sharedData.get(key)!.value.length, 0);
    t.diagnostic(`VM: ${sizes.join(', ')} bytes; shared data: ${stored} bytes`);
    assert.equal(sizes[2], sizes[0]);
    // 1,024 shards of 128 cells of 56 bytes, one crowd, the pool's one cell, and headers of 24 bytes and small change
    assert.ok(stored < 1024 * 128 * 56 + 200_000, `${stored} bytes`);
    assert.deepEqual(host.faults, []);
  });
});

it('counts addresses by what Envoy takes for the client where no hops are trusted, and asks for it once', () => {
  const host = new Host(module, { startMs: START });
  const config = pluginConfig([{ name: 'each', limit: LIMIT, window: 'day', per: 'address' }]);
  assert.ok(host.load(JSON.stringify(config)), host.logs().join('\n'));
  const from = (source: string): string | undefined =>
    decisionOf(
      host.request(
        [
          [':authority', 'api.example.com'],
          [':path', '/v1/pets'],
          [':method', 'GET'],
          ['x-api-key', keyOf(0)],
          ['x-forwarded-for', '203.0.113.9'],
        ],
        { source },
      ),
    )?.reason;
  assert.deepEqual(
    ['10.0.0.1:50000', '10.0.0.1:50001', '10.0.0.1:50002', '10.0.0.2:1', '/run/a.sock', '', '/run/b.sock'].map(from),
    ['allowed', 'allowed', 'quota_exceeded', 'allowed', 'allowed', 'allowed', 'quota_exceeded'],
  );
  assert.deepEqual(host.faults, []);
});
