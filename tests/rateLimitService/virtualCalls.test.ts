import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../harness/random.ts';
import { meshConfig, type MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import { decisionOf, OpenRequest } from '../../scripts/host/openRequest.ts';
import type { Vm } from '../../scripts/host/vm.ts';
import { VirtualMesh } from './virtualMesh.ts';

const LIMIT = 20_000;
const QUOTAS: MeshQuota[] = [{ name: 'q', limit: LIMIT, window: 'hour', onUnavailable: 'deny' }];
const TIMEOUT_MS = 50;
const LATENCY_MS = 20;
/** Calls that one VM has under way at most. */
const MAX_CALLS = 64;

function open(options: Partial<ConstructorParameters<typeof VirtualMesh>[0]> = {}): VirtualMesh {
  return new VirtualMesh({
    envoys: 1,
    workers: 1,
    quotas: QUOTAS,
    timeoutMs: TIMEOUT_MS,
    latencyMs: () => LATENCY_MS,
    ...options,
  });
}

const vmOf = (mesh: VirtualMesh): Vm => mesh.hosts[0]!.workers[0]!;

/** Enters the VM with an answer, or the end of a call, that no call of the host is behind. */
function inject(vm: Vm, token: number, result: Buffer | number): void {
  for (const root of [...vm.roots.values()]) {
    if (typeof result === 'number') vm.callRoot(root, 'proxy_on_grpc_close', token, result);
    else {
      vm.grpc.received = result;
      vm.callRoot(root, 'proxy_on_grpc_receive', token, result.length);
      vm.grpc.received = null;
    }
  }
}

/** The number that the host gives to its next call. */
function setNextToken(vm: Vm, token: number): void {
  (vm.grpc as unknown as { nextToken: number }).nextToken = token;
}

/** The answers of the service as the module got them, in order. */
function listen(mesh: VirtualMesh): Buffer[] {
  const heard: Buffer[] = [];
  mesh.rateLimitService.fault = null;
  const { model } = mesh.rateLimitService;
  const answer = model.answer.bind(model);
  model.answer = (message, nowMs) => {
    const bytes = answer(message, nowMs);
    heard.push(bytes);
    return bytes;
  };
  return heard;
}

describe('calls under way', () => {
  it('are answered once: a second answer, or one for an unknown token, is ignored', () => {
    const mesh = open();
    const heard = listen(mesh);
    for (let i = 0; i < 300; i++) {
      mesh.ask(0);
      mesh.pass(2);
      const last = heard.at(-1);
      for (const token of [0, 2, 2 ** 31, 2 ** 32 - 1]) inject(vmOf(mesh), token, last ?? 14);
      if (vmOf(mesh).grpc.outstanding > 0 || last === undefined) continue;
      const used = mesh.rateLimitService.calls.length * 2 - 1;
      for (const token of [used, used - 2]) for (const result of [last, 14]) inject(vmOf(mesh), token, result);
    }
    mesh.pass(5000);
    mesh.assertSound();
    assert.deepEqual(mesh.outcomes, { allowed: 300 });
    assert.equal(
      mesh.metric('tollgate_rate_limit_service_granted_units_total'),
      mesh.metric('tollgate_rate_limit_service_requested_units_total'),
      'every unit is booked once',
    );
    assert.equal(mesh.metric('tollgate_rate_limit_service_failures_total'), 0);
    assert.deepEqual(
      mesh.hosts[0]!.logs().filter((line) => line.includes('does not answer')),
      [],
    );
  });

  it('are counted when the answer comes after their release, and so is the new call', () => {
    const mesh = open({ latencyMs: () => 40 });
    const [host] = mesh.hosts;
    mesh.ask(0);
    assert.equal(vmOf(mesh).grpc.outstanding, 1);
    mesh.pass(10);
    // The old root lives on for its stream, and so does its call; the new one asks at once.
    mesh.load(meshConfig(QUOTAS, { timeoutMs: TIMEOUT_MS, routes: ['r'] }));
    mesh.ask(0);
    mesh.pass(2);
    assert.equal(vmOf(mesh).grpc.outstanding, 2);
    mesh.pass(1000);
    host!.retireAllButNewest();
    mesh.pass(1000);
    mesh.assertSound();
    assert.deepEqual(mesh.outcomes, { allowed: 2 });
    assert.equal(
      mesh.metric('tollgate_rate_limit_service_granted_units_total'),
      mesh.metric('tollgate_rate_limit_service_requested_units_total'),
    );
    assert.equal(mesh.metric('tollgate_rate_limit_service_failures_total'), 0);
  });

  it('are given up when the host gives their token to another call', () => {
    const consumers = ['acme', 'other'];
    const mesh = open({ consumers });
    mesh.rateLimitService.fault = () => null;
    mesh.ask(0);
    mesh.pass(5);
    mesh.load(meshConfig(QUOTAS, { consumers, timeoutMs: TIMEOUT_MS, routes: ['r'] }));
    mesh.hosts[0]!.retireAllButNewest();
    mesh.pass(TIMEOUT_MS + 5);
    assert.equal(vmOf(mesh).grpc.outstanding, 0, 'the host has dropped the call with its root');
    mesh.rateLimitService.fault = null;
    mesh.pass(400);
    setNextToken(vmOf(mesh), 1);
    const before = mesh.allowed;
    const request = mesh.ask(0, 0, 'other');
    mesh.pass(LATENCY_MS);
    assert.equal(request.waitedMs, LATENCY_MS, 'the answer is the new call’s');
    assert.equal(mesh.allowed, before + 1);
    mesh.pass(5000);
    assert.equal(mesh.metric('tollgate_rate_limit_service_granted_units_total'), 1);
    mesh.assertSound();
  });

  it('are bounded in number, and when all slots are taken requests still get their answers in time', () => {
    const consumers = Array.from({ length: 600 }, (_, i) => `c${i}`);
    const mesh = open({ consumers, timeoutMs: 500 });
    mesh.rateLimitService.fault = () => null;
    let most = 0;
    const first = consumers.slice(0, 300).map((consumer) => {
      const request = mesh.ask(0, 0, consumer);
      most = Math.max(most, vmOf(mesh).grpc.outstanding);
      mesh.pass(1);
      return request;
    });
    for (let ms = 0; ms < 600; ms += 2) {
      most = Math.max(most, vmOf(mesh).grpc.outstanding);
      mesh.pass(2);
    }
    assert.ok(most >= 8 && most <= MAX_CALLS, `${most} calls under way`);
    for (const request of first) assert.ok(request.waitedMs <= 503, `waited ${request.waitedMs} ms`);
    mesh.rateLimitService.fault = null;
    mesh.pass(12_000);
    // One call tries whether the service is back.
    mesh.ask(0, 0, consumers[0]);
    mesh.pass(100);
    for (const consumer of consumers.slice(300)) {
      mesh.ask(0, 0, consumer);
      mesh.pass(5);
    }
    mesh.pass(1000);
    assert.equal(mesh.allowed, 301, 'every slot is free again');
    mesh.assertSound();
  });

  it('share slots while the service is slow, and none is lost', () => {
    const consumers = Array.from({ length: 1000 }, (_, i) => `c${i}`);
    const mesh = open({ consumers, timeoutMs: 1000, latencyMs: () => 900 });
    let most = 0;
    for (const consumer of consumers) {
      mesh.ask(0, 0, consumer);
      mesh.pass(5);
      most = Math.max(most, vmOf(mesh).grpc.outstanding);
    }
    mesh.pass(10_000);
    assert.ok(most > 16 && most <= MAX_CALLS, `${most} calls under way`);
    assert.deepEqual(mesh.outcomes, { allowed: 1000 });
    assert.equal(mesh.metric('tollgate_rate_limit_service_failures_total'), 0);
    mesh.assertSound();
  });

  for (const byMs of [-3600_000, -60_000, -100, 100, 60_000]) {
    it(`end or go on when the clock is set by ${byMs} ms meanwhile: no request waits longer than before`, () => {
      for (let at = 0; at <= LATENCY_MS + 2; at += 2) {
        const mesh = open({ startMs: Date.UTC(2026, 0, 15, 12, 30) });
        for (let i = 0; i < 40; i++) {
          mesh.ask(0);
          mesh.pass(1);
        }
        mesh.pass(at);
        const { clock } = mesh.timeline;
        clock.jump(clock.wallMs + byMs);
        for (let i = 0; i < 40; i++) {
          mesh.ask(0);
          mesh.pass(1);
        }
        // An answer about another hour looks as if the service counted calls, and it is asked for single units for a minute.
        mesh.pass(61_000);
        const before = mesh.allowed;
        for (let i = 0; i < 40; i++) {
          mesh.ask(0);
          mesh.pass(5);
        }
        mesh.pass(1000);
        assert.ok(mesh.longestWaitMs <= TIMEOUT_MS + 3, `waited ${mesh.longestWaitMs} ms`);
        assert.ok(mesh.allowed - before >= 38, `${mesh.allowed - before} allowed after the clock was set at ${at} ms`);
        mesh.assertSound();
      }
    });
  }

  it('end with requests reset, answered by the host or edited away at any moment', () => {
    for (const what of ['reset', 'timeOut', 'edit', 'retire'] as const) {
      for (let at = 0; at <= LATENCY_MS + 4; at++) {
        const mesh = open();
        const requests = Array.from({ length: 50 }, () => mesh.ask(0));
        mesh.pass(at);
        if (what === 'reset' || what === 'timeOut') for (const request of requests) request[what]();
        else mesh.load(meshConfig(QUOTAS, { timeoutMs: TIMEOUT_MS, routes: ['r'] }));
        if (what === 'retire') mesh.hosts[0]!.retireAllButNewest();
        mesh.pass(1);
        for (let i = 0; i < 50; i++) mesh.ask(0);
        mesh.pass(3000);
        mesh.assertSound();
        assert.equal(mesh.sent, 100);
        const last = mesh.ask(0);
        mesh.pass(100);
        assert.ok(decisionOf(last.exchange!)?.reason === 'allowed', `${what} at ${at} ms`);
      }
    }
  });

  it('ask for nothing of another policy in the same VM', () => {
    const mesh = open();
    const vm = vmOf(mesh);
    // A policy with fewer records than the positions of the first, and an API that needs no key.
    const other = meshConfig([{ name: 'other', limit: 5, window: 'hour' }], { policy: 'other' });
    const configuration = Buffer.from(
      JSON.stringify({ ...other, apis: other.apis.map((api) => ({ ...api, anonymous: 'allow' })), consumers: [] }),
    );
    const root = vm.startRoot({ name: 'other', rootId: 'other', configuration });
    assert.ok(root, mesh.hosts[0]!.logs().at(-1));
    let anonymous = 0;
    for (let i = 0; i < 3000; i++) {
      mesh.ask(0);
      mesh.pass(1);
      const request = new OpenRequest(
        vm,
        root,
        [
          [':authority', 'a.test'],
          [':path', '/v1/pets'],
          [':method', 'GET'],
        ],
        () => [[':status', '200']],
      );
      if (request.exchange !== null && decisionOf(request.exchange)?.reason === 'anonymous') anonymous++;
    }
    mesh.pass(1000);
    assert.equal(anonymous, 3000);
    const calls = mesh.hosts[0]!.series('tollgate_rate_limit_service_calls_total', { policy: 'other' });
    assert.deepEqual(
      calls.map(({ value }) => value),
      [0],
    );
    mesh.assertSound();
  });

  it('survive storms of answers, edits, resets, clocks and tokens', () => {
    for (let seed = 1; seed <= 6; seed++) {
      const random = new Random(seed);
      const consumers = Array.from({ length: 40 }, (_, i) => `c${i}`);
      const mesh = open({
        workers: 2,
        consumers,
        latencyMs: () => random.below(40),
        startMs: Date.UTC(2026, 0, 15, 12, 30),
      });
      const [host] = mesh.hosts;
      const heard = listen(mesh);
      const { clock } = mesh.timeline;
      const requests: OpenRequest[] = [];
      for (let step = 0; step < 4000; step++) {
        const chance = random.next();
        const vm = host!.workers[random.below(2)]!;
        if (chance < 0.7) requests.push(mesh.ask(0, random.below(2), random.pick(consumers)));
        else if (chance < 0.78) requests.splice(random.below(requests.length), 1)[0]?.reset();
        else if (chance < 0.8) requests.splice(random.below(requests.length), 1)[0]?.timeOut();
        else if (chance < 0.82)
          mesh.load(meshConfig(QUOTAS, { consumers, timeoutMs: TIMEOUT_MS, routes: [`r${step}`] }));
        else if (chance < 0.84) host!.retireAllButNewest();
        else if (chance < 0.85) clock.jump(clock.wallMs + random.below(2000) - 1000);
        else if (chance < 0.86)
          mesh.rateLimitService.fault = random.chance(0.5) ? () => random.pick([null, 14, 4]) : null;
        else if (chance < 0.9)
          inject(
            vm,
            1 + 2 * random.below(mesh.rateLimitService.calls.length + 2) + 2 ** 20,
            random.pick([14, ...heard.slice(-3)]),
          );
        mesh.pass(random.below(4));
      }
      mesh.rateLimitService.fault = null;
      mesh.pass(20_000);
      mesh.assertSound();
      assert.equal(
        mesh.sent,
        Object.values(mesh.outcomes).reduce((sum, count) => sum + count, 0),
      );
      for (const { outstanding } of host!.workers.map((vm) => vm.grpc)) assert.equal(outstanding, 0);
      // One call of each worker tries whether the service is back.
      for (const worker of [0, 1]) mesh.ask(0, worker, consumers[0]);
      mesh.pass(61_000);
      const before = mesh.allowed;
      for (let i = 0; i < 200; i++) {
        mesh.ask(0, i % 2, random.pick(consumers));
        mesh.pass(20);
      }
      mesh.pass(1000);
      assert.equal(mesh.allowed - before, 200, `seed ${seed}`);
      assert.ok(
        mesh.metric('tollgate_rate_limit_service_granted_units_total') <=
          mesh.metric('tollgate_rate_limit_service_requested_units_total'),
        'granted without asking',
      );
    }
  });
});
