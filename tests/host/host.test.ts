import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { meterOf } from '../../harness/count/meter.ts';
import { Result, parsePairs, serializePairs } from '../../scripts/host/abi.ts';
import { guest } from './guest.ts';
import { HeaderMap, type Pair } from '../../scripts/host/stream.ts';
import { Host } from '../../scripts/host/host.ts';
import { localReply } from '../../scripts/host/openRequest.ts';
import { SharedData } from '../../scripts/host/process.ts';

const REQUEST: Pair[] = [
  [':authority', 'a.test'],
  [':path', '/'],
  [':method', 'GET'],
];

const CONTINUE = '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))';

describe('the host in Node', () => {
  it('refuses a module with an import a host lacks', () => {
    assert.throws(
      () => guest('(import "env" "abort" (func (param i32 i32 i32 i32)))', ''),
      /env\.abort, which a host does not have/,
    );
  });

  it('refuses a module whose import has another signature', () => {
    const grpcCall = `(import "env" "proxy_grpc_call" (func (param ${'i32 '.repeat(10)}) (result i32)))`;
    assert.throws(() => guest(grpcCall, ''), /proxy_grpc_call as .*; the host has/);
  });

  it('lets a request through that the guest lets through, and calls only what is exported', () => {
    const host = new Host(guest('', CONTINUE));
    assert.ok(host.load('{}'));
    const meter = meterOf(host.workers[0]!);
    const { upstream, response } = host.request(REQUEST);
    assert.deepEqual(upstream?.pairs, REQUEST);
    assert.equal(response.first(':status'), '200');
    assert.equal(meter.entries, 1);
  });

  it('refuses a configuration when the canary does, and keeps the one before', () => {
    const host = new Host(
      guest(
        '',
        `${CONTINUE} (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.eq (local.get 1) (i32.const 2)))`,
      ),
    );
    assert.ok(host.load('{}'));
    assert.equal(host.load('bad'), null);
    assert.equal(host.generations.length, 1);
    assert.equal(host.request(REQUEST).response.first(':status'), '200');
  });

  it('records a trap, and answers 503 from then on', () => {
    const host = new Host(
      guest('', '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (unreachable))'),
    );
    assert.ok(host.load('{}'));
    for (let i = 0; i < 2; i++) assert.equal(host.request(REQUEST).response.first(':status'), '503');
    assert.equal(host.faults.length, 1);
    assert.match(host.faults[0]!, /^worker 0: trap in proxy_on_request_headers/);
  });

  it('records a pointer outside the memory', () => {
    const log = '(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))';
    const host = new Host(
      guest(
        log,
        '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (call $log (i32.const 2) (i32.const 65530) (i32.const 100)))',
      ),
    );
    assert.ok(host.load('{}'));
    host.request(REQUEST);
    assert.match(host.faults[0]!, /misuse .*log message: pointer 65530, size 100/);
  });

  it('records header functions outside their phase', () => {
    const remove = '(import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))';
    const host = new Host(
      guest(
        remove,
        `${CONTINUE} (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (call $remove (i32.const 0) (i32.const 1) (i32.const 1)))`,
      ),
    );
    assert.ok(host.load('{}'));
    host.request(REQUEST);
    assert.match(host.faults[0]!, /misuse .*header map 0 changed out of its phase/);
  });

  it('records a pause that nothing ends', () => {
    const host = new Host(
      guest('', '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))'),
    );
    assert.ok(host.load('{}'));
    host.request(REQUEST);
    assert.match(host.faults[0]!, /paused \(1\) without a reply/);
  });

  it('ticks each root at its period until the root is retired', () => {
    const period = '(import "env" "proxy_set_tick_period_milliseconds" (func $period (param i32) (result i32)))';
    const metric =
      '(import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32))) (import "env" "proxy_increment_metric" (func $add (param i32 i64) (result i32)))';
    const host = new Host(
      guest(
        `${period} ${metric}`,
        `${CONTINUE}
      (func (export "proxy_on_configure") (param i32 i32) (result i32) (drop (call $period (i32.const 100))) (drop (call $define (i32.const 0) (i32.const 8) (i32.const 1) (i32.const 16))) (i32.const 1))
      (func (export "proxy_on_tick") (param i32) (drop (call $add (i32.load (i32.const 16)) (i64.const 1))))`,
      ),
    );
    const first = host.load('1')!;
    host.pass(1000);
    const ticks = (): number => Number([...host.process.metrics.byName.values()][0]!.value);
    assert.equal(ticks(), 20, 'ten on the main thread, ten on the worker');
    assert.ok(host.load('2'));
    host.pass(1000);
    assert.equal(ticks(), 60, 'two roots in two VMs');
    host.retire(first);
    host.pass(1000);
    assert.equal(ticks(), 80);
    assert.deepEqual(host.faults, []);
  });
});

