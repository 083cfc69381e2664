import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOf, KEY, pluginConfig, type Quota } from '../../harness/config.ts';
import { meterOf } from '../../harness/count/meter.ts';
import { Random } from '../../harness/random.ts';
import { RateLimitServiceModel } from '../../harness/rateLimitService/rateLimitServiceModel.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { Host, type HostOptions } from '../../scripts/host/host.ts';
import type { Exchange } from '../../scripts/host/openRequest.ts';
import type { Pair } from '../../scripts/host/stream.ts';
import { Timeline } from '../../scripts/host/process.ts';

const module = loadModule(modulePath);
const START = Date.UTC(2026, 0, 15, 12, 10);

interface Told {
  readonly name: string;
  readonly limit: number;
  readonly used: number | null;
  readonly remaining: number | null;
  readonly resetSeconds: number | null;
}

function open(quotas: Quota[], options: HostOptions, consumers = 1, more: object = {}): Host {
  const host = new Host(module, options);
  const config = pluginConfig(quotas, { consumers });
  const apis = [{ ...config.apis[0]!, me: { path: '/.tollgate/me', perMinute: 6000 } }];
  assert.ok(host.load(JSON.stringify({ ...config, apis, ...more })), host.logs().join('\n'));
  return host;
}

const pairsOf = (path: string, key: string): Pair[] => [
  [':authority', 'api.example.com'],
  [':path', path],
  [':method', 'GET'],
  [':scheme', 'https'],
  ['x-api-key', key],
];

function send(host: Host, path: string, key = KEY, worker = 0): Exchange {
  return host.request(pairsOf(path, key), { worker });
}

/** Requests that may wait for the rate limit service; how many pass. */
function call(host: Host, times: number): number {
  let passed = 0;
  for (let i = 0; i < times; i++) {
    const request = host.open(pairsOf('/v1/pets', KEY));
    host.pass(60);
    if (request.exchange!.upstream !== null) passed++;
  }
  return passed;
}

function told(host: Host, key = KEY, worker = 0): Told[] {
  const { details, body } = send(host, '/v1/.tollgate/me', key, worker);
  assert.equal(details, 'tollgate_me_answered');
  return (JSON.parse(body) as { quotas: Told[] }).quotas;
}

