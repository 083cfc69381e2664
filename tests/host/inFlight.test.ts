import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pluginConfig, type PluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { Host, type Generation } from '../../scripts/host/host.ts';
import { decisionOf, type OpenRequest } from '../../scripts/host/openRequest.ts';
import { module, request, START_MS } from './quotaHost.ts';

const LIMIT = 10;
const SHARDS = 256;
/** A VM that has died is noticed after five seconds of silence. */
const NOTICED_MS = 9_000;

function config(limit = LIMIT, fields: object = {}, consumers = 1): PluginConfig {
  const base = pluginConfig([], { consumers });
  return {
    ...base,
    plans: [{ ...base.plans[0]!, concurrency: { limit, ...fields } } as PluginConfig['plans'][number]],
  };
}

function openHost(workers: number, policy: PluginConfig = config()): Host {
  const host = new Host(module, { workers, startMs: START_MS });
  assert.ok(host.load(JSON.stringify(policy)), host.logs().join('\n'));
  return host;
}

/** Opens a request that lasts; null when it is refused for what is in flight. */
function open(host: Host, worker: number, consumer = 0, generation?: Generation): OpenRequest | null {
  const opened = host.open(request(consumer), { worker, lasts: true, ...(generation && { generation }) });
  if (opened.isUnderWay) return opened;
  assert.equal(decisionOf(opened.exchange!)?.reason, 'concurrency_exceeded', host.faults.join());
  return null;
}

/** Opens as many as there may be over all workers in turn, ends them, and returns how many there were. */
function room(host: Host, consumer = 0, workers = host.workers.map((_, i) => i)): number {
  const opened: OpenRequest[] = [];
  for (let turn = 0; ; turn++) {
    const one = open(host, workers[turn % workers.length]!, consumer);
    if (one === null) break;
    opened.push(one);
  }
  for (const one of opened) one.answer();
  return opened.length;
}

/** What shared data says is in flight, of VMs dead and alive. */
function stored(host: Host): number {
  let sum = 0;
  for (let shard = 0; shard < SHARDS; shard++) {
    const { value } = host.process.sharedData.get(`tollgate/1/petstore/flights/${shard}`)!;
    for (let at = 24; at < value.length; at += 32) sum += Number(value.readBigInt64LE(at + 24));
  }
  return sum;
}

