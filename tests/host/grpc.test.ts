import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Backend, GrpcCall } from '../../scripts/host/grpc.ts';
import { guest } from './guest.ts';
import { Host } from '../../scripts/host/host.ts';
import type { Pair } from '../../scripts/host/stream.ts';
import { Timeline } from '../../scripts/host/process.ts';
import type { WasmModule } from '../../scripts/host/abi.ts';

const REQUEST: Pair[] = [
  [':authority', 'a.test'],
  [':path', '/'],
  [':method', 'GET'],
];
const START_MS = Date.UTC(2026, 0, 15, 12);

const i32 = (count: number): string => `(param ${'i32 '.repeat(count)})`;
const IMPORTS = [
  `(import "env" "proxy_grpc_call" (func $call ${i32(12)} (result i32)))`,
  `(import "env" "proxy_set_effective_context" (func $effective ${i32(1)} (result i32)))`,
  `(import "env" "proxy_continue_stream" (func $continue ${i32(1)} (result i32)))`,
  `(import "env" "proxy_send_local_response" (func $reply ${i32(8)} (result i32)))`,
  `(import "env" "proxy_get_buffer_bytes" (func $buffer ${i32(5)} (result i32)))`,
  `(import "env" "proxy_log" (func $log ${i32(3)} (result i32)))`,
  `(import "env" "proxy_replace_header_map_value" (func $replace ${i32(5)} (result i32)))`,
  `(import "env" "proxy_set_tick_period_milliseconds" (func $period ${i32(1)} (result i32)))`,
  `(import "env" "proxy_define_metric" (func $define ${i32(4)} (result i32)))`,
  '(import "env" "proxy_increment_metric" (func $add (param i32 i64) (result i32)))',
  '(import "env" "proxy_record_metric" (func $record (param i32 i64) (result i32)))',
].join('\n');

// At 16: GrpcService{envoy_grpc{cluster_name: "limits"}}, 10 bytes. At 32: service, 3 bytes; 40: method, 3; 48: message, 4.
const DATA =
  '(data (i32.const 16) "\\0a\\08\\0a\\06limits") (data (i32.const 32) "a.B") (data (i32.const 40) "Ask") (data (i32.const 48) "ping")';
const askWith = (serviceSize: number, timeout: number): string =>
  `(call $call (i32.const 16) (i32.const ${serviceSize}) (i32.const 32) (i32.const 3) (i32.const 40) (i32.const 3) (i32.const 0) (i32.const 0)
    (i32.const 48) (i32.const 4) (i32.const ${timeout}) (i32.const 100))`;
const ASK = askWith(10, 50);
const REPLY =
  '(drop (call $reply (i32.const 429) (i32.const 32) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)))';
/** The last paused stream's id is at 200; becoming it is logged as "no" when it is gone. */
const TAKE_UP =
  '(if (call $effective (i32.load (i32.const 200))) (then (drop (call $log (i32.const 2) (i32.const 60) (i32.const 2))) (return)))';
const GO_ON = '(drop (call $continue (i32.const 0)))';

function onHeaders(body: string, result = 1): string {
  return `(func (export "proxy_on_request_headers") ${i32(3)} (result i32) (i32.store (i32.const 200) (local.get 0)) ${body} (i32.const ${result}))`;
}

const onReceive = (body: string): string => `(func (export "proxy_on_grpc_receive") ${i32(3)} ${body})`;
const onClose = (body: string): string => `(func (export "proxy_on_grpc_close") ${i32(3)} ${body})`;
/** Logs one letter, from a table at 64. */
const note = (letter: string): string =>
  `(drop (call $log (i32.const 2) (i32.const ${64 + letter.charCodeAt(0) - 97}) (i32.const 1)))`;

function module(...functions: string[]): WasmModule {
  return guest(IMPORTS, `${DATA} (data (i32.const 60) "no") (data (i32.const 64) "abcdefgh") ${functions.join('\n')}`);
}

const ASKING = module(
  onHeaders(`(drop ${ASK})`),
  onReceive(`(drop (call $buffer (i32.const 5) (i32.const 0) (local.get 2) (i32.const 104) (i32.const 108)))
    (drop (call $log (i32.const 2) (i32.load (i32.const 104)) (i32.load (i32.const 108)))) ${TAKE_UP}
    (drop (call $replace (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 48) (i32.const 4))) ${GO_ON}`),
  onClose(`${note('c')} ${TAKE_UP} ${REPLY}`),
);

