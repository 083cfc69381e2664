import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digest, type PluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { keyOf, meshConfig } from '../../harness/rateLimitService/meshPolicy.ts';
import { VirtualMesh } from './virtualMesh.ts';

const WINDOW = 'hour';
const LIMITS = { key: 20, operation: 25, group: 60, calls: 70 };
/** Consumers with the id of a key; whose key is the consumer's and the id's. */
const CALLERS = [
  ['acme', 'a'],
  ['acme', 'b'],
  ['beta', 'a'],
  ['corp', 'a'],
] as const;
const PATHS = { '/v1/pets': 'list', '/v1/more': 'more' } as const;
type Path = keyof typeof PATHS;

/** `acme` and `beta` are the group `corp`, which is also the name of a consumer that is in none. */
function config(quotas: readonly object[], other: readonly object[] = quotas, ids = ['a', 'b']): PluginConfig {
  const plain = meshConfig([], { timeoutMs: 100 });
  const keysOf = (consumer: string): object[] =>
    CALLERS.filter(([name]) => name === consumer).map(([name, id]) => ({
      id: ids[id === 'a' ? 0 : 1],
      digest: digest(keyOf(`${name}-${id}`)),
    }));
  return {
    ...plain,
    apis: plain.apis.map((api) => ({
      ...api,
      plans: ['gold', 'silver'],
      unlisted: 'allow',
      operations: [{ name: 'list', path: '/pets' }],
    })),
    plans: [
      { name: 'gold', quotas },
      { name: 'silver', quotas: other },
    ],
    consumers: [
      { name: 'acme', plan: 'gold', group: 'corp', keys: keysOf('acme') },
      { name: 'beta', plan: 'silver', group: 'corp', keys: keysOf('beta') },
      { name: 'corp', plan: 'gold', keys: keysOf('corp') },
    ],
  } as unknown as PluginConfig;
}

function mesh(name: string, limit: number, fields: object = {}): object {
  return { name, limit, window: WINDOW, scope: 'mesh', ...fields };
}

/** Requests of all callers at all workers of three Envoys, counted by what `counterOf` says that they count in. */
class PartsMesh {
  readonly mesh = new VirtualMesh({ envoys: 3, quotas: [], rules: [{ window: WINDOW, quota: '*' }] });
  readonly passed = new Map<string, number>();

  constructor(
    readonly random: Random,
    readonly counterOf: (consumer: string, id: string, path: Path) => string,
    readonly limitOf: (counter: string) => number,
  ) {}

  ask([consumer, id]: readonly [string, string], path: Path, envoy = this.random.below(3)): void {
    const counter = this.counterOf(consumer, id, path);
    this.mesh.ask(
      envoy,
      this.random.below(2),
      `${consumer}-${id}`,
      (reason) => {
        if (reason !== 'allowed') return assert.equal(reason, 'quota_exceeded');
        const count = (this.passed.get(counter) ?? 0) + 1;
        this.passed.set(counter, count);
        assert.ok(count <= this.limitOf(counter), `${count} passed in ${counter}`);
      },
      path,
    );
  }

  run(requests: number): void {
    const paths = Object.keys(PATHS) as Path[];
    for (let i = 0; i < requests; i++) {
      this.ask(this.random.pick(CALLERS), this.random.pick(paths));
      this.mesh.pass(this.random.below(60));
    }
  }

  /** Until nothing has passed for over half a minute. */
  drain(): void {
    const total = (): number => [...this.passed.values()].reduce((sum, count) => sum + count, 0);
    for (let quiet = 0; quiet < 42;) {
      const before = total();
      for (const caller of CALLERS)
        for (const path of Object.keys(PATHS) as Path[])
          for (let envoy = 0; envoy < 3; envoy++) this.ask(caller, path, envoy);
      this.mesh.pass(1000);
      quiet = total() === before ? quiet + 1 : 0;
    }
  }

  /** Units that the service has counted in counters whose descriptor holds this. */
  counted(descriptor: string): number {
    return this.mesh.rateLimitService.model.counted(`window=${WINDOW} ${descriptor} `);
  }
}

