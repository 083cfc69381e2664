import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { meterOf } from '../../harness/count/meter.ts';
import { KEY, pluginConfig } from '../../harness/config.ts';
import { Host } from '../../scripts/host/host.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import type { Pair } from '../../scripts/host/stream.ts';

/** Upper bounds for the cost of one request, the same on every machine. */
const MOST = { valueReturning: 1, hostCalls: 9, entries: 5 };
const MILLION = 1_000_000;

const module = loadModule(modulePath);
const ALLOWED: Pair[] = [
  [':authority', 'api.example.com'],
  [':path', '/v1/pets?limit=10'],
  [':method', 'GET'],
  [':scheme', 'https'],
  ['user-agent', 'curl/8.5.0'],
  ['accept', '*/*'],
  ['x-request-id', '4f0c7b9e-7a6d-4a9e-9b39-0a2c0f9f5d11'],
  ['x-api-version', '2'],
  ['x-api-key', KEY],
];

function openHost(): Host {
  const host = new Host(module);
  const quotas = [
    { name: 'hourly', limit: 1_000_000_000, window: 'hour' },
    { name: 'monthly', limit: 1_000_000_000_000, window: 'month' },
  ];
  const routes = [{ name: 'v2', headers: [{ name: 'x-api-version', exact: '2' }] }];
  assert.ok(host.load(JSON.stringify(pluginConfig(quotas, { routes }))), host.logs().join('\n'));
  return host;
}

/** Requests at ten thousand a second, until leases have grown to that rate. */
function warmUp(host: Host): void {
  for (let i = 0; i < 20_000; i++) {
    host.pass(0.1);
    host.request(ALLOWED);
  }
}

interface Cost {
  hostCalls: number;
  valueReturning: number;
  entries: number;
}

function assertWithin(cost: Cost, what: string): void {
  for (const name of ['hostCalls', 'valueReturning', 'entries'] as const) {
    assert.ok(cost[name] <= MOST[name], `${what}: ${cost[name]} ${name}, at most ${MOST[name]}`);
  }
}

describe('what a request costs', () => {
  it('stays within the budget when it is allowed, has two quotas in balance and a route', (t) => {
    const host = openHost();
    warmUp(host);
    const meter = meterOf(host.workers[0]!);
    meter.reset();
    const exchange = host.request(ALLOWED);
    assert.match(exchange.filterState.get('wasm.tollgate') ?? '', /^reason=allowed .*route=petstore\/v2/);
    assert.equal(exchange.response.all('ratelimit').length, 1);
    t.diagnostic(`allowed: ${meter.describe()}`);
    assertWithin(meter, 'allowed');
    assert.deepEqual(host.faults, []);
  });

  it('goes to shared data less than once in a hundred requests at a steady rate', (t) => {
    const host = openHost();
    warmUp(host);
    const meter = meterOf(host.workers[0]!);
    meter.reset();
    const requests = 20_000;
    for (let i = 0; i < requests; i++) {
      host.pass(0.1);
      host.request(ALLOWED);
    }
    const trips = meter.calls.get('proxy_get_shared_data') ?? 0;
    t.diagnostic(`shared data read ${trips} times in ${requests} requests`);
    assert.ok(trips * 100 < requests, `${trips} reads of shared data in ${requests} requests`);
  });

  const refusals: Record<string, Pair[]> = {
    missing_api_key: ALLOWED.slice(0, -1),
    unknown_api_key: [...ALLOWED.slice(0, -1), ['x-api-key', 'no-such-key-at-all']],
    malformed_api_key: [...ALLOWED.slice(0, -1), ['x-api-key', 'x'.repeat(4097)]],
    ambiguous_api_key: [...ALLOWED, ['x-api-key', 'no-such-key-at-all']],
    no_api: ALLOWED.map(([name, value]) => [name, name === ':path' ? '/nowhere' : value]),
    invalid_path: ALLOWED.map(([name, value]) => [name, name === ':path' ? '/v1/%2f' : value]),
    invalid_host: ALLOWED.map(([name, value]) => [name, name === ':authority' ? 'a.test,b.test' : value]),
  };
  for (const [reason, headers] of Object.entries(refusals)) {
    it(`stays within the budget when it is refused with ${reason}`, (t) => {
      const host = openHost();
      host.request(headers);
      const meter = meterOf(host.workers[0]!);
      meter.reset();
      const exchange = host.request(headers);
      assert.match(exchange.filterState.get('wasm.tollgate') ?? '', new RegExp(`^reason=${reason}`));
      t.diagnostic(`${reason}: ${meter.describe()}`);
      assertWithin(meter, reason);
    });
  }

  it('stays within the budget when a quota is known to be exceeded', (t) => {
    const host = new Host(module);
    assert.ok(
      host.load(
        JSON.stringify(
          pluginConfig([
            { name: 'q', limit: 1, window: 'hour' },
            { name: 'm', limit: 10, window: 'month' },
          ]),
        ),
      ),
    );
    for (let i = 0; i < 3; i++) host.request(ALLOWED);
    const meter = meterOf(host.workers[0]!);
    meter.reset();
    const exchange = host.request(ALLOWED);
    assert.equal(exchange.response.first(':status'), '429');
    t.diagnostic(`quota_exceeded: ${meter.describe()}`);
    assertWithin(meter, 'quota_exceeded');
  });

  it('leaves the memory as it was after a million allowed requests', (t) => {
    const host = openHost();
    warmUp(host);
    const { memory } = host.workers[0]!;
    const before = memory.byteLength;
    for (let i = 0; i < MILLION; i++) {
      if (i % 10 === 0) host.pass(0.1);
      host.request(ALLOWED);
    }
    t.diagnostic(`memory: ${before} bytes before, ${memory.byteLength} after`);
    assert.equal(memory.byteLength, before);
    assert.deepEqual(host.faults, []);
  });

  it('leaves the memory as it was after a hundred thousand refused requests of every kind', () => {
    const host = openHost();
    warmUp(host);
    const kinds = Object.values(refusals);
    for (let i = 0; i < 1000; i++) host.request(kinds[i % kinds.length]!);
    const { memory } = host.workers[0]!;
    const before = memory.byteLength;
    for (let i = 0; i < 100_000; i++) host.request(kinds[i % kinds.length]!);
    assert.equal(memory.byteLength, before);
    assert.deepEqual(host.faults, []);
  });

  it('leaves the memory as it was after two hundred edits of a policy', () => {
    const host = openHost();
    const edit = (i: number): void => {
      const routes = [{ name: `v${i}`, headers: [{ name: 'x-api-version', exact: '2' }] }];
      const quotas = [{ name: 'hourly', limit: 1_000_000_000, window: 'hour' }];
      assert.ok(host.load(JSON.stringify(pluginConfig(quotas, { routes, consumers: 500 }))));
      host.request(ALLOWED);
      host.retireAllButNewest();
      // The module lets go of a root some time after its ticks have ended.
      host.pass(30_000);
    };
    for (let i = 0; i < 40; i++) edit(i);
    const before = host.workers[0]!.memory.byteLength;
    for (let i = 40; i < 200; i++) edit(i);
    assert.equal(host.workers[0]!.memory.byteLength, before);
    assert.deepEqual(host.faults, []);
  });
});
