import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { CORE_SCHEMA, load } from 'js-yaml';
import { keyOf } from '../../scripts/key/key.ts';
import {
  checkPolicy,
  compilePolicy,
  parsePolicy,
  printPath,
  readPolicy,
  type Finding,
} from '../../scripts/policy/index.ts';

const NOW_SECONDS = Date.parse('2026-06-01T00:00:00Z') / 1000;

/** A policy as JSON.parse would give it. */
const VALID = {
  policy: 'shop',
  apis: { pets: { hosts: ['a.test'], paths: ['/v1'], plans: ['free'] } },
  plans: { free: { quotas: { daily: { limit: 1, window: 'day' } } } },
  consumers: {
    acme: { plan: 'free', keys: [{ id: 'a', digest: `sha256:${'a'.repeat(64)}` }] },
  },
};

/** Problems that only YAML can have: a plain value no longer shows them. */
const OF_TEXT = /^yaml-|^quota-limit-inexact/;

/** Without where the other one of two stands, which YAML tells by line and a value by path. */
function withoutTwin(rule: string): string {
  return rule.replace(/; it stands (?:on|at) [^;]* already$| \((?:line \d+|[^()]*\]|[^() ]*\.[^() ]*)\)$/, '');
}

for (const folder of ['problems', 'warnings']) {
  test(`a plain value has the findings of a file: ${folder}`, () => {
    const url = new URL(`./${folder}/`, import.meta.url);
    let compared = 0;
    for (const file of readdirSync(url).filter((name) => !OF_TEXT.test(name))) {
      const text = readFileSync(new URL(file, url), 'utf8');
      let value: unknown;
      try {
        value = load(text, { schema: CORE_SCHEMA });
      } catch {
        continue;
      }
      const { policy, problems, warnings } = readPolicy(text, file, NOW_SECONDS);
      const findings = checkPolicy(value, NOW_SECONDS);
      const told = (path: string, rule: string): string => `${path}: ${withoutTwin(rule)}`;
      assert.deepEqual(
        findings.map(({ path, rule }) => told(printPath(path), rule)).sort(),
        [...problems, ...warnings].map(({ path, rule }) => told(path, rule)).sort(),
        file,
      );
      const severity = policy === null ? 'error' : 'warning';
      assert.ok(findings.every((finding) => finding.severity === severity));
      // a file has spellings of its own
      const spelling: Readonly<Record<string, string>> = { nothing: 'null', '.inf': 'Infinity' };
      const shown = (found = ''): string => spelling[found] ?? found;
      if (findings.length === 1)
        assert.equal(shown(findings[0]!.found), shown((problems[0] ?? warnings[0])!.found), file);
      compared++;
    }
    assert.ok(compared > (folder === 'problems' ? 270 : 9), `only ${compared} files were compared`);
  });
}

test('a plain value means what its file means', () => {
  const { policy } = parsePolicy(VALID, NOW_SECONDS);
  assert.deepEqual(policy, readPolicy(JSON.stringify(VALID), 'p').policy);
  assert.equal(compilePolicy(policy!).policy, 'shop');
  assert.deepEqual(checkPolicy(VALID, NOW_SECONDS), []);
});

test('two places of one rule name each other by path', () => {
  const value = { ...VALID, apis: { ...VALID.apis, dogs: { paths: ['/v1', '/v1'], plans: ['free'] } } };
  assert.deepEqual(
    checkPolicy(value).map(({ path, rule }) => [printPath(path), rule]),
    [['apis.dogs.paths[1]', 'must be given once; it stands at apis.dogs.paths[0] already']],
  );
});

