import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_POLICY_BYTES, printProblems, readPolicy } from '../../scripts/policy/index.ts';
import { tollgate } from './fakeIo.ts';

type Make = (count: number) => string;
const many = (count: number, of: (index: number) => string, between = ', '): string =>
  Array.from({ length: count }, (_, index) => of(index)).join(between);
const pets = (rest: string): string => `apis: { pets: { paths: [/], plans: [], ${rest} } }\n`;

/** Large numbers of one thing. Each used to take quadratic time, or had no bound. */
const KINDS: Readonly<Record<string, Make>> = {
  'unknown fields': (n) => many(n, (i) => `a${i}: 1\n`, ''),
  'unknown fields of an API': (n) => pets(many(n, (i) => `f${i}: 1`)),
  'APIs with nothing in them': (n) => `apis:\n${many(n, (i) => ` a${i}:\n`, '')}`,
  hosts: (n) => pets(`hosts: [${many(n, (i) => `h${i}`)}]`),
  'bad hosts': (n) => pets(`hosts: [${many(n, () => 'A')}]`),
  paths: (n) => `apis: { pets: { paths: [${many(n, (i) => `/p${i}`)}] } }\n`,
  'hosts times paths': (n) =>
    `apis: { pets: { paths: [${many(n / 2, (i) => `/p${i}`)}], hosts: [${many(n / 2, (i) => `h${i}`)}] } }\n`,
  'plans that are unknown beside many': (n) =>
    `plans:\n${many(n / 2, (i) => ` p${i}:\n`, '')}${`apis: { pets: { paths: [/], plans: [${many(n / 2, (i) => `x${i}`)}] } }\n`}`,
  'consumers of many APIs': (n) =>
    `plans: { x: }\napis:\n${many(n / 3, (i) => ` a${i}: {paths: [/${i}], plans: [x]}\n`, '')}consumers:\n${many(n / 3, (i) => ` c${i}: {plan: x}\n`, '')}`,
  'consumers with two plans': (n) =>
    `plans: { x: {quotas: {q: {limit: 1, window: day}}}, y: {quotas: {q: {limit: 2, window: day}}} }\napis:\n${many(n / 6, (i) => ` a${i}: {paths: [/${i}], plans: [x, y]}\n`, '')}consumers:\n${many(n / 6, (i) => ` c${i}: {plan: x, subscriptions: {a0: {plan: y}}}\n`, '')}`,
  'own limits of the mesh': (n) =>
    `rateLimitService: { cluster: c }\nplans: { x: {quotas: {q: {limit: 1, window: day, scope: mesh}}} }\napis:\n${many(n / 5, (i) => ` a${i}: {paths: [/${i}], plans: [x]}\n`, '')}consumers: { c: { subscriptions: { ${many(n / 5, (i) => `a${i}: {plan: x, limits: {q: 2}}`)} } } }\n`,
  'limits and quotas': (n) =>
    `plans: { x: {quotas: {${many(n / 2, (i) => `q${i}: 1`)}}} }\nconsumers: { c: { subscriptions: { a: { plan: x, limits: { ${many(n / 2, (i) => `q${i}: 1`)} } } } } }\n`,
  routes: (n) => pets(`routes: [${many(n / 4, (i) => `{name: r${i}, when: {methods: [M${i}]}}`)}]`),
  'methods of two routes': (n) =>
    pets(
      `routes: [{name: a, when: {methods: [${many(n / 2, (i) => `M${i}`)}]}}, {name: b, when: {methods: [${many(n / 2, (i) => `M${n - i}`)}]}}]`,
    ),
  'paths of routes': (n) =>
    `apis: { pets: { paths: [${many(n / 2, (i) => `/p${i}`)}], plans: [], routes: [${many(1000, (i) => `{name: r${i}, when: {path: /q}}`)}] } }\n`,
  'keys with one digest': (n) =>
    `consumers: { c: { keys: [${many(n / 6, () => `{id: k, digest: "sha256:${'1'.repeat(64)}"}`)}] } }\n`,
  'fields below a long name': (n) => `consumers: { ${'a'.repeat(n)}: { ${many(n, (i) => `f${i}: 1`)} } }\n`,
  'references beside long names': (n) =>
    `plans: { ${many(8, (i) => `${'a'.repeat(500)}${i}:`)} }\nconsumers:\n${many(n / 3, (i) => ` c${i}: {plan: x}\n`, '')}`,
  'what begins like a key': (n) => `plans: { ${'tg_a'.repeat(n)}: }\n`,
};

/** Generous, because a test machine may be busy: quadratic time over 100,000 takes minutes. */
const MOST_MILLISECONDS = 30_000;

for (const [kind, make] of Object.entries(KINDS)) {
  test(`check takes a time that grows with the file: ${kind}`, () => {
    const text = `policy: p\n${make(60_000)}`;
    assert.ok(text.length < MAX_POLICY_BYTES);
    const started = performance.now();
    const { problems, warnings } = readPolicy(text, 'p');
    assert.ok(performance.now() - started < MOST_MILLISECONDS);
    assert.ok(problems.length <= 100 && warnings.length <= 100);
  });
}

test('of very many problems, the first are reported and the rest counted', async () => {
  const { problems, more, isCounted } = readPolicy(`policy: p\n${KINDS['unknown fields']!(100_000)}`, 'p');
  assert.deepEqual([problems.length, more, isCounted], [100, 99_900, true]);
  const { err, code } = await tollgate(['check', '-'], { stdin: `policy: p\n${many(150, (i) => `a${i}: 1\n`, '')}` });
  assert.equal(code, 1);
  const [last, ...rest] = err.split('\n').slice(99);
  assert.match(last!, /^standard input:101:1: must have no other fields than policy, mode, .*, consumers$/);
  assert.deepEqual(rest, ['standard input: and 50 more problems', 'standard input: 150 problems', '']);
  const warned = await tollgate(['check', '-'], {
    stdin: `policy: p\nconsumers:\n${many(101, (i) => `  a${i}:\n`, '')}`,
  });
  assert.match(warned.err, /^standard input: and 2 more warnings\n$/m);
});

test('lists that are too long to check are refused, and do not crash', () => {
  const result = readPolicy(`policy: p\n${KINDS['bad hosts']!(300_000)}`, 'p');
  assert.deepEqual([result.policy, result.isCounted], [null, false]);
  assert.match(printProblems(result), /^p: and at least \d{3},\d{3} more problems$/m);
});

test('check warns of a policy for a mesh that no object of Kubernetes holds, and not of one for other Envoys', async () => {
  const consumers = Array.from({ length: 12_000 }, (_, i) => {
    const digest = String(i).padStart(64, '0');
    return `  c${i}: { plan: free, keys: [{ id: k${i}, digest: "sha256:${digest}" }] }\n`;
  }).join('');
  const policy = (targets: string): string =>
    `policy: shop\n${targets}apis: { pets: { hosts: [a.test], paths: [/v1], plans: [free] } }\nplans: { free: {} }\nconsumers:\n${consumers}`;
  const target = 'targets: [{ namespace: shop }]\n';
  const meshed = await tollgate(['check', '-'], { stdin: policy(target) });
  assert.equal(meshed.code, 0);
  assert.match(
    meshed.err,
    /^standard input: warning: compiles to 1\d{6} bytes, and an object of Kubernetes holds 1507328 at most, so "tollgate emit" will refuse it; split it into policies for some of its APIs and their consumers each$/m,
  );
  assert.doesNotMatch((await tollgate(['check', '-'], { stdin: policy('') })).err, /Kubernetes/);
});