function backend(afterMs: number, result: Buffer | number = Buffer.from('pong'), calls: GrpcCall[] = []): Backend {
  return (call) => {
    calls.push(call);
    return call.cluster === 'limits' ? { arrivesAfterMs: afterMs / 2, afterMs, result: () => result } : null;
  };
}

function open(wasm: WasmModule, behind?: Backend): Host {
  const host = new Host(wasm, { startMs: START_MS, ...(behind ? { backend: behind } : {}) });
  assert.ok(host.load('{}'));
  return host;
}

describe('gRPC calls of a guest', () => {
  it('pause a request until the answer is there, which the guest reads; its header changes reach the upstream', () => {
    const calls: GrpcCall[] = [];
    const host = open(ASKING, backend(20, Buffer.from('pong'), calls));
    const request = host.open(REQUEST);
    assert.ok(request.paused);
    host.pass(19);
    assert.ok(request.paused);
    host.pass(1);
    assert.equal(request.exchange?.upstream?.first('a.B'), 'ping');
    assert.equal(request.waitedMs, 20);
    assert.deepEqual(host.logs(), ['pong']);
    assert.deepEqual(calls[0], {
      cluster: 'limits',
      service: 'a.B',
      method: 'Ask',
      metadata: [],
      message: Buffer.from('ping'),
      timeoutMs: 50,
    });
    assert.deepEqual(host.faults, []);
  });

  it('end in proxy_on_grpc_close with the status, or after the timeout', () => {
    for (const [behind, ms] of [
      [backend(20, 14), 20],
      [backend(Infinity), 50],
      [backend(1000), 50],
    ] as const) {
      const host = open(ASKING, behind);
      const request = host.open(REQUEST);
      host.pass(ms - 1);
      assert.ok(request.paused);
      host.pass(1);
      assert.equal(request.exchange?.response.first(':status'), '429');
      assert.deepEqual(host.logs(), ['c']);
      host.pass(5000);
      assert.deepEqual([host.logs(), host.faults], [['c'], []]);
    }
  });

  it('are refused without a cluster, and closed all the same after the callback', () => {
    const host = open(module(onHeaders(`(if (i32.eq ${ASK} (i32.const 10)) (then ${note('a')}))`), onClose(note('c'))));
    host.open(REQUEST);
    assert.deepEqual([host.logs(), host.faults], [['a', 'c'], []]);
  });

  it('find the stream gone when its client has hung up', () => {
    const host = open(ASKING, backend(20));
    const request = host.open(REQUEST);
    request.reset();
    assert.equal(request.paused, false);
    host.pass(100);
    assert.deepEqual([host.logs(), host.faults], [['pong', 'no'], []]);
    assert.equal(request.exchange, null);
  });

  it('keep a root until its paused streams have ended, and end with it', () => {
    const host = open(ASKING, backend(20));
    const old = host.newest!;
    const request = host.open(REQUEST);
    assert.ok(host.load('{"new":1}'));
    host.retire(old);
    host.pass(20);
    assert.ok(request.exchange);
    assert.deepEqual(host.logs(), ['pong']);
    host.open(REQUEST).reset();
    assert.ok(host.load('{"new":2}'));
    host.retireAllButNewest();
    host.pass(1000);
    assert.deepEqual([host.logs(), host.faults], [['pong'], []]);
  });

  it('of several Envoys on one timeline are answered by one backend in the order of arrival', () => {
    const timeline = new Timeline(START_MS);
    const seen: number[] = [];
    const hosts = [30, 10, 20].map(
      (afterMs, i) =>
        new Host(ASKING, {
          timeline,
          backend: () => ({
            arrivesAfterMs: afterMs / 2,
            afterMs,
            result: () => (seen.push(i), Buffer.from(String(i))),
          }),
        }),
    );
    for (const host of hosts) assert.ok(host.load('{}'));
    const requests = hosts.map((host) => host.open(REQUEST));
    timeline.pass(25);
    assert.deepEqual(
      requests.map(({ paused }) => paused),
      [true, false, false],
    );
    assert.deepEqual(seen, [1, 2, 0]);
    assert.deepEqual(
      hosts.map((host) => host.logs()),
      [[], ['1'], ['2']],
    );
  });

  const misuses: Record<string, [RegExp, ...string[]]> = {
    'a timeout of zero': [/without a timeout/, onHeaders(`(drop ${askWith(10, 0)})`)],
    'a service that is no GrpcService': [/no GrpcService/, onHeaders(`(drop ${askWith(9, 50)})`)],
    'a callout and a reply': [/after a callout/, onHeaders(`(drop ${ASK}) ${REPLY}`)],
    'a reply and a callout': [/after a local reply/, onHeaders(`${REPLY} (drop ${ASK})`)],
    'going on inside the callback that decides': [/that decides/, onHeaders(GO_ON, 0)],
    'going on twice': [/goes on already/, onHeaders(`(drop ${ASK})`), onReceive(`${TAKE_UP} ${GO_ON} ${GO_ON}`)],
    'going on after a reply': [
      /after a local reply/,
      onHeaders(`(drop ${ASK})`),
      onReceive(`${TAKE_UP} ${REPLY} ${GO_ON}`),
    ],
    'a reply after going on': [
      /after continue_stream/,
      onHeaders(`(drop ${ASK})`),
      onReceive(`${TAKE_UP} ${GO_ON} ${REPLY}`),
    ],
    'a header change after going on': [
      /out of its phase/,
      onHeaders(`(drop ${ASK})`),
      onReceive(
        `${TAKE_UP} ${GO_ON} (drop (call $replace (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 48) (i32.const 4)))`,
      ),
    ],
    'going on without a stream': [/outside a stream/, onHeaders(`(drop ${ASK})`), onReceive(GO_ON)],
  };
  for (const [what, [message, ...functions]] of Object.entries(misuses)) {
    it(`record ${what} as a fault`, () => {
      const host = open(module(...functions), backend(20));
      host.open(REQUEST);
      host.pass(20);
      assert.equal(host.faults.length, 1, host.faults.join());
      assert.match(host.faults[0]!, message);
    });
  }

  it('record the use of a dead stream as a fault', () => {
    const host = open(
      module(onHeaders(`(drop ${ASK})`), onReceive(`(drop (call $effective (i32.load (i32.const 200)))) ${GO_ON}`)),
      backend(20),
    );
    host.open(REQUEST).reset();
    host.pass(20);
    assert.match(host.faults.join(), /outside a stream/);
  });
});

