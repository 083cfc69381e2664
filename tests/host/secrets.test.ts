import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { meterOf } from '../../harness/count/meter.ts';
import { KEY, keyOf, pluginConfig } from '../../harness/config.ts';
import { Host } from '../../scripts/host/host.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import type { Pair } from '../../scripts/host/stream.ts';

const UNKNOWN = 'no-such-key-at-all';
const WHOLE = 'sixty-four-kilobytes-'.repeat(3200);
const START: Pair[] = [
  [':authority', 'a.test'],
  [':path', '/v1/pets'],
  [':method', 'GET'],
];

/** Every way to send a key, valid or not, and the expected outcome. */
const REQUESTS: Pair[][] = [
  [...START, ['x-api-key', KEY]],
  [...START, ['x-api-key', keyOf(1)]],
  [...START, ['x-api-key', UNKNOWN]],
  [...START, ['x-api-key', `${KEY}\u00e9`]],
  [...START, ['x-api-key', `${KEY}\xff\xfe`]],
  [...START, ['x-api-key', `${KEY} ${KEY}`]],
  [...START, ['x-api-key', WHOLE]],
  [...START, ['x-api-key', KEY], ['x-api-key', UNKNOWN]],
  [...START, ['authorization', `Bearer ${KEY}`]],
  [...START, ['cookie', `api_key=${KEY}`]],
  [
    [':authority', 'a.test'],
    [':path', `/v1/pets?api_key=${KEY}`],
    [':method', 'GET'],
  ],
  [
    [':authority', 'a.test'],
    [':path', `/v1/%2f?api_key=${KEY}`],
    [':method', 'GET'],
  ],
  [
    [':authority', 'a.test'],
    [':path', `/nowhere?api_key=${KEY}`],
    [':method', 'GET'],
  ],
  [
    [':authority', 'a.test'],
    [':path', `/nowhere/${KEY}`],
    [':method', 'GET'],
    ['x-api-key', KEY],
  ],
  [...START, ['x-api-key', KEY], ['content-type', 'application/grpc']],
  [...START, ['x-api-key', UNKNOWN], ['content-type', 'application/grpc']],
];

describe('keys', () => {
  it('appear in no log, reply, detail, filter state, metric or shared data', () => {
    const host = new Host(loadModule(modulePath), { workers: 2 });
    const config = {
      ...pluginConfig([{ name: 'q', limit: 6, window: 'month' }], { consumers: 2 }),
      keySources: [{ header: 'x-api-key' }, { authorization: 'Bearer' }, { query: 'api_key' }, { cookie: 'api_key' }],
    };
    assert.ok(host.load(JSON.stringify(config)));
    const seen: string[] = [];
    for (let round = 0; round < 4; round++) {
      for (const [i, headers] of REQUESTS.entries()) {
        const { response, body, details, filterState, upstream } = host.request(headers, { worker: (i + round) % 2 });
        seen.push(body, details, JSON.stringify(response.pairs), JSON.stringify([...filterState]));
        if (upstream !== null) seen.push(JSON.stringify(upstream.pairs));
      }
      host.pass(1000);
    }
    // A config that is refused after its keys were read.
    assert.equal(
      host.load(JSON.stringify({ ...config, consumers: [{ name: 'a', keys: [{ id: 'x', digest: KEY }] }] })),
      null,
    );
    seen.push(...host.logs(), ...host.process.metrics.byName.keys());
    const { sharedData } = host.process;
    for (const key of sharedData.keys()) seen.push(key, sharedData.get(key)!.value.toString('latin1'));
    for (const secret of [KEY, UNKNOWN, WHOLE.slice(0, 21)]) {
      assert.deepEqual(
        seen.filter((text) => text.includes(secret)),
        [],
        'a key was seen',
      );
    }
    assert.deepEqual(host.faults, []);
  });

  it('cost the same host calls whatever is wrong with them', () => {
    const host = new Host(loadModule(modulePath));
    assert.ok(host.load(JSON.stringify(pluginConfig([], {}))));
    const meter = meterOf(host.workers[0]!);
    const calls = ['x', UNKNOWN, KEY.slice(1), `${KEY}x`, 'k'.repeat(4096), 'k'.repeat(4097), `${KEY}\xff`, WHOLE].map(
      (key) => {
        meter.reset();
        host.request([...START, ['x-api-key', key]]);
        return [...meter.calls].join();
      },
    );
    assert.equal(new Set(calls).size, 1, calls.join('\n'));
  });
});
