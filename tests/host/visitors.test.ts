import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { modulePath } from '../../scripts/build/module.ts';
import { pluginConfig } from '../../harness/config.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { Host } from '../../scripts/host/host.ts';
import { decisionOf, type Exchange } from '../../scripts/host/openRequest.ts';
import { addressIn, CELLS, neighbours, network, placeOf } from '../../harness/visitorPlace.ts';

const module = loadModule(modulePath);
const START = Date.UTC(2026, 0, 15, 12);
const LIMIT = 2;

function start(workers = 1, window: 'day' | 'minute' = 'day'): Host {
  const host = new Host(module, { workers, startMs: START });
  const config = pluginConfig([{ name: 'few', limit: LIMIT, window }]);
  const apis = [{ ...config.apis[0]!, anonymousPlan: { plan: 'free' } }];
  assert.ok(host.load(JSON.stringify({ ...config, apis, clientAddress: { trustedHops: 1 } })), host.logs().join('\n'));
  return host;
}

function call(host: Host, high: bigint, worker = 0): Exchange {
  return host.request(
    [
      [':authority', 'api.example.com'],
      [':path', '/v1/pets'],
      [':method', 'GET'],
      [':scheme', 'https'],
      ['x-forwarded-for', addressIn(high)],
    ],
    { worker },
  );
}

const passes = (host: Host, high: bigint, worker = 0): boolean =>
  decisionOf(call(host, high, worker))?.reason === 'anonymous';

describe('a flood of callers without a key', () => {
  const KNOWN = network('20010db8', 7);
  const place = placeOf(KNOWN);

  it('takes no place from those who are counted, and shares one counter', () => {
    const host = start(2);
    assert.ok(passes(host, KNOWN, 1));
    const attackers = neighbours('2a000001', place, CELLS + 40);
    const passed = attackers.map((high) => passes(host, high)).filter((pass) => pass).length;
    assert.equal(passed, CELLS - 1 + LIMIT, 'as many as there are places, and one limit for the others');
    // whoever has a place goes on as before, on any worker
    assert.ok(passes(host, KNOWN, 0));
    assert.ok(!passes(host, KNOWN, 1), 'the limit of a known caller is neither more nor less');
    assert.ok(passes(host, attackers[0]!, 1));
    assert.ok(!passes(host, attackers[0]!, 0));
    host.pass(1000);
    assert.equal(host.total('tollgate_anonymous_crowded_total'), 41);
    assert.deepEqual(host.faults, []);
  });

  it('crowds out nobody of another network', () => {
    const host = start();
    for (const high of neighbours('2a000001', place, CELLS + 10)) call(host, high);
    const others = ['2a000002', '2a000003', '2a000004'].map((prefix) => neighbours(prefix, place, 1)[0]!);
    assert.deepEqual(
      others.map((high) => [passes(host, high), passes(host, high), passes(host, high)]),
      others.map(() => [true, true, false]),
    );
  });

  it('keeps its places until the window is over, and no longer', () => {
    const host = start(1, 'minute');
    // the clock must have run steadily before anything is removed
    for (let i = 0; i < 4; i++) {
      call(host, KNOWN);
      host.pass(30_000);
    }
    for (const high of neighbours('2a000001', place, CELLS + 10)) call(host, high);
    const [late] = neighbours('2a000001', place, CELLS + 11).slice(-1) as [bigint];
    assert.ok(!passes(host, late));
    host.pass(180_000);
    call(host, KNOWN);
    host.pass(30_000);
    assert.ok(passes(host, late) && passes(host, late) && !passes(host, late), 'a place of its own');
  });

  it('does not make the VM or shared data grow without bound', () => {
    const host = start();
    const sizes = [20_000, 40_000].map((end, index) => {
      for (let i = index * 20_000; i < end; i++) call(host, network('2a000001', i));
      return host.workers[0]!.memory.byteLength;
    });
    assert.equal(sizes[1], sizes[0]);
    assert.deepEqual(host.faults, []);
  });
});
