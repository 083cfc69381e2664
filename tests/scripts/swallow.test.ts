import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPolicy } from '../../scripts/policy/index.ts';

type Fields = Record<string, unknown>;

const VALID = {
  policy: 'shop',
  upstreams: { v1: { url: 'http://127.0.0.1:1' } },
  apis: {
    pets: {
      hosts: ['a.test'],
      paths: ['/v1'],
      plans: ['free'],
      upstream: 'v1',
      routes: [{ name: 'a', when: { methods: ['GET'] } }],
    },
  },
  plans: { free: { quotas: { daily: { limit: 1, window: 'day' } } } },
  consumers: {
    acme: {
      plan: 'free',
      subscriptions: { pets: { plan: 'free' } },
      keys: [{ id: 'a', digest: `sha256:${'a'.repeat(64)}` }],
    },
  },
};

/** One mistake each, at a place of its own: a path and what stands there instead; undefined removes. */
const MISTAKES: readonly [path: string, value: unknown][] = [
  ['policy', undefined],
  ['foo', 1],
  ['bar', 2],
  ['unmatched', 'never'],
  ['forwardKey', 1],
  ['keySources', []],
  ['upstreams.v1.weight', 1],
  ['upstreams.v2', {}],
  ['apis.pets.foo', 1],
  ['apis.pets.bar', 1],
  ['apis.pets.hosts.0', 'A'],
  ['apis.pets.hosts.1', 'B'],
  ['apis.pets.paths.1', 'x'],
  ['apis.pets.plans.1', 'gold'],
  ['apis.pets.upstream', 'v9'],
  ['apis.pets.routes.0.foo', 1],
  ['apis.pets.routes.0.name', 'default'],
  ['apis.pets.routes.0.when.foo', 1],
  ['apis.pets.routes.0.when.methods', []],
  ['apis.pets.routes.1', {}],
  ['apis.dogs', null],
  ['plans.free.quotas.daily.limit', 0],
  ['plans.free.quotas.daily.window', 'decade'],
  ['plans.free.quotas.daily.foo', 1],
  ['plans.free.foo', 1],
  ['plans.Gold', null],
  ['consumers.acme.foo', 1],
  ['consumers.acme.plan', 'x'],
  ['consumers.acme.subscriptions.pets.paused', 1],
  ['consumers.acme.subscriptions.none', { plan: 'free' }],
  ['consumers.acme.subscriptions.pets.limits', { hourly: 1 }],
  ['consumers.acme.keys.0.digest', 'x'],
  ['consumers.acme.keys.0.foo', 1],
  ['consumers.acme.keys.1', {}],
  ['consumers.b\tc', null],
];

function withMistakes(...mistakes: readonly (readonly [string, unknown])[]): string {
  const policy = structuredClone(VALID) as Fields;
  for (const [path, value] of mistakes) {
    const names = path.split('.');
    const last = names.pop()!;
    const parent = names.reduce<Fields>((node, name) => node[name] as Fields, policy);
    if (value === undefined) delete parent[last];
    else parent[last] = value;
  }
  return JSON.stringify(policy);
}

/** Leaves out the names that a reference could have, because the other mistake may change them. */
const problemsOf = (text: string): string[] =>
  readPolicy(text, 'p').problems.map(
    ({ path, rule, found }) => `${path}: ${rule.replace(/ \([^)]*\)$/, '')}; ${found ?? ''}`,
  );

test('every mistake is reported', () => {
  for (const mistake of MISTAKES) assert.ok(problemsOf(withMistakes(mistake)).length > 0, mistake[0]);
});

test('no mistake hides another: two together have the problems of each', () => {
  for (const [index, one] of MISTAKES.entries()) {
    for (const two of MISTAKES.slice(index + 1)) {
      if (one[0].startsWith(`${two[0]}.`) || two[0].startsWith(`${one[0]}.`)) continue;
      const both = problemsOf(withMistakes(one, two));
      for (const problem of [...problemsOf(withMistakes(one)), ...problemsOf(withMistakes(two))])
        assert.ok(both.includes(problem), `${one[0]} and ${two[0]}: ${problem}\nonly\n${both.join('\n')}`);
    }
  }
});

test('a policy of two unknown fields is told of both, and of what it lacks', () => {
  assert.deepEqual(
    readPolicy('bar: 2\nfoo: 1\n', 'p').problems.map(({ line, rule, found }) => [line, rule.slice(0, 22), found]),
    [
      [1, 'must have the field "p', undefined],
      [1, 'must have no other fie', '"bar"'],
      [2, 'must have no other fie', '"foo"'],
    ],
  );
});