describe('shared data', () => {
  const bytes = Buffer.from('a');

  it('takes a write with the cas that was read, and no other', () => {
    const shared = new SharedData();
    assert.equal(shared.set('k', bytes, 0), Result.ok);
    const { cas } = shared.get('k')!;
    assert.equal(shared.set('k', bytes, cas), Result.ok);
    assert.equal(shared.set('k', bytes, cas), Result.casMismatch);
    assert.equal(shared.set('k', bytes, 0), Result.ok);
  });

  it('ignores the cas on a key that does not exist yet', () => {
    assert.equal(new SharedData().set('k', bytes, 12345), Result.ok);
  });

  it('lets a test win a race between a read and a write', () => {
    const shared = new SharedData();
    shared.set('k', bytes, 0);
    const { cas } = shared.get('k')!;
    shared.beforeSet = () => void shared.set('k', bytes, 0);
    assert.equal(shared.set('k', bytes, cas), Result.casMismatch);
  });
});

describe('header maps', () => {
  it('keep order and duplicates, replace all by one, and find names in any case', () => {
    const map = new HeaderMap([
      ['X-A', '1'],
      ['b', '2'],
      ['x-a', '3'],
    ]);
    assert.deepEqual(map.pairs, [
      ['x-a', '1'],
      ['b', '2'],
      ['x-a', '3'],
    ]);
    assert.equal(map.first('X-a'), '1');
    map.replace('x-A', '4');
    assert.deepEqual(map.pairs, [
      ['b', '2'],
      ['x-a', '4'],
    ]);
    map.remove('X-A');
    assert.deepEqual(map.pairs, [['b', '2']]);
  });

  it('are serialised byte for byte as the host does', () => {
    const pairs: Pair[] = [
      ['a', 'bc'],
      ['d', ''],
    ];
    assert.equal(serializePairs(pairs).toString('hex'), '02000000010000000200000001000000000000006100626300640000');
    assert.deepEqual(parsePairs(serializePairs(pairs)), pairs);
  });

  it('refuse pairs that a real host drops', () => {
    const good = serializePairs([['a', 'b']]);
    assert.throws(() => parsePairs(good.subarray(0, -1)), /past the end/);
    assert.throws(() => parsePairs(Buffer.concat([good, Buffer.alloc(1)])), /left over/);
    assert.throws(() => parsePairs(serializePairs(Array.from({ length: 1025 }, (): Pair => ['a', 'b']))), /1024/);
  });
});

describe('local replies', () => {
  const response = {
    status: 429,
    details: 'x',
    body: 'naïve 100%',
    headers: [
      ['content-type', 'text/x'],
      ['a', 'b'],
    ] as Pair[],
    grpcStatus: 0xffffffff,
  };

  it('carry the body over HTTP, and only its length over HEAD', () => {
    const get = localReply(new HeaderMap(REQUEST), response);
    assert.equal(get.body, response.body);
    assert.equal(get.headers.first('content-length'), '11');
    const head = localReply(
      new HeaderMap([
        [':path', '/'],
        [':method', 'HEAD'],
      ]),
      response,
    );
    assert.equal(head.body, '');
    assert.equal(head.headers.first('content-length'), '11');
  });

  it('become a trailers-only status over gRPC', () => {
    const request = new HeaderMap([...REQUEST, ['content-type', 'application/grpc+proto']]);
    const { headers, body } = localReply(request, { ...response, grpcStatus: 8 });
    assert.equal(body, '');
    assert.equal(headers.first(':status'), '200');
    assert.equal(headers.first('content-type'), 'application/grpc');
    assert.equal(headers.first('grpc-status'), '8');
    assert.equal(headers.first('grpc-message'), 'na%C3%AFve 100%25');
    assert.equal(localReply(request, response).headers.first('grpc-status'), '14');
  });
});