describe('requests in flight', () => {
  for (const workers of [1, 4]) {
    it(`are exact over 100,000 requests of which a third is reset, with ${workers} workers`, () => {
      const consumers = 3;
      const host = openHost(workers, config(LIMIT, {}, consumers));
      const random = new Random(workers);
      const inFlight: OpenRequest[][] = Array.from({ length: consumers }, () => []);
      const ends = { answered: 0, reset: 0, timedOut: 0, refused: 0 };
      let opened = 0;
      while (opened < 100_000) {
        const consumer = random.below(consumers);
        const own = inFlight[consumer]!;
        // sometimes full, sometimes empty
        if (random.below(100) < (opened % 2000 < 1000 ? 60 : 40)) {
          const one = open(host, random.below(workers), consumer);
          assert.equal(one === null, own.length === LIMIT, `${own.length} in flight`);
          if (one === null) ends.refused++;
          else own.push(one);
          opened++;
        } else if (own.length > 0) {
          const [one] = own.splice(random.below(own.length), 1);
          const how = random.below(6);
          if (how < 2) {
            one!.reset();
            ends.reset++;
          } else if (how === 2) {
            one!.timeOut();
            host.pass(25);
            ends.timedOut++;
          } else {
            one!.answer();
            ends.answered++;
          }
        }
        if (opened % 500 === 0) host.pass(250);
      }
      assert.equal(stored(host), inFlight.flat().length);
      for (const one of inFlight.flat()) one.reset();
      host.pass(10_000);
      assert.equal(stored(host), 0);
      assert.equal(host.total('tollgate_requests_in_flight'), 0);
      for (let consumer = 0; consumer < consumers; consumer++) assert.equal(room(host, consumer), LIMIT);
      assert.ok(
        Object.values(ends).every((count) => count > 5000),
        JSON.stringify(ends),
      );
      assert.deepEqual(host.faults, []);
    });
  }

  it('stay within the limit when workers count at the same moment', () => {
    const host = openHost(2);
    let races = 0;
    const others: OpenRequest[] = [];
    host.process.sharedData.beforeSet = (key) => {
      if (!/flights\/\d/.test(key) || others.length === 5) return;
      races++;
      others.push(open(host, 1)!);
    };
    const own = Array.from({ length: LIMIT }, () => open(host, 0));
    assert.equal(races, 5);
    assert.equal(own.filter((one) => one !== null).length, LIMIT - 5);
    assert.equal(stored(host), LIMIT);
    for (const one of [...own, ...others]) one?.reset();
    assert.equal(stored(host), 0);
    assert.deepEqual(host.faults, []);
  });

  it('of a VM that has died count until its silence is noticed, and no longer', () => {
    const host = openHost(3);
    host.pass(3000);
    for (let i = 0; i < LIMIT; i++) assert.ok(open(host, i % 2));
    assert.equal(open(host, 2), null);
    host.workers[0]!.failed = new Error('a trap');
    host.pass(1000);
    assert.equal(open(host, 2), null, 'nobody knows yet');
    host.pass(NOTICED_MS);
    const freed = room(host, 0, [2]);
    assert.equal(freed, LIMIT / 2);
    assert.equal(stored(host), LIMIT / 2, 'what the dead had counted is gone from where others have written');
    host.workers[1]!.failed = new Error('a trap');
    host.pass(NOTICED_MS);
    assert.equal(room(host, 0, [2]), LIMIT);
  });

  it('of a VM that was only slow count again', () => {
    const host = openHost(2);
    host.pass(3000);
    const held = Array.from({ length: 6 }, () => open(host, 0)!);
    // a worker that does not get to its timer
    const stalled = [...host.workers[0]!.roots.values()];
    for (const root of stalled) root.nextTickMs = Infinity;
    host.pass(NOTICED_MS);
    assert.equal(host.total('tollgate_vms_lost_total'), 1);
    assert.equal(room(host, 0, [1]), LIMIT);
    for (const root of stalled) host.workers[0]!.tick(root);
    host.pass(3000);
    for (const root of stalled) host.workers[0]!.tick(root);
    assert.equal(stored(host), 6);
    assert.equal(room(host, 0, [1]), LIMIT - 6);
    for (const one of held) one.answer();
    assert.equal(room(host, 0, [1]), LIMIT);
    assert.deepEqual(host.faults, []);
  });

  it('of a VM that dies and comes back under another number are counted anew', () => {
    const host = openHost(1);
    host.pass(3000);
    for (let i = 0; i < LIMIT; i++) assert.ok(open(host, 0));
    host.workers[0]!.failed = new Error('a trap');
    const other = new Host(module, { workers: 1, timeline: host.process.timeline });
    // the same process: what all VMs share lives on
    for (const key of host.process.sharedData.keys())
      other.process.sharedData.set(key, host.process.sharedData.get(key)!.value, 0);
    assert.ok(other.load(JSON.stringify(config())));
    other.pass(1000);
    assert.equal(room(other), 0);
    other.pass(NOTICED_MS);
    assert.equal(room(other), LIMIT);
  });

  it('outlive the config under which they came, and end as often as they began', () => {
    const host = openHost(2);
    const first = host.newest!;
    const held = Array.from({ length: 6 }, (_, i) => open(host, i % 2)!);
    assert.ok(host.load(JSON.stringify(config(LIMIT + 2))));
    const more = Array.from({ length: 6 }, (_, i) => open(host, i % 2)!);
    assert.equal(open(host, 0), null);
    assert.equal(open(host, 0, 0, first), null, 'the old config goes by its own limit');
    host.retire(first);
    for (const one of held) one.reset();
    for (const one of more) one.answer();
    assert.equal(stored(host), 0);
    assert.equal(room(host), LIMIT + 2);
    // a policy without a limit, and then with one again
    const busy = Array.from({ length: 3 }, () => open(host, 0)!);
    assert.ok(host.load(JSON.stringify(pluginConfig([]))));
    host.retireAllButNewest();
    assert.ok(open(host, 0));
    for (const one of busy) one.reset();
    assert.ok(host.load(JSON.stringify(config(3))));
    host.retireAllButNewest();
    assert.equal(room(host), 3);
    assert.deepEqual(host.faults, []);
  });

  it('are counted to the end where the end could not be written at once', () => {
    const host = openHost(2);
    const held = Array.from({ length: LIMIT }, (_, i) => open(host, i % 2)!);
    const { sharedData } = host.process;
    // another thread is always quicker
    sharedData.beforeSet = (key, data) => {
      if (/flights\/\d/.test(key)) data.set(key, data.get(key)!.value, 0);
    };
    for (const one of held) one.reset();
    assert.equal(stored(host), LIMIT);
    sharedData.beforeSet = undefined;
    assert.equal(room(host, 0, [0]), LIMIT / 2, 'what has ended at the other worker is not known yet');
    host.pass(500);
    assert.equal(stored(host), 0);
    assert.equal(room(host), LIMIT);
    assert.deepEqual(host.faults, []);
  });

  it('are refused as unavailable where nothing can be counted', () => {
    const host = openHost(1);
    host.process.sharedData.beforeSet = (key, data) => {
      if (/flights\/\d/.test(key)) data.set(key, data.get(key)!.value, 0);
    };
    const { response } = host.request(request(0));
    assert.equal(response.first(':status'), '503');
    host.process.sharedData.beforeSet = undefined;
    assert.equal(room(host), LIMIT);
  });

  it('need no tick before the first of them, and no host call where nothing limits them', () => {
    const host = openHost(1);
    const canaries = host.total('tollgate_vms_lost_total');
    assert.ok(open(host, 0));
    host.pass(NOTICED_MS);
    assert.equal(host.total('tollgate_vms'), 2);
    assert.equal(host.total('tollgate_vms_lost_total'), canaries);
    const plain = openHost(1, pluginConfig([]));
    assert.equal(plain.process.sharedData.keys().filter((key) => key.includes('flights')).length, 0);
    assert.equal(plain.series('tollgate_requests_in_flight').length, 0);
  });

  it('are told by a gauge, and refusals by their reason', () => {
    const host = openHost(2);
    const held = Array.from({ length: LIMIT }, (_, i) => open(host, i % 2)!);
    for (let i = 0; i < 7; i++) assert.equal(open(host, i % 2), null);
    host.pass(10_000);
    assert.equal(host.total('tollgate_requests_in_flight'), LIMIT);
    assert.equal(
      host.total('tollgate_requests_total', { reason: 'concurrency_exceeded', api: 'petstore', plan: 'free' }),
      7,
    );
    for (const one of held) one.answer();
    host.pass(10_000);
    assert.equal(host.total('tollgate_requests_in_flight'), 0);
  });

  it('of ten thousand callers at once cost no more memory than they need, which later ones use again', () => {
    const callers = 2000;
    const host = openHost(1, config(LIMIT, {}, callers));
    const flood = (): void => {
      const held: OpenRequest[] = [];
      for (let round = 0; round < 5; round++)
        for (let caller = 0; caller < callers; caller++) held.push(open(host, 0, caller)!);
      assert.equal(stored(host), 5 * callers);
      for (const one of held) one.reset();
      host.pass(20);
    };
    flood();
    const before = host.workers[0]!.memory.byteLength;
    for (let i = 0; i < 3; i++) flood();
    assert.equal(host.workers[0]!.memory.byteLength, before);
    assert.equal(stored(host), 0);
  });
});