describe('a caller that asks for its quotas', () => {
  it('is told what all workers have let through, to the unit once their leases are back', () => {
    for (const seed of [1, 2, 3]) {
      const random = new Random(seed);
      const host = open(
        [
          { name: 'q', limit: 500, window: 'hour' },
          { name: 'b', limit: 1, window: 'day', burst: 300 },
        ],
        { workers: 4, startMs: START },
        2,
      );
      const passed = [0, 0];
      for (let i = 0; i < 400; i++) {
        if (random.chance(0.2)) host.pass(random.pick([0.1, 1, 30]));
        const consumer = random.below(2);
        if (send(host, '/v1/pets', keyOf(consumer), random.below(4)).upstream !== null) passed[consumer]!++;
        if (!random.chance(0.1)) continue;
        const asked = random.below(2);
        const [quota, bucket] = told(host, keyOf(asked), random.below(4)) as [Told, Told];
        // what another worker has leased is not spent yet
        assert.ok(quota.used! >= passed[asked]! && quota.used! + quota.remaining! === 500, `seed ${seed}: ${i}`);
        assert.equal(bucket.used, passed[asked], `seed ${seed}: ${i}`);
      }
      host.pass(2000);
      for (const consumer of [0, 1])
        for (let worker = 0; worker < 4; worker++)
          assert.equal(told(host, keyOf(consumer), worker)[0]!.used, passed[consumer], `seed ${seed}`);
      assert.deepEqual(host.faults, []);
    }
  });

  it('takes no unit from anybody, however often it asks', () => {
    const limit = 100;
    const host = open([{ name: 'q', limit, window: 'hour' }], { workers: 2, startMs: START });
    let passed = 0;
    for (let i = 0; i < 300; i++) {
      for (let k = 0; k < 5; k++) send(host, '/v1/.tollgate/me', KEY, k % 2);
      if (send(host, '/v1/pets', KEY, i % 2).upstream !== null) passed++;
      host.pass(1);
    }
    for (let waits = 0; waits < 20; waits++) {
      host.pass(300);
      for (let worker = 0; worker < 2; worker++) while (send(host, '/v1/pets', KEY, worker).upstream !== null) passed++;
    }
    assert.equal(passed, limit);
  });

  it('is told what this Envoy knows of a mesh-wide quota, and the service is not asked', () => {
    const timeline = new Timeline(START);
    const model = new RateLimitServiceModel('d', [{ window: 'hour', quota: 'q' }]);
    const host = open(
      [{ name: 'q', limit: 20, window: 'hour', scope: 'mesh' }],
      {
        workers: 2,
        timeline,
        backend: ({ message }) => ({
          arrivesAfterMs: 1,
          afterMs: 2,
          result: () => model.answer(message, timeline.clock.wallMs),
        }),
      },
      1,
      { rateLimitService: { cluster: 'c', domain: 'd', timeoutMilliseconds: 50 } },
    );
    const unknown = [told(host)[0]!, told(host, KEY, 1)[0]!];
    for (const { limit, used, remaining, resetSeconds } of unknown)
      assert.deepEqual([limit, used, remaining, resetSeconds], [20, null, null, null]);
    assert.equal(model.calls, 0);
    assert.equal(call(host, 7), 7);
    const { calls } = model;
    for (const worker of [0, 1]) {
      const { used, remaining, resetSeconds } = told(host, KEY, worker)[0]!;
      assert.ok(used! >= 7 && used! <= 9 && used! + remaining! === 20, `used ${used}, remaining ${remaining}`);
      assert.ok(resetSeconds! > 2990 && resetSeconds! <= 3000, `reset ${resetSeconds}`);
    }
    assert.equal(call(host, 40), 13);
    assert.ok(model.calls > calls);
    assert.deepEqual([told(host)[0]!.used, told(host)[0]!.remaining], [20, 0]);
    host.pass(3_600_000);
    assert.equal(told(host)[0]!.used, null);
    assert.deepEqual(host.faults, []);
  });

  it('is refused without a look at shared data once it asks too often, and its calls are not', () => {
    const config = pluginConfig([{ name: 'q', limit: 1000, window: 'hour' }]);
    const host = new Host(module, { workers: 1, startMs: START });
    const apis = [{ ...config.apis[0]!, me: { path: '/.tollgate/me' } }];
    assert.ok(host.load(JSON.stringify({ ...config, apis })));
    for (let i = 0; i < 10; i++) told(host);
    const first = send(host, '/v1/.tollgate/me');
    assert.deepEqual([first.details, first.response.first('retry-after')], ['tollgate_me_exceeded', '1']);
    const meter = meterOf(host.workers[0]!);
    meter.reset();
    for (let i = 0; i < 1000; i++) send(host, '/v1/.tollgate/me');
    assert.equal(meter.calls.get('proxy_send_local_response'), 1000);
    assert.equal(meter.calls.get('proxy_get_shared_data'), undefined);
    assert.equal(send(host, '/v1/pets').details, 'via_upstream');
    host.pass(1000);
    assert.equal(told(host)[0]!.used, 1);
  });

  it('costs no memory that grows with what it asks', () => {
    const host = open([{ name: 'q', limit: 10, window: 'second' }], { workers: 1, startMs: START }, 50);
    const ask = (count: number): void => {
      for (let i = 0; i < count; i++) {
        send(host, `/v1/.tollgate/me?${'x'.repeat(i % 2000)}`, keyOf(i % 50));
        if (i % 100 === 0) host.pass(20);
      }
    };
    ask(5000);
    const bytes = host.workers[0]!.memory.byteLength;
    ask(30_000);
    assert.equal(host.workers[0]!.memory.byteLength, bytes);
  });
});