describe('mesh-wide quotas of parts of what a consumer sends, over three Envoys', () => {
  for (const seed of [1, 2]) {
    it(`per key: each key has the limit, whoever holds one of the same id (seed ${seed})`, () => {
      const parts = new PartsMesh(
        new Random(seed),
        (consumer, id) => `${consumer} ${id}`,
        () => LIMITS.key,
      );
      parts.mesh.load(config([mesh('q', LIMITS.key, { per: 'key' })]));
      parts.run(400);
      parts.drain();
      assert.equal(parts.passed.size, CALLERS.length);
      for (const [consumer, id] of CALLERS) {
        assert.equal(parts.passed.get(`${consumer} ${id}`), LIMITS.key);
        assert.ok(parts.counted(`quota=key:${id}/q consumer=${consumer}`) >= LIMITS.key);
      }
      parts.mesh.assertSound();
    });

    it(`per operation: each operation has it, and what the API does not list together (seed ${seed})`, () => {
      const parts = new PartsMesh(
        new Random(seed),
        (consumer, _, path) => `${consumer} ${PATHS[path]}`,
        () => LIMITS.operation,
      );
      parts.mesh.load(config([mesh('q', LIMITS.operation, { per: 'operation' })]));
      parts.run(400);
      parts.drain();
      for (const consumer of ['acme', 'beta', 'corp']) {
        for (const name of Object.values(PATHS))
          assert.equal(parts.passed.get(`${consumer} ${name}`), LIMITS.operation);
        assert.ok(parts.counted(`quota=operation:petstore/list/q consumer=${consumer}`) >= LIMITS.operation);
        assert.ok(parts.counted(`quota=petstore/q consumer=${consumer}`) >= LIMITS.operation);
      }
      parts.mesh.assertSound();
    });

    it(`per group: its consumers have it together, whatever their plans, and nobody of its name (seed ${seed})`, () => {
      const parts = new PartsMesh(
        new Random(seed),
        (consumer) => (consumer === 'corp' ? 'alone' : 'group'),
        () => LIMITS.group,
      );
      parts.mesh.load(config([mesh('q', LIMITS.group, { per: 'group' })]));
      parts.run(400);
      parts.drain();
      assert.deepEqual(Object.fromEntries(parts.passed), { alone: LIMITS.group, group: LIMITS.group });
      assert.ok(parts.counted('quota=group:q consumer=corp') >= LIMITS.group);
      assert.ok(parts.counted('quota=q consumer=corp') >= LIMITS.group);
      parts.mesh.assertSound();
    });

    it(`with a counter: quotas of two names have one count, each against its limit (seed ${seed})`, () => {
      const parts = new PartsMesh(
        new Random(seed),
        (consumer) => consumer,
        (consumer) => (consumer === 'beta' ? LIMITS.calls / 2 : LIMITS.calls),
      );
      const quotas = [
        mesh('all', LIMITS.calls, { counter: 'calls' }),
        mesh('every', LIMITS.calls / 2, { counter: 'calls' }),
      ];
      parts.mesh.load(config([quotas[0]!], [quotas[1]!]));
      parts.run(400);
      parts.drain();
      const half = LIMITS.calls / 2;
      assert.deepEqual(Object.fromEntries([...parts.passed].sort()), {
        acme: LIMITS.calls,
        beta: half,
        corp: LIMITS.calls,
      });
      assert.ok(parts.counted('quota=calls consumer=beta') >= half);
      parts.mesh.assertSound();
    });
  }

  it('keep a counter apart that is only observed', () => {
    const parts = new PartsMesh(
      new Random(3),
      (consumer) => consumer,
      () => Infinity,
    );
    parts.mesh.load(config([mesh('q', 5, { per: 'group', mode: 'observe' })]));
    parts.run(120);
    parts.mesh.pass(3000);
    assert.ok(parts.counted('quota=observed:group:q consumer=corp') > 0);
    assert.equal(parts.counted('quota=group:q consumer=corp'), 0);
    parts.mesh.assertSound();
  });

  it('count a key on under its id: a digest may change, and a key of another id begins at zero', () => {
    const parts = new PartsMesh(
      new Random(4),
      (consumer, id) => `${consumer} ${id}`,
      () => 2 * LIMITS.key,
    );
    const quotas = [mesh('q', LIMITS.key, { per: 'key' })];
    parts.mesh.load(config(quotas));
    parts.drain();
    // What was the key a has the id b now, and the other way round.
    parts.mesh.load(config(quotas, quotas, ['b', 'a']));
    parts.drain();
    assert.equal(parts.passed.get('acme a'), LIMITS.key, 'b was used up as well');
    assert.equal(parts.passed.get('beta a'), 2 * LIMITS.key, 'beta had no b');
    parts.mesh.assertSound();
  });

  it('have local shares of their own while the service does not answer', () => {
    const parts = new PartsMesh(
      new Random(5),
      (consumer, id) => `${consumer} ${id}`,
      () => 3 * 2,
    );
    parts.mesh.load(config([mesh('q', LIMITS.key, { per: 'key', onUnavailable: 'local-share', localShare: 2 })]));
    parts.mesh.rateLimitService.fault = () => 14;
    for (let round = 0; round < 5; round++) {
      for (const caller of CALLERS) for (let envoy = 0; envoy < 3; envoy++) parts.ask(caller, '/v1/pets', envoy);
      parts.mesh.pass(2000);
    }
    for (const [consumer, id] of CALLERS) assert.equal(parts.passed.get(`${consumer} ${id}`), 3 * 2);
    parts.mesh.assertSound();
  });

  it('ask about the key and the group of the policy that is in force, while requests wait', () => {
    const parts = new PartsMesh(
      new Random(6),
      () => 'all',
      () => Infinity,
    );
    const quotas = [mesh('k', 50, { per: 'key' }), mesh('g', 50, { per: 'group' })];
    parts.mesh.load(config(quotas));
    for (const caller of CALLERS) for (let envoy = 0; envoy < 3; envoy++) parts.ask(caller, '/v1/pets', envoy);
    assert.ok(parts.mesh.paused.size > 0);
    parts.mesh.load(config(quotas, quotas, ['renamed', 'too']));
    for (const host of parts.mesh.hosts) host.retireAllButNewest();
    parts.mesh.pass(5000);
    assert.equal(parts.passed.get('all'), CALLERS.length * 3);
    for (const caller of CALLERS) for (let envoy = 0; envoy < 3; envoy++) parts.ask(caller, '/v1/pets', envoy);
    parts.mesh.pass(5000);
    assert.equal(parts.passed.get('all'), CALLERS.length * 6);
    assert.ok(parts.counted('quota=key:renamed/k consumer=acme') > 0);
    parts.mesh.assertSound();
  });
});