test('what JSON cannot hold is told by its place, and hides nothing else', () => {
  const told = (value: unknown): string[] =>
    checkPolicy(value).map(({ path, found }) => `${printPath(path)}: ${found ?? ''}`);
  class Shop {
    policy = 'shop';
  }
  assert.deepEqual(told({ ...VALID, policy: () => 'shop' }), ['policy: a function']);
  assert.deepEqual(told({ ...VALID, plans: new Map() }).slice(0, 1), ['plans: an object of a class']);
  assert.deepEqual(told({ ...VALID, realm: 1n, forwardKey: Symbol('a'), unmatched: new Date() }), [
    'realm: a bigint',
    'forwardKey: a symbol',
    'unmatched: an object of a class',
  ]);
  assert.deepEqual(told(new Shop()), [': an object of a class']);
  const getter = Object.defineProperty({ ...VALID }, 'policy', {
    enumerable: true,
    get: () => assert.fail('a getter is not asked'),
  });
  assert.deepEqual(told(getter), ['policy: a getter']);
  assert.deepEqual(told({ ...VALID, realm: undefined }), []);
  assert.deepEqual(told(null), [': null']);
  assert.deepEqual(told(undefined), [': null']);
  assert.deepEqual(told(JSON.parse('{ "policy": "p", "__proto__": { "policy": "q" } }')), [': "__proto__"']);
});

const WINDOWS = ['second', 'minute', 'hour', 'day', 'month'];

test('names with a meaning in JavaScript are plain names', () => {
  const names = ['constructor', 'tostring', 'prototype', 'hasownproperty', 'valueof'];
  const of = <T>(value: T): Record<string, T> => Object.fromEntries(names.map((name) => [name, value]));
  const value = {
    policy: 'constructor',
    apis: { constructor: { paths: ['/v1'], plans: names } },
    // Each quota binds before those of longer windows do.
    plans: of({ quotas: Object.fromEntries(names.map((name, i) => [name, { limit: i + 1, window: WINDOWS[i] }])) }),
    consumers: { toString: { plan: 'prototype', keys: VALID.consumers.acme.keys } },
  };
  assert.deepEqual(checkPolicy(value), []);
  assert.deepEqual(
    checkPolicy({ policy: 'p', apis: { a: { paths: ['/'], plans: ['constructor'] } } }).map(({ rule }) => rule),
    ['must be a plan of this policy; there is none'],
  );
});

/** A value that holds itself everywhere. */
function cyclic(width: number): unknown {
  const value: Record<string, unknown> = {};
  for (let i = 0; i < width; i++) value[`f${i}`] = value;
  return { ...VALID, consumers: value };
}

