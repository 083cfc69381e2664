import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOf, pluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { Host } from '../../scripts/host/host.ts';
import type { Pair } from '../../scripts/host/stream.ts';
import { module, SEEDS, SETTLE_MS, START_MS } from './quotaHost.ts';

const READS = 300;
const WRITES = 40;
const ALL = 500;

/** One API with an operation to read, which needs no key, one to write, which costs two, and one without quotas. */
function config(consumers = 2): string {
  const plain = pluginConfig([{ name: 'all', limit: ALL, window: 'day' }], { consumers });
  const operations = [
    {
      name: 'read',
      methods: ['GET'],
      path: '/pets',
      anonymous: 'allow',
      quotas: [{ name: 'reads', limit: READS, window: 'day' }],
    },
    {
      name: 'write',
      methods: ['POST'],
      path: '/pets',
      cost: 2,
      quotas: [
        { name: 'burst', limit: 1, window: 'day', burst: WRITES },
        { name: 'writes', limit: 10 * WRITES, window: 'day' },
      ],
    },
    { name: 'show', path: '/pets/{}' },
  ];
  return JSON.stringify({ ...plain, apis: [{ ...plain.apis[0]!, routes: [], operations }] });
}

function openHost(workers: number): Host {
  const host = new Host(module, { workers, startMs: START_MS });
  assert.ok(host.load(config()), host.logs('error').join('\n'));
  return host;
}

interface Ask {
  readonly method: string;
  readonly path: string;
  /** Null: without a key. */
  readonly consumer: number | null;
}

function ask(host: Host, worker: number, { method, path, consumer }: Ask): string {
  const key: Pair[] = consumer === null ? [] : [['x-api-key', keyOf(consumer)]];
  const { filterState } = host.request(
    [[':authority', 'a.test'], [':path', path], [':method', method], [':scheme', 'https'], ...key],
    { worker },
  );
  return /reason=(\w+)/.exec(filterState.get('wasm.tollgate') ?? '')?.[1] ?? 'none';
}

const READ: Ask = { method: 'GET', path: '/v1/pets', consumer: 0 };
const WRITE: Ask = { method: 'POST', path: '/v1/pets', consumer: 0 };
const OPEN: Ask = { method: 'GET', path: '/v1/pets', consumer: null };
const SHOW: Ask = { method: 'GET', path: '/v1/pets/7', consumer: 0 };
const KINDS = [READ, WRITE, OPEN, SHOW, { ...READ, consumer: 1 }, { ...WRITE, consumer: 1 }];

describe('quotas of operations over several workers', () => {
  for (const seed of SEEDS) {
    it(`are charged together with the plan's, all or none (seed ${seed})`, () => {
      const random = new Random(seed);
      const host = openHost(4);
      const passed = new Map<Ask, number>();
      const of = (kind: Ask): number => passed.get(kind) ?? 0;
      const within = (): void => {
        assert.ok(of(READ) <= READS && of(KINDS[4]!) <= READS && of(OPEN) <= READS);
        assert.ok(of(WRITE) * 2 <= WRITES && of(KINDS[5]!) * 2 <= WRITES);
        assert.ok(of(READ) + 2 * of(WRITE) + of(SHOW) <= ALL);
        assert.ok(of(KINDS[4]!) + 2 * of(KINDS[5]!) <= ALL);
      };
      const send = (kind: Ask, worker: number): boolean => {
        const reason = ask(host, worker, kind);
        assert.match(reason, /^(?:allowed|anonymous|quota_exceeded)$/);
        if (reason === 'quota_exceeded') return false;
        passed.set(kind, of(kind) + 1);
        return true;
      };
      for (let i = 0; i < 1500; i++) {
        if (random.chance(0.2)) host.pass(random.pick([0.05, 1, 20, 260]));
        send(random.pick(KINDS), random.below(4));
        within();
      }
      // to the last unit of each, once idle leases have come back
      for (let round = 0, quiet = 0; quiet < 3 && round < 60; round++) {
        let some = false;
        for (let worker = 0; worker < 4; worker++) for (const kind of KINDS) while (send(kind, worker)) some = true;
        host.pass(SETTLE_MS);
        quiet = some ? 0 : quiet + 1;
      }
      within();
      assert.equal(of(OPEN), READS);
      // of consumer 0 either the operation's or the plan's is used up, and what a refused request took would be missing here
      assert.equal(of(READ) + 2 * of(WRITE) + of(SHOW), ALL);
      assert.equal(of(KINDS[4]!), READS);
      assert.equal(2 * of(KINDS[5]!), WRITES);
      assert.deepEqual(host.faults, []);
    });
  }

  it('are counted by operation and quota in metrics, and by plan without the quota', () => {
    const host = openHost(2);
    for (let i = 0; i < WRITES / 2 + 3; i++) ask(host, i % 2, WRITE);
    for (let i = 0; i < READS + 20; i++) ask(host, i % 2, OPEN);
    host.pass(1000);
    const total = (name: 'tollgate_requests_total' | 'tollgate_operation_requests_total', labels: object): number =>
      host.total(name, { api: 'petstore', reason: 'quota_exceeded', ...labels });
    assert.equal(total('tollgate_operation_requests_total', { operation: 'write', quota: 'burst' }), 3);
    assert.equal(total('tollgate_requests_total', { plan: 'free' }), 3);
    assert.equal(total('tollgate_requests_total', { quota: 'burst' }), 0);
    const refused = total('tollgate_operation_requests_total', { operation: 'read', quota: 'reads' });
    assert.ok(refused >= 20, `${refused} refused`);
    assert.equal(
      refused + host.total('tollgate_operation_requests_total', { operation: 'read', reason: 'anonymous' }),
      READS + 20,
    );
    assert.deepEqual(host.faults, []);
  });

  it('outlive an edit that moves the operation, and the key that called it', () => {
    const host = openHost(2);
    let passed = 0;
    for (let i = 0; i < 10; i++) if (ask(host, i % 2, WRITE) === 'allowed') passed++;
    const edited = config().replaceAll('/pets', '/animals');
    assert.ok(host.load(edited), host.logs('error').join('\n'));
    const moved = { ...WRITE, path: '/v1/animals' };
    for (let i = 0; i < WRITES; i++) if (ask(host, i % 2, moved) === 'allowed') passed++;
    assert.equal(2 * passed, WRITES);
    assert.equal(ask(host, 0, WRITE), 'no_operation');
  });
});
