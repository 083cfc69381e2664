import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { meshConfig, type MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import { VirtualMesh } from './virtualMesh.ts';

const LIMIT = 60;
const PLAN: MeshQuota[] = [{ name: 'all', limit: 100, window: 'hour' }];
const CONSUMERS = ['acme', 'beta'];

/** The plan counts over the mesh, and so does the operation: for each consumer, and for callers without a key together. */
function config(path = '/pets', name = 'listPets', onUnavailable?: 'allow'): PluginConfig {
  const plain = meshConfig(PLAN, { consumers: CONSUMERS });
  const own = { name: 'own', limit: LIMIT, window: 'hour', scope: 'mesh', ...(onUnavailable && { onUnavailable }) };
  return {
    ...plain,
    apis: [
      {
        ...plain.apis[0]!,
        operations: [{ name, path, anonymous: 'allow', quotas: [own] }],
      },
    ],
  };
}

function openMesh(envoys: number): VirtualMesh {
  const mesh = new VirtualMesh({
    envoys,
    quotas: PLAN,
    consumers: CONSUMERS,
    rules: [{ window: 'hour', quota: 'petstore/listPets/own' }],
  });
  mesh.load(config());
  return mesh;
}

describe("mesh-wide quotas of an operation's own", () => {
  for (const seed of [1, 2, 3]) {
    it(`let the limit through over three Envoys, for each consumer and for all without a key (seed ${seed})`, () => {
      const random = new Random(seed * 41);
      const mesh = openMesh(3);
      const passed = new Map<string | null, number>();
      const ask = (consumer: string | null): void => {
        mesh.ask(random.below(3), random.below(2), consumer, (reason) => {
          if (reason === 'quota_exceeded') return;
          assert.equal(reason, consumer === null ? 'anonymous' : 'allowed');
          passed.set(consumer, (passed.get(consumer) ?? 0) + 1);
        });
      };
      for (let i = 0; i < 900; i++) {
        ask(random.pick([...CONSUMERS, null]));
        mesh.pass(random.pick([0, 1, 5, 40]));
        for (const [, count] of passed) assert.ok(count <= LIMIT, `${count} passed of ${LIMIT}`);
      }
      for (let round = 0; round < 40; round++) {
        for (const consumer of [...CONSUMERS, null]) ask(consumer);
        mesh.pass(2000);
      }
      mesh.pass(5000);
      assert.deepEqual([...passed.values()], [LIMIT, LIMIT, LIMIT]);
      mesh.assertSound();
    });
  }

  it('go on with their count when the operation lies elsewhere, while requests wait for it', () => {
    const mesh = openMesh(1);
    const ended: string[] = [];
    for (let i = 0; i < 4; i++) mesh.ask(0, i % 2, null, (reason) => ended.push(reason));
    assert.equal(mesh.paused.size, 4);
    mesh.load(config('/{}'));
    mesh.hosts[0]!.retireAllButNewest();
    mesh.pass(3000);
    assert.deepEqual(ended, ['anonymous', 'anonymous', 'anonymous', 'anonymous']);
    for (let i = 0; i < LIMIT; i++) {
      mesh.ask(0, i % 2, null, (reason) => ended.push(reason));
      mesh.pass(50);
    }
    assert.equal(ended.filter((reason) => reason === 'anonymous').length, LIMIT);
    mesh.assertSound();
  });

  it('go by onUnavailable where the service does not know the operation', () => {
    const mesh = openMesh(1);
    mesh.load(config('/pets', 'unknown'));
    mesh.ask(0, 0, 'acme');
    mesh.pass(100);
    assert.equal(mesh.outcome('quota_unavailable'), 1);
    mesh.load(config('/pets', 'unknown', 'allow'));
    mesh.ask(0, 0, 'acme');
    mesh.pass(100);
    assert.equal(mesh.outcome('allowed'), 1);
    mesh.assertSound();
  });
});