function nested(depth: number): unknown {
  let value: unknown = {};
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

const thrower = (): never => {
  throw new Error('not for you');
};
const revoked = Proxy.revocable({}, {});
revoked.revoke();

const HOSTILE: Readonly<Record<string, () => unknown>> = {
  cycles: () => cyclic(1000),
  'a list in itself': () => {
    const list: unknown[] = [];
    list.push(list, list);
    return { ...VALID, targets: list };
  },
  'deep nesting': () => ({ ...VALID, realm: nested(100_000) }),
  'a proxy that throws': () =>
    new Proxy({}, { ownKeys: thrower, get: thrower, getPrototypeOf: thrower, getOwnPropertyDescriptor: thrower }),
  'a proxy that lies': () =>
    new Proxy({ policy: 'P' }, { ownKeys: () => ['policy', 'apis'], get: () => ({ paths: [1] }) }),
  'a proxy without its target': () => ({ ...VALID, apis: revoked.proxy }),
  'many consumers': () => ({ ...VALID, consumers: Object.fromEntries(entries(400_000, 'x')) }),
  'a million entries of nothing': () => ({
    ...VALID,
    consumers: Object.fromEntries(
      entries(1_000_000, null).map(([name]) => [`consumer-of-a-longer-name-than-most-${name}`, null]),
    ),
  }),
  'five million items': () => ({ ...VALID, targets: Array.from({ length: 5_000_000 }, () => 1) }),
  'a million unknown fields': () => Object.fromEntries(entries(1_000_000, 1)),
  'a list with holes': () => ({ ...VALID, targets: Object.assign([], { length: 3 }) }),
  'a list of four billion holes': () => ({ ...VALID, targets: Object.assign([], { length: 2 ** 32 - 1 }) }),
  'a long string': () => ({ ...VALID, policy: 'p'.repeat(10_000_000) }),
  'a long name': () => ({ ...VALID, plans: { ['p'.repeat(1_000_000)]: {} } }),
  'numbers that are none': () => ({ ...VALID, plans: { free: { quotas: { a: { limit: NaN, window: -0 } } } } }),
  'half characters': () => ({ ...VALID, consumers: { '\ud800': { plan: '\udfff' } } }),
  'objects of other makers': () => ({ ...VALID, apis: new Map(), plans: new Set(), consumers: new Date(), realm: /a/ }),
  'a promise': () => Promise.resolve(VALID),
  'boxed values': () => ({ ...VALID, policy: new String('p'), forwardKey: new Boolean(true) }),
  'a typed array': () => ({ ...VALID, targets: new Uint8Array(1_000_000) }),
  'what toJSON would give': () => ({ toJSON: () => VALID }),
  nothing: () => undefined,
  'a string': () => 'policy: p',
};

function entries(count: number, value: unknown): [string, unknown][] {
  return Array.from({ length: count }, (_, index) => [`c${index}`, value]);
}

/** Ten times what the slowest takes on a busy machine: only what grows faster than the value is caught. */
const MOST_MILLISECONDS = 300_000;

for (const [what, make] of Object.entries(HOSTILE)) {
  test(`never throws and comes to an end: ${what}`, () => {
    const value = make();
    const started = performance.now();
    const findings = checkPolicy(value);
    assert.ok(performance.now() - started < MOST_MILLISECONDS);
    assert.ok(findings.some(({ severity }) => severity === 'error'));
    assert.ok(findings.every(isPrintable));
  });
}

function isPrintable({ path, rule, found }: Finding): boolean {
  return printPath(path).length < 20_000 && rule.length < 3000 && (found?.length ?? 0) < 1000;
}

test('no finding holds a key, wherever it stands in the value', () => {
  const keys = [keyOf('00000000', new Uint8Array(20)), 'sk_live_4eC39HqLyjWDarjtT1zdP7dcx0'];
  for (const key of keys) {
    for (const value of [
      { ...VALID, policy: key },
      { ...VALID, [key]: 1 },
      { ...VALID, realm: { [key]: key } },
      { ...VALID, plans: { [key]: { quotas: 1 } } },
      { ...VALID, apis: { [key]: { paths: [key, key], plans: [key], hosts: [key, key] } } },
      { ...VALID, consumers: { [key]: { plan: key, keys: [{ id: key, digest: key }, key] } } },
      { ...VALID, upstreams: { a: { url: `http://${key}@a` } } },
    ]) {
      const findings = checkPolicy(value);
      assert.ok(findings.length > 0);
      assert.ok(!JSON.stringify(findings).includes(key.slice(12)), JSON.stringify(findings));
    }
  }
  const [own] = keys;
  for (const value of [
    { ...VALID, policy: own },
    { ...VALID, plans: { ...VALID.plans, [own!]: {} } },
  ])
    assert.ok(checkPolicy(value).some(({ rule }) => rule.startsWith('must not hold a key in clear text')));
});

test('a quota of a day or more that each Envoy counts is warned of once, wherever it is enforced', () => {
  const warned = (target: object, window: string, rest: object = {}): string[] =>
    checkPolicy(
      { ...VALID, targets: [target], plans: { free: { quotas: { q: { limit: 1, window, ...rest } } } } },
      NOW_SECONDS,
    )
      .filter(({ rule }) => rule.startsWith('is counted by each Envoy'))
      .map(({ path, severity, found }) => `${severity} ${printPath(path)} ${found}`);
  const targets = [
    { gateway: { namespace: 'istio-system', selector: { istio: 'ingressgateway' } } },
    { namespace: 'shop' },
    { workload: { namespace: 'shop', selector: { app: 'shop' } } },
    { gatewayApi: { namespace: 'shop', kind: 'Gateway', name: 'gw' } },
  ];
  for (const target of targets) {
    for (const window of ['day', 'week', 'month', 'year', '1d', '7d', '30d', '1440m', '86400s'])
      assert.deepEqual(warned(target, window), [`warning plans.free.quotas.q.window "${window}"`]);
    for (const window of ['second', 'minute', 'hour', '10s', '23h', '86399s'])
      assert.deepEqual(warned(target, window), [], window);
    assert.deepEqual(warned(target, 'day', { burst: 2 }), ['warning plans.free.quotas.q.window "day"']);
    assert.deepEqual(warned(target, 'month', { scope: 'envoy' }), []);
  }
  const [target] = targets;
  assert.deepEqual(warned(target!, '30d', { scope: 'mesh' }), []);
});

test('what check says against a long quota is a policy that it has nothing to say about', () => {
  const consumers = { acme: { plan: 'free', keys: [{ id: 'a', digest: `sha256:${'1'.repeat(64)}` }] } };
  const policy = (quota: object, service: object) => ({
    ...VALID,
    consumers,
    targets: [{ gateway: { namespace: 'istio-system', selector: { istio: 'ingressgateway' }, gateways: ['g'] } }],
    upstreams: { v1: { service: { host: 'v1.shop.svc.cluster.local', port: 80 } } },
    apis: { pets: { hosts: ['a.example.com'], paths: ['/v1'], plans: ['free'], upstream: 'v1' } },
    plans: { free: { quotas: { q: { limit: 10, ...quota } } } },
    ...service,
  });
  const remedies = new Set<string>();
  for (const calendarMonths of [undefined, false, true]) {
    const service = calendarMonths === undefined ? {} : { rateLimitService: { cluster: 'c', calendarMonths } };
    for (const window of ['day', '1d', 'week', '7d', 'month', '30d', 'year', '365d', '2d', '366d']) {
      for (const burst of window === 'day' ? [undefined, 5] : [undefined]) {
        const quota = { window, ...(burst !== undefined && { burst }) };
        const rule = checkPolicy(policy(quota, service), NOW_SECONDS).find(
          ({ path }) => path.at(-1) === 'window',
        )!.rule;
        assert.deepEqual(checkPolicy(policy({ ...quota, scope: 'envoy' }, {}), NOW_SECONDS), [], window);
        const mesh = /say "scope: mesh"(?: and "window: (\w+)")?( and name a "rateLimitService")?, /.exec(rule);
        remedies.add(mesh?.[0] ?? 'none');
        if (mesh === null) {
          assert.ok(burst !== undefined || ['2d', '366d'].includes(window), `${window}: ${rule}`);
          continue;
        }
        const remedied = { ...quota, window: mesh[1] ?? window, scope: 'mesh' };
        const named = mesh[2] === undefined ? service : { rateLimitService: { cluster: 'c' } };
        assert.deepEqual(checkPolicy(policy(remedied, named), NOW_SECONDS), [], `${window}: ${rule}`);
      }
    }
  }
  assert.ok(remedies.size >= 7, [...remedies].join());
});

test('of very many keys that end soon the first are named, and the others counted', () => {
  const digest = (number: number): string => `sha256:${number.toString(16).padStart(64, '0')}`;
  const until = (number: number): string =>
    new Date((NOW_SECONDS + 1000 + ((number * 7919) % 20_000) * 100) * 1000).toISOString().replace('.000', '');
  const consumers = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, number) => [
      `c${number}`,
      { plan: 'free', keys: [{ id: 'k', digest: digest(number + 1), until: until(number) }] },
    ]),
  );
  const findings = checkPolicy({ ...VALID, consumers }, NOW_SECONDS).filter(({ severity }) => severity === 'warning');
  const named = findings.filter(({ rule }) => rule.startsWith('ends within 30 days'));
  const ends = Array.from({ length: 20_000 }, (_, number) => until(number)).sort();
  assert.deepEqual(
    named.map(({ found }) => found).sort(),
    ends.slice(0, 10).map((end) => `"${end}"`),
  );
  assert.deepEqual(
    findings.filter(({ path }) => path.length === 1).map(({ path, rule }) => [path, rule]),
    [[['consumers'], 'hold 19,990 more keys that end within 30 days and have no successor']],
  );
});