describe('ticks and gauges of a guest', () => {
  it('take a new period at once, from any context', () => {
    const host = open(
      module(
        `(func (export "proxy_on_configure") ${i32(2)} (result i32) (drop (call $period (i32.const 250))) (i32.const 1))`,
        onHeaders('(drop (call $period (i32.const 5)))', 0),
        `(func (export "proxy_on_tick") ${i32(1)} ${note('a')} (if (i32.load (i32.const 200)) (then
        (i32.store (i32.const 204) (i32.add (i32.load (i32.const 204)) (i32.const 1)))
        (if (i32.eq (i32.load (i32.const 204)) (i32.const 4)) (then (drop (call $period (i32.const 250))))))))`,
      ),
    );
    const ticks = (): number => host.process.logs.filter(({ vm }) => vm === 'worker 0').length;
    host.pass(249);
    assert.equal(ticks(), 0);
    host.request(REQUEST);
    host.pass(4);
    assert.equal(ticks(), 0);
    host.pass(16);
    assert.equal(ticks(), 4);
    host.pass(249);
    assert.equal(ticks(), 4, 'slow again');
    host.pass(1);
    assert.equal(ticks(), 5);
  });

  it('add to a gauge and take away, and set it', () => {
    const add = (by: number): string => `(drop (call $add (i32.load (i32.const 300)) (i64.const ${by})))`;
    const host = open(
      module(
        onHeaders(
          `(drop (call $define (i32.const 1) (i32.const 48) (i32.const 4) (i32.const 300))) ${add(7)} ${add(-3)}`,
          0,
        ),
      ),
    );
    host.request(REQUEST);
    assert.equal(host.process.metrics.gauge('ping'), 4);
    assert.deepEqual(host.faults, []);
    const set = open(
      module(
        onHeaders(
          `(drop (call $define (i32.const 1) (i32.const 48) (i32.const 4) (i32.const 300))) (drop (call $record (i32.load (i32.const 300)) (i64.const 2))) ${add(-3)}`,
          0,
        ),
      ),
    );
    set.request(REQUEST);
    assert.match(set.faults.join(), /gauge ping below zero/);
  });
});
