import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import type { OpenRequest } from '../../scripts/host/openRequest.ts';
import { decisionOf } from '../../scripts/host/index.ts';
import { VirtualMesh } from './virtualMesh.ts';

const OBSERVED: MeshQuota = { name: 'new', limit: 30, window: 'hour', mode: 'observe' };
const ENFORCED: MeshQuota = { name: 'old', limit: 50, window: 'hour' };

/** Sends requests to two Envoys in turn; returns them once nobody waits any more. */
function send(mesh: VirtualMesh, count: number, everyMs = 5): OpenRequest[] {
  const requests: OpenRequest[] = [];
  for (let i = 0; i < count; i++) {
    requests.push(mesh.ask(i % 2, (i >> 1) % 2));
    mesh.pass(everyMs);
  }
  mesh.pass(1000);
  return requests;
}

function passed(requests: readonly OpenRequest[]): number {
  return requests.filter(({ exchange }) => exchange!.response.first(':status') === '200').length;
}

function isObserved({ exchange }: OpenRequest): boolean {
  return decisionOf(exchange!)!.mode === 'observe';
}

/** Units that the service has granted of the quotas that are only observed, or of the others. */
function granted(mesh: VirtualMesh, isObserved: boolean): number {
  return [...mesh.rateLimitService.model.granted]
    .filter(([key]) => key.includes('quota=observed:') === isObserved)
    .reduce((sum, [, units]) => sum + units, 0);
}

describe('an observed mesh-wide quota', () => {
  it('makes no request wait, and counts apart from quotas in force', () => {
    const mesh = new VirtualMesh({ envoys: 2, quotas: [OBSERVED], latencyMs: () => 2 });
    const requests = send(mesh, 400);
    assert.equal(mesh.waited, 0);
    assert.equal(passed(requests), 400);
    assert.equal(granted(mesh, false), 0);
    const counted = granted(mesh, true);
    assert.ok(counted >= 30 && counted <= 60, `${counted} units`);
    // those that come before the answer to the first call count as allowed
    const allowed = mesh.outcome('allowed');
    assert.ok(allowed >= 30 && allowed <= 60, JSON.stringify(mesh.outcomes));
    assert.equal(mesh.outcome('quota_exceeded'), 400 - allowed);
    assert.equal(requests.filter(isObserved).length, 400 - allowed);
    assert.equal(mesh.metric('tollgate_observed_total', { reason: 'quota_exceeded', quota: 'new' }), 400 - allowed);
    assert.equal(mesh.metric('tollgate_requests_total', { reason: 'allowed' }), 400);
    mesh.assertSound();
  });

  it('leaves a quota in force beside it exact', () => {
    const mesh = new VirtualMesh({ envoys: 2, quotas: [OBSERVED, ENFORCED], latencyMs: () => 5 });
    const requests = send(mesh, 300);
    mesh.pass(2000);
    assert.equal(passed(requests), 50);
    assert.ok(granted(mesh, false) >= 50);
    assert.ok(granted(mesh, true) > 0 && granted(mesh, true) <= 60);
    assert.ok(mesh.waited > 0, 'the quota in force makes requests wait');
    const refused = requests.filter(({ exchange }) => exchange!.response.first(':status') === '429');
    assert.equal(refused.length, 250);
    assert.ok(refused.every((request) => !isObserved(request)));
    mesh.assertSound();
  });

  for (const [onUnavailable, reason] of [
    ['deny', 'quota_unavailable'],
    ['local-share', 'quota_exceeded'],
  ] as const) {
    it(`passes while the service does not answer, and counts what ${onUnavailable} would have refused`, () => {
      const share = onUnavailable === 'local-share' ? { localShare: 7 } : {};
      const mesh = new VirtualMesh({ envoys: 2, quotas: [{ ...OBSERVED, onUnavailable, ...share }] });
      mesh.rateLimitService.fault = () => 14;
      const requests = send(mesh, 200);
      assert.equal(mesh.waited, 0);
      assert.equal(passed(requests), 200);
      assert.ok(mesh.outcome(reason) > 150, JSON.stringify(mesh.outcomes));
      assert.equal(mesh.metric('tollgate_observed_total', { reason, quota: 'new' }), mesh.outcome(reason));
      assert.equal(mesh.metric('tollgate_quota_unavailable_total'), 0);
      mesh.assertSound();
    });
  }

  it('asks nothing more of tables that are gone when a request passes before its quotas are looked at', () => {
    const mesh = new VirtualMesh({ envoys: 2, quotas: [OBSERVED], consumers: ['acme', 'beta'] });
    send(mesh, 8, 0);
    for (let i = 0; i < 50; i++) {
      mesh.hosts[0]!.request([
        [':authority', 'a.test'],
        [':path', '/v1/pets'],
        [':method', 'GET'],
      ]);
      mesh.ask(0, i % 2, 'beta');
      mesh.pass(20);
    }
    mesh.assertSound();
  });
});
