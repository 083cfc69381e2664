import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkPolicy, compilePolicy, observedText, parsePolicy, printPath } from '../../scripts/policy/index.ts';
import { policiesDifferences, printDifference } from '../../scripts/diff/index.ts';
import { serviceConfigOf } from '../../scripts/rateLimitService/serviceConfig.ts';

/** Each binds before those of longer windows do. */
const quotas = (count: number): object =>
  Object.fromEntries(
    ['second', 'minute', 'hour', 'day'].slice(0, count).map((window, i) => [`q${i}`, { limit: i + 1, window }]),
  );

function shop(operations: object, more: object = {}): Record<string, unknown> {
  return {
    policy: 'shop',
    apis: { pets: { paths: ['/v1'], plans: ['free'], operations } },
    plans: { free: { quotas: { hourly: { limit: 100, window: 'hour' } } } },
    consumers: {},
    ...more,
  };
}

function policyOf(value: unknown) {
  const { policy, findings } = parsePolicy(value, 0);
  assert.ok(policy, JSON.stringify(findings));
  return policy;
}

describe('quotas of operations', () => {
  it('are at most 4096 in all', () => {
    const many = (count: number) =>
      checkPolicy(
        shop(Object.fromEntries(Array.from({ length: count }, (_, i) => [`GET /p${i}`, { quotas: quotas(4) }]))),
        0,
      ).filter(({ severity }) => severity === 'error');
    assert.deepEqual(many(1024), []);
    assert.deepEqual(
      many(1025).map(({ path, rule, found }) => `${printPath(path)}: ${rule}; found ${found}`),
      [
        'apis.pets.operations["GET /p1024"].quotas: must fit into the 4096 quotas that all operations may have together; found 4100',
      ],
    );
  });

  it('are warned of where they may need more than a million counters', () => {
    const warnings = (consumers: number) =>
      checkPolicy(
        shop(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`GET /p${i}`, { quotas: quotas(4) }])), {
          consumers: Object.fromEntries(
            Array.from({ length: consumers }, (_, i) => [
              `c${i}`,
              { plan: 'free', keys: [{ id: `k${i}`, digest: `sha256:${String(i).padStart(64, '0')}` }] },
            ]),
          ),
        }),
        0,
      ).map(({ path, rule, severity }) => `${severity}: ${printPath(path)}: ${rule}`);
    assert.deepEqual(warnings(500), []);
    assert.deepEqual(warnings(501), [
      'warning: apis: has operations whose quotas may need a counter for each consumer, 1,002,000 in all: with more than 1,000,000 in use an Envoy takes over 100 MB and becomes slow; give the quotas to plans, or to fewer operations',
    ]);
  });

  it('are compiled from the shortest window to the longest, without what is the default', () => {
    const { apis } = compilePolicy(
      policyOf(
        shop({
          'POST /pets': {
            quotas: {
              daily: { limit: 5, window: 'day', scope: 'envoy' },
              burst: { limit: 1, window: '60s', burst: 4 },
            },
          },
          'GET /pets': { quotas: {} },
        }),
      ),
    );
    assert.deepEqual(apis[0]!.operations, [
      { name: 'GET/pets', methods: ['GET'], path: '/pets' },
      {
        name: 'POST/pets',
        methods: ['POST'],
        path: '/pets',
        quotas: [
          { name: 'burst', limit: 1, window: 'minute', burst: 4 },
          { name: 'daily', limit: 5, window: 'day' },
        ],
      },
    ]);
  });

  it("have a mode, of their own or the API's", () => {
    const withMode = (api: object, quota: object) => {
      const value = shop({ 'POST /pets': { quotas: { writes: { limit: 10, window: 'minute', ...quota } } } });
      Object.assign((value['apis'] as { pets: object }).pets, api);
      return policyOf(value);
    };
    const modeIn = (api: object, quota: object) =>
      compilePolicy(withMode(api, quota)).apis[0]!.operations![0]!.quotas![0]!.mode;
    const [enforce, observe] = [{ mode: 'enforce' }, { mode: 'observe' }];
    assert.equal(modeIn({}, {}), undefined);
    assert.equal(modeIn({}, enforce), undefined);
    assert.equal(modeIn({}, observe), 'observe');
    assert.equal(modeIn(observe, {}), undefined);
    assert.equal(modeIn(observe, enforce), 'enforce');
    assert.equal(observedText(withMode({}, observe)), 'quota writes of POST /pets on pets');
    assert.equal(observedText(withMode(observe, enforce)), 'API pets');
    const difference = (old: [object, object], next: [object, object]) =>
      policiesDifferences(withMode(...old), withMode(...next)).map(printDifference);
    assert.deepEqual(difference([{}, {}], [{}, observe]), [
      'operation pets POST /pets: mode enforce → observe of quota writes: what it would refuse passes, and is only counted [widens access, counters start anew]',
    ]);
    assert.deepEqual(difference([{}, observe], [{}, {}]), [
      'operation pets POST /pets: mode observe → enforce of quota writes: what it would refuse is refused [narrows access, counters start anew]',
    ]);
    assert.deepEqual(difference([{}, {}], [observe, {}]), [
      'API pets: mode enforce → observe: what it would refuse passes, and is only counted [widens access, counters start anew]',
    ]);
    assert.deepEqual(difference([observe, {}], [observe, enforce]), difference([{}, observe], [{}, {}]));
  });

  it('are differences of their operation', () => {
    const operation = (fields: object) => policyOf(shop({ 'POST /pets': fields, 'GET /pets': {} }));
    const writes = (limit: number) => ({ quotas: { writes: { limit, window: 'hour' } } });
    const differences = (old: object, next: object): string[] =>
      policiesDifferences(operation(old), operation(next)).map(printDifference);
    const subject = 'operation pets POST /pets';
    assert.deepEqual(differences({}, writes(5)), [`${subject}: quota writes added: 5 an hour [narrows access]`]);
    assert.deepEqual(differences(writes(5), {}), [`${subject}: quota writes removed: was 5 an hour [widens access]`]);
    assert.deepEqual(differences(writes(5), writes(9)), [`${subject}: writes 5 → 9 [widens access]`]);
    assert.deepEqual(differences({ ...writes(5), name: 'addPet' }, { ...writes(5), name: 'newPet' }), [
      `${subject}: addPet is now called newPet`,
      `${subject}: its own quotas are counted under the new name [counters start anew]`,
    ]);
  });

  it('that are mesh-wide need a configuration of the rate limit service', () => {
    const policy = policyOf(
      shop(
        {
          'POST /pets': { name: 'addPet', quotas: { writes: { limit: 5, window: 'hour', scope: 'mesh' } } },
          'GET /pets': { quotas: { reads: { limit: 5, window: 'hour' } } },
        },
        { rateLimitService: { cluster: 'x' } },
      ),
    );
    // beside none of a plan
    assert.equal(serviceConfigOf(policy)?.domain, 'shop');
    const { operations } = policy.apis.pets!;
    assert.equal(
      serviceConfigOf({
        ...policy,
        apis: { pets: { ...policy.apis.pets!, operations: { 'GET /pets': operations!['GET /pets']! } } },
      }),
      null,
    );
  });
});
